"""The command line on configurations of real systems: the answers are those of the rooms in `lbalgo.compat`."""

import json
from pathlib import Path

import pytest

import lbalgo as lb
from lbalgo import cli_sources
from lbalgo.cli import main
from lbalgo.compat import envoy, haproxy, nginx

ENVOY = """
static_resources:
  clusters:
  - name: api
    connect_timeout: 1s
    lb_policy: RING_HASH
    ring_hash_lb_config: {minimum_ring_size: 128}
    load_assignment:
      cluster_name: api
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}
        - endpoint: {address: {socket_address: {address: 10.0.0.2, port_value: 80}}}
        - endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 80}}}
          health_status: UNHEALTHY
  - name: other
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
backend api
    balance hdr(x-user)
    hash-type consistent
    server s1 10.0.0.1:80 weight 2
    server s2 10.0.0.2:80
    server s3 10.0.0.3:80 disabled
"""
NGINX = """
upstream api {
    hash $arg_user consistent;
    server 10.0.0.1:80 weight=2;
    server 10.0.0.2:80;
    server 10.0.0.3:80 down;
}
"""
FILES = {"envoy.yaml": ENVOY, "haproxy.cfg": HAPROXY, "nginx.conf": NGINX}
SOURCES = {
    "envoy": ["--envoy", "envoy.yaml", "--cluster", "api"],
    "haproxy": ["--haproxy", "haproxy.cfg", "--backend", "api"],
    "nginx": ["--nginx", "nginx.conf", "--upstream", "api"],
}
KEYS = [f"user-{i}" for i in range(40)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pool.json").write_text('{"a": 1, "b": 1}')
    (tmp_path / "keys").write_text("".join(f"{key}\n" for key in KEYS))


def loaded(system):
    text = {"envoy": ENVOY, "haproxy": HAPROXY, "nginx": NGINX}[system]
    if system == "envoy":
        return envoy.load(text, name="api")
    return {"haproxy": haproxy, "nginx": nginx}[system].load(text)


def run(capsys, *argv):
    status = main(list(argv))
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("system", SOURCES)
def test_pick(capsys, system):
    status, out, err = run(capsys, "pick", *SOURCES[system], "--keys", "keys", "--json")
    assert (status, err) == (0, "")
    one = loaded(system)
    picker = one.policy.build(one.view())
    heads = [next(iter(picker.walk(key))).id for key in KEYS]
    assert [row["backend"] for row in json.loads(out)] == heads
    assert len(set(heads)) == 2


@pytest.mark.parametrize("system", SOURCES)
def test_move(capsys, system):
    one = loaded(system)
    first = one.backends[0].id
    status, out, err = run(capsys, "move", *SOURCES[system], "--remove", first, "--keys", "keys", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    picker = one.policy.build(one.view())
    was = sum(next(iter(picker.walk(key))).id == first for key in KEYS) / len(KEYS)
    assert told["moved"] >= was - 1e-12 and set(told["flows"]["to"]) == {one.backends[1].id}
    assert told["policy"].startswith(system)


@pytest.mark.parametrize("system", SOURCES)
def test_explain(capsys, system):
    status, out, err = run(capsys, "explain", *SOURCES[system], "user-1", "user-2", "--json")
    assert (status, err) == (0, "")
    one = loaded(system)
    picker = one.policy.build(one.view())
    for row in json.loads(out):
        assert row["backend"] == next(iter(picker.walk(row["key"]))).id
        names = [step["step"] for step in row["steps"]]
        assert names[:2] == ["policy", "key"] and names[-2:] == ["walk", "pick"] and "hash" in names


@pytest.mark.parametrize("system", SOURCES)
def test_compare(capsys, system):
    status, out, err = run(
        capsys, "compare", *SOURCES[system], "--keys", "keys", "--policy", "maglev:table_size=101", "--json"
    )
    assert (status, err) == (0, "")
    rows = json.loads(out)["rows"]
    assert [row["policy"] for row in rows][1] == "maglev:table_size=101"
    assert rows[0]["policy"].startswith(system) and rows[0]["leave"] is not None


ERRORS = [
    (["pick", "k"], "give --backends FILE, or one of --envoy FILE, --haproxy FILE, --nginx FILE"),
    (["pick", "--envoy", "envoy.yaml", "--backends", "pool.json", "k"], "--envoy: --backends names the pool already"),
    (["pick", "--backends", "pool.json", "--cluster", "api", "k"], "--cluster api: goes with --envoy FILE"),
    (["pick", "--envoy", "gone.yaml", "k"], "gone.yaml: cannot be read"),
    (["pick", "--envoy", "envoy.yaml", "--cluster", "web", "k"], "envoy.yaml: name = 'web'"),
    (["pick", "--envoy", "envoy.yaml", "k"], "envoy.yaml: name = None"),
    (["pick", "--envoy", "envoy.yaml", "--cluster", "other", "k"], "load_assignment"),
    (["pick", "--haproxy", "haproxy.cfg", "--backend", "web", "k"], "haproxy.cfg: "),
    (["pick", "--nginx", "nginx.conf", "--upstream", "web", "k"], "nginx.conf: "),
    (["pick", "--haproxy", "nginx.conf", "k"], "nginx.conf: "),
    (["pick", "--nginx", "haproxy.cfg", "k"], "haproxy.cfg: "),
    (["move", *SOURCES["haproxy"], "--remove", "s9"], "--remove s9: haproxy.cfg has no backend 's9'"),
]


@pytest.mark.parametrize(("argv", "text"), ERRORS, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_errors_are_one_line(capsys, argv, text):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert err.startswith("lbalgo: ") and text in err and err.count("\n") == 1


def test_a_named_policy_goes_before_the_file_s(capsys):
    status, out, _ = run(capsys, "explain", *SOURCES["envoy"], "--policy", "maglev:table_size=101", "k")
    assert status == 0 and "Maglev(table_size=101" in out
    hosts = envoy.load(ENVOY, name="api").view()
    assert out.rstrip().endswith(lb.Maglev(101).build(hosts).pick("k").id)


ADDRESSES = {
    "haproxy": (
        "backend a\n balance source\n hash-type consistent\n server s1 h:1\n server s2 h:2",
        haproxy.source_key,
    ),
    "nginx": ("upstream a { ip_hash; server 10.0.0.1; server 10.0.0.2; server 10.0.0.3; }", nginx.address),
}


@pytest.mark.parametrize("system", ADDRESSES)
def test_addresses_are_written_as_text(capsys, system):
    """What hashes the bytes of addresses is asked by addresses; nothing else will do."""
    text, key_of = ADDRESSES[system]
    Path("addresses").write_text(text)
    clients = [*(f"198.51.{i}.{i % 7}" for i in range(40)), "2001:db8::7"]
    loaded = {"haproxy": haproxy, "nginx": nginx}[system].load(text)
    picker = loaded.policy.build(loaded.view())
    wanted = "".join(f"{client}\t{picker.pick(key_of(client)).id}\n" for client in clients)
    assert run(capsys, "pick", f"--{system}", "addresses", *clients) == (0, wanted, "")
    status, out, err = run(capsys, "explain", f"--{system}", "addresses", "192.0.2.7")
    assert status == 0 and "4 bytes: c0 00 02 07" in out
    for argv in (["pick", "user-1"], ["pick", ""], ["explain", "\xe9"], ["pick", "10.0.0.1:80"]):
        status, out, err = run(capsys, argv[0], f"--{system}", "addresses", *argv[1:])
        assert (status, out) == (2, "") and "hashes addresses" in err
    gone = loaded.backends[0].id
    status, out, err = run(capsys, "move", f"--{system}", "addresses", "--remove", gone, "--json")
    assert (status, err) == (0, "") and 0.2 < json.loads(out)["moved"] < 1
    status, out, err = run(capsys, "compare", f"--{system}", "addresses", "--policy", "maglev:table_size=101", "--json")
    rows = json.loads(out)["rows"]
    assert (status, err) == (0, "") and all(row["leave"] is not None for row in rows)


def test_the_version_of_haproxy(capsys):
    Path("three.cfg").write_text(
        "backend a\n balance hash src\n hash-type consistent\n hash-preserve-affinity maxconn\n"
        " server s1 10.0.0.1:1 hash-key addr\n server s2 10.0.0.2:2 hash-key addr\n"
    )
    status, out, err = run(capsys, "pick", "--haproxy", "three.cfg", "k")
    assert status == 2 and "is not in 2.6, but since 3" in err
    argv = ["--haproxy", "three.cfg", "--haproxy-version", "3.2", "k"]
    loaded = haproxy.load(Path("three.cfg").read_text(), version=haproxy.Version.V3_2)
    wanted = loaded.policy.build(loaded.view()).pick(b"k").id
    assert run(capsys, "pick", *argv) == (0, f"k\t{wanted}\n", "")
    status, out, err = run(capsys, "pick", "--backends", "pool.json", "--haproxy-version", "3.2", "k")
    assert (status, out) == (2, "") and "--haproxy-version 3.2: goes with --haproxy FILE" in err
    assert tuple(version.text for version in haproxy.Version) == cli_sources.HAPROXY
