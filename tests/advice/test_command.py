"""`lbalgo advise` and its file: what is said in it, what is answered, and one line for whatever is wrong."""

import json
from functools import partial

import pytest

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.advice import Affinity, Facts, Setup, Workload, advise, audit, recommend
from lbalgo.advice.reading import read_advice
from lbalgo.cli import main
from lbalgo.cli_output import WIDTH
from lbalgo.compat import nginx
from lbalgo.gates import Fallback

FULL = """
backends = [{ id = "a", weight = 2 }, "b", { id = "c", zone = "z", priority = 1 }]
policy = { type = "Maglev", table_size = 65536 }
panic_below = 0.25
gates = ["DrainGate", { type = "Sticky", fallback = "REFUSE" }, "Limits"]

[[signals]]
type = "Drain"
deadline = 3.0

[[signals]]
type = "OutlierEjection"
detectors = [{ type = "SuccessRate", minimum_hosts = 5 }]

[facts]
p99 = 4.0

[workload]
backends = 3
affinity = "CACHE"
"""
HAPROXY = (
    "backend app\n    balance first\n    cookie SRV insert\n    server s1 10.0.0.1:80\n    server s2 10.0.0.2:80\n"
)
NGINX = "upstream api { ip_hash; server a slow_start=9s; server b; }"
ENVOY = """{"name": "api", "lb_policy": "RANDOM", "load_assignment": {"cluster_name": "api", "endpoints": [
{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}}},
"load_balancing_weight": 3},
{"endpoint": {"address": {"socket_address": {"address": "10.0.0.2", "port_value": 80}}}}]}]}}"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("full.toml", FULL), ("h.cfg", HAPROXY), ("n.conf", NGINX), ("e.json", ENVOY)):
        (tmp_path / name).write_text(text)
    (tmp_path / "facts.toml").write_text("[facts]\nretries = 2\n")
    (tmp_path / "work.toml").write_text("[workload]\nvariance = 0\n")
    (tmp_path / "trace.csv").write_text("time,cost\n" + "".join(f"{i},{1 + i % 9}\n" for i in range(500)))
    return tmp_path


def run(capsys, *argv):
    status = main(["advise", *argv])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_file_says_what_the_parts_say():
    setup, facts, workload = read_advice(FULL)
    assert setup.policy == lb.Maglev(65537) and facts == Facts(p99=4.0, table_size=65536) == setup.facts
    assert setup.view.ids == ("a", "b", "c") and setup.view.weights.tolist() == [2.0, 1.0, 1.0]
    assert setup.panic_below == 0.25
    assert [type(part).__name__ for part in setup.signals + setup.gates] == [
        "Drain",
        "OutlierEjection",
        "DrainGate",
        "Sticky",
        "Limits",
    ]
    assert setup.gates[1].fallback is Fallback.REFUSE and setup.gates[0].drain is setup.signals[0]
    assert workload == Workload(3, affinity=Affinity.CACHE)


def test_shapes_of_a_file():
    assert read_advice("") == (None, Facts(), None)
    assert read_advice('policy = "Random"\nbackends = 3')[0].size == 3
    assert read_advice('policy = "Random"\n[backends]\na = 2\nb = 0')[0].size == 1
    assert read_advice("signals = []")[0].policy is None


BAD = [
    ("policy = ", "text"),
    ("color = 1", "color"),
    ("backends = 3", "policy"),
    ('policy = "Best"', "policy.type"),
    ('policy = { type = "Maglev", size = 7 }', "policy.size"),
    ('policy = { type = "Maglev", table_size = true }', "policy.table_size"),
    ('policy = "Random"\nbackends = -1', "backends"),
    ('policy = "Random"\nbackends = "a"', "backends"),
    ('policy = "Random"\nbackends = [{ weight = 1 }]', "backends[0]"),
    ('policy = "Random"\nbackends = [{ id = "a", color = 1 }]', "backends[0]"),
    ('policy = "Random"\nbackends = ["a", { id = "b", weight = -1 }]', "backends[1].weight"),
    ('policy = "Random"\nbackends = ["a", "a"]', "id"),
    ('policy = "Random"\nbackends = { a = "much" }', "weights['a']"),
    ('policy = "Random"\npanic_below = 2', "panic_below"),
    ('signals = "Drain"', "signals"),
    ('signals = ["Siren"]', "signals[0].type"),
    ('signals = [{ type = "Drain", deadline = 0 }]', "signals[0].deadline"),
    ('gates = ["Limits", "Gait"]', "gates[1].type"),
    ('gates = [{ type = "Limits", pool = -1 }]', "gates[0].pool"),
    ('gates = "Limits"', "gates"),
    ("gates = [3]", "gates[0].type"),
    ('gates = ["DrainGate"]', "gates[0]"),
    ('gates = [{ type = "Sticky", secrets = ["0123456789abcdef"] }]', "gates[0].secrets"),
    ('gates = [{ type = "Sticky", spill = 0.5 }]', "gates[0].spill"),
    ('gates = [{ type = "Sticky", fallback = "ANY" }]', "gates[0].fallback"),
    ('gates = [{ type = "Sticky", color = 1 }]', "gates[0].color"),
    ("facts = 3", "facts"),
    ("[facts]\np98 = 3", "facts.p98"),
    ("[facts]\np99 = -3", "facts.p99"),
    ("[workload]\nload = 2", "workload.load"),
    ('[workload]\naffinity = "MUCH"', "workload.affinity"),
]


@pytest.mark.parametrize(("text", "parameter"), BAD)
def test_files_that_are_refused(text, parameter):
    with pytest.raises(ConfigError) as refused:
        read_advice(text)
    assert refused.value.parameter == parameter
    assert "0123456789abcdef" not in str(refused.value), "a secret is not shown"


def test_text_only():
    with pytest.raises(ConfigError):
        read_advice(3)


def test_an_audit_and_a_recommendation(here, capsys):
    status, out, err = run(capsys, "full.toml")
    assert (status, err) == (0, "")
    setup, _, workload = read_advice(FULL)
    for finding in audit(setup):
        assert finding.field in out
    assert "error: table_size\n" in out and "fix: set table_size to 65537" in out
    assert "recommended: Rendezvous()" in out and "> Rendezvous()" in out
    assert all(len(line) <= WIDTH for line in out.splitlines())
    assert recommend(workload).policy == lb.Rendezvous()


def test_json_is_the_same(here, capsys):
    status, out, _ = run(capsys, "full.toml", "--json")
    data = json.loads(out)
    setup, _, workload = read_advice(FULL)
    told = [(finding.field, finding.severity.name) for finding in audit(setup)]
    assert status == 0 and [(each["field"], each["severity"]) for each in data["findings"]] == told
    assert data["recommendation"] == json.loads(json.dumps(recommend(workload).to_dict()))
    assert data["unsupported"] == []
    assert json.loads(run(capsys, "work.toml", "--json")[1])["findings"] is None


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        (["--haproxy", "h.cfg"], {"cookie", "maxconn", "check"}),
        (["--haproxy", "h.cfg", "--backend", "app", "--haproxy-version", "3.2"], {"cookie", "maxconn", "check"}),
        (["--nginx", "n.conf", "facts.toml"], {"ip_hash", "max_conns", "slow_start", "retries"}),
        (["--envoy", "e.json", "--cluster", "api"], {"weight", "health_checks", "circuit_breakers"}),
    ],
)
def test_configurations_of_others(here, capsys, argv, fields):
    status, out, _ = run(capsys, *argv, "--json")
    data = json.loads(out)
    assert status == 0 and {finding["field"] for finding in data["findings"]} == fields
    assert data["recommendation"] is None


def test_what_is_not_understood_is_listed(here, capsys):
    assert "not understood" in run(capsys, "--haproxy", "h.cfg")[1]
    assert json.loads(run(capsys, "--haproxy", "h.cfg", "--json")[1])["unsupported"] == ["backend[app].cookie"]


def test_a_trace(here, capsys):
    status, out, _ = run(capsys, "work.toml", "--trace", "trace.csv")
    assert status == 0
    assert "recommended: LeastConnections()" in out and "trace: 500 requests, 1 a second" in out
    assert "recommended: RoundRobin()" in run(capsys, "work.toml")[1]


def test_nothing_found(here, capsys):
    (here / "good.toml").write_text(
        'policy = "PowerOfTwo"\nbackends = 10\nsignals = ["OutlierEjection"]\ngates = ["Limits"]'
    )
    assert run(capsys, "good.toml")[1] == "audit: nothing found\n"


ERRORS = [
    ([], "give a file"),
    (["facts.toml"], "give a file"),
    (["missing.toml"], "missing.toml: cannot be read"),
    (["h.cfg"], "h.cfg: text"),
    (["full.toml", "--nginx", "n.conf"], "are those of the configuration read"),
    (["--nginx", "n.conf", "--haproxy", "h.cfg"], "names the configuration already"),
    (["--backend", "app"], "goes with --haproxy"),
    (["--haproxy-version", "3.2", "full.toml"], "goes with --haproxy"),
    (["--haproxy", "n.conf"], "n.conf: "),
    (["--nginx", "n.conf", "--upstream", "other"], "n.conf: upstream = 'other'"),
    (["full.toml", "--trace", "missing.csv"], "missing.csv: cannot be read"),
    (["work.toml", "--trace", "facts.toml"], "--trace facts.toml: trace"),
    (["facts.toml", "--trace", "trace.csv"], "goes with a file that has a [workload]"),
]


@pytest.mark.parametrize(("argv", "said"), ERRORS)
def test_one_line_about_what_is_wrong(here, capsys, argv, said):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert err.startswith("lbalgo: ") and said in err and err.count("\n") == 1


def test_advise_is_asked_about_either():
    loaded = nginx.load(NGINX, strict=False)
    assert advise(loaded) == audit(Setup.of(loaded))
    assert advise(Workload(variance=0)) == recommend(Workload(variance=0))
    for call in (partial(advise, lb.Maglev()), partial(advise, None)):
        with pytest.raises(ConfigError) as refused:
            call()
        assert refused.value.parameter == "about"
