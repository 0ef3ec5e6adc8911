"""The command line, in this process and as one: results, and one line with exit status 2 for whatever is wrong."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import lbalgo as lb
from lbalgo.cli import main
from lbalgo.cli_input import default_policies, policy_classes, read_keys, read_policy, read_pool
from lbalgo.cli_output import WIDTH, table
from lbalgo.measure import Row

TOML = '[[backends]]\nid = "a"\nweight = 2\n\n[[backends]]\nid = "b"\n\n[[backends]]\nid = "c"\nzone = "z"\n'
PYTHON = [sys.executable, "-W", "ignore:the plain-Python kernels", "-m", "lbalgo"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.toml").write_text(TOML)
    (tmp_path / "keys").write_bytes(b"".join(b"user-%d\n" % i for i in range(3000)))
    return tmp_path


def run(capsys, *argv):
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


# --- errors: (arguments, what the one line says) with files written by name --------------------------------------

FILES = {
    "bad.toml": b'[[backends]]\nid = "a"\nweight = \n',
    "cut.toml": b'[[backends]]\nid = "a',
    "field.toml": b'[[backends]]\nid = "a"\n\n[[backends]]\nid = "b"\nwieght = 2\n',
    "top.toml": b'pool = "x"\n[[backends]]\nid = "a"\n',
    "shape.toml": b"backends = 3\n",
    "weight.toml": b'[[backends]]\nid = "a"\nweight = -1\n',
    "nan.toml": b'[[backends]]\nid = "a"\nweight = nan\n',
    "twins.toml": b'[[backends]]\nid = "a"\n[[backends]]\nid = "a"\n',
    "anonymous.toml": b"[[backends]]\nweight = 1\n",
    "number.toml": b'backends = [{id = "a"}, 3]\n',
    "idle.toml": b'[[backends]]\nid = "a"\nweight = 0\n',
    "empty.toml": b"",
    "latin.toml": b'[[backends]]\nid = "a"\n# \xe9\n',
    "bad.json": b'[\n {"id": "a"},\n {"id": "b" "weight": 1}\n]',
    "pairs.json": b'{"a": 1, "b": 2, "a": 3}',
    "digits.json": b'{"a": ' + b"1" * 5000 + b"}",
    "deep.json": b"[" * 100_000,
    "scalar.json": b"3",
    "one.json": b'["a"]',
    "text.json": b'{"a": "heavy"}',
    "infinite.json": b'{"a": Infinity}',
    "blank.keys": b"k1\nk2\n\nk3\n",
    "none.keys": b"",
}

ERRORS = [
    (["pick", "--backends", "bad.toml", "k"], "bad.toml:3: "),
    (["pick", "--backends", "cut.toml", "k"], "cut.toml:2: "),
    (["pick", "--backends", "field.toml", "k"], "field.toml:4: backends[1]: 'wieght' is no field of a backend"),
    (["pick", "--backends", "top.toml", "k"], "top.toml: 'pool' is no field of a pool"),
    (["pick", "--backends", "shape.toml", "k"], "shape.toml: 'backends' must be a list"),
    (["pick", "--backends", "weight.toml", "k"], "weight.toml:1: backends[0]: weight = -1"),
    (["pick", "--backends", "nan.toml", "k"], "nan.toml:1: backends[0]: weight = nan"),
    (["pick", "--backends", "twins.toml", "k"], "twins.toml:3: backends[1]: id = 'a'"),
    (["pick", "--backends", "anonymous.toml", "k"], "anonymous.toml:1: backends[0]: has no id"),
    (["pick", "--backends", "number.toml", "k"], "number.toml: backends[1]: must be an id or a table"),
    (["pick", "--backends", "idle.toml", "k"], "idle.toml: no backend has weight"),
    (["pick", "--backends", "empty.toml", "k"], "empty.toml: has no backends"),
    (["pick", "--backends", "latin.toml", "k"], "latin.toml:3: is not UTF-8"),
    (["pick", "--backends", "bad.json", "k"], "bad.json:3: "),
    (["pick", "--backends", "pairs.json", "k"], "pairs.json: 'a' occurs twice"),
    (["pick", "--backends", "digits.json", "k"], "digits.json: "),
    (["pick", "--backends", "deep.json", "k"], "deep.json: "),
    (["pick", "--backends", "scalar.json", "k"], "scalar.json: must be a list of backends or an object"),
    (["pick", "--backends", "text.json", "k"], "text.json: backends[0]: weight = 'heavy'"),
    (["pick", "--backends", "infinite.json", "k"], "infinite.json: backends[0]: weight = inf"),
    (["pick", "--backends", "missing", "k"], "missing: cannot be read: No such file"),
    (["pick", "--backends", ".", "k"], ".: cannot be read: Is a directory"),
    (["pick", "--backends", "pool.toml"], "give a KEY or --keys"),
    (["pick", "--backends", "pool.toml", "--keys", "blank.keys"], "blank.keys:3: empty key"),
    (["pick", "--backends", "pool.toml", "--keys", "none.keys"], "none.keys: has no keys"),
    (["pick", "--backends", "pool.toml", "--keys", "missing"], "missing: cannot be read"),
    (["pick", "k"], "--backends"),
    (["pick", "--backends", "pool.toml", "--policy", "magleff", "k"], "no policy 'magleff'; there are "),
    (["pick", "--backends", "pool.toml", "--policy", "maglev:table_size=10", "k"], "table_size = 10: must be prime"),
    (
        ["pick", "--backends", "pool.toml", "--policy", "maglev:size=7", "k"],
        "is no field of Maglev; there are table_size, hasher, seed",
    ),
    (["pick", "--backends", "pool.toml", "--policy", "maglev:table_size", "k"], "'table_size': must be PARAM=VALUE"),
    (["pick", "--backends", "pool.toml", "--policy", "maglev:seed=1,seed=2", "k"], "'seed=2': must be PARAM=VALUE"),
    (["pick", "--backends", "pool.toml", "--policy", "maglev:", "k"], "'': must be PARAM=VALUE"),
    (["pick", "--backends", "pool.toml", "--policy", "maglev:hasher=SipHash", "k"], "hasher = 'SipHash'"),
    (
        ["pick", "--backends", "pool.toml", "--policy", "maglev:table_size=2", "k"],
        "maglev:table_size=2: table_size = 2",
    ),
    (["pick", "--backends", "pool.toml", "--policy", "jump", "k"], "--policy jump: weights"),
    (["move", "--backends", "pool.toml"], "give --remove, --fail, --weight or --add"),
    (["move", "--backends", "pool.toml", "--remove", "z"], "--remove z: pool.toml has no backend 'z'"),
    (["move", "--backends", "pool.toml", "--fail", "z"], "--fail z: pool.toml has no backend 'z'"),
    (["move", "--backends", "pool.toml", "--weight", "z=1"], "--weight z: pool.toml has no backend 'z'"),
    (["move", "--backends", "pool.toml", "--weight", "a"], "--weight a: must be ID=WEIGHT"),
    (["move", "--backends", "pool.toml", "--weight", "a=-1"], "--weight a=-1: weight = -1.0"),
    (["move", "--backends", "pool.toml", "--weight", "a=nan"], "--weight a=nan: weight = nan"),
    (["move", "--backends", "pool.toml", "--add", "a"], "--add a: pool.toml has a backend 'a' already"),
    (["move", "--backends", "pool.toml", "--add", ":3"], "--add :3: id = ''"),
    (["move", "--backends", "pool.toml", "--add", ""], "--add : id = ''"),
    (["move", "--backends", "pool.toml", "--remove", "a", "--top", "-1"], "--top -1"),
    (["move", "--backends", "pool.toml", "--remove", "a", "--policy", "round_robin"], "takes no key, so no key moves"),
    (
        ["move", "--backends", "pool.toml", "--remove", "a", "--remove", "b", "--remove", "c"],
        "after the change the pool has no",
    ),
    (["move", "--backends", "one.json", "--weight", "a=0"], "move: after the change no backend is eligible"),
    (["compare", "--remove", "z"], "--remove z: the built-in pool has no backend 'z'"),
    (["compare", "--add", "backend-00"], "--add backend-00: the built-in pool has a backend"),
    (["compare", "--backends", "pool.toml", "--plot", "figure.gif"], "--plot figure.gif: must end in .png"),
    (["compare", "--backends", "pool.toml", "--plot", "no/figure.png"], "--plot no/figure.png: cannot be written"),
    (["compare", "--frobnicate"], "--frobnicate"),
    (["frobnicate"], "frobnicate"),
    ([], "COMMAND"),
]


@pytest.mark.parametrize("argv, said", ERRORS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_one_line_and_status_2(here, capsys, argv, said):
    for name, content in FILES.items():
        (here / name).write_bytes(content)
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert err.startswith("lbalgo: ")
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_every_error_file_is_used():
    named = {word for argv, _ in ERRORS for word in argv}
    assert set(FILES) <= named


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, text",
    [
        ("p.toml", '[[backends]]\nid="a"\nweight=2\n[[backends]]\nid="b"\n'),
        ("p.toml", 'backends = ["b2", {id="x"}]\n'.replace('"b2", {id="x"}', '{id="a", weight=2}, "b"')),
        ("p.json", '[{"id": "a", "weight": 2}, "b"]'),
        ("p.json", '{"backends": [{"id": "a", "weight": 2}, {"id": "b"}]}'),
        ("p.json", '{"a": 2, "b": 1}'),
        ("p", '\ufeff{"a": 2, "b": 1}'),
        ("p", '[{"id": "a", "weight": 2}, "b"]'),
        ("p", '[[backends]]\nid="a"\nweight=2\n[[backends]]\nid="b"\n'),
    ],
)
def test_shapes_of_a_pool(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    view = read_pool(str(path))
    assert (view.ids, view.weights.tolist()) == (("a", "b"), [2.0, 1.0])


def test_every_field_of_a_backend(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('[[backends]]\nid="a"\nweight=0.5\nzone="z"\npriority=1\nmetadata={rack="7"}\n')
    assert read_pool(str(path)).backends == (lb.Endpoint("a", 0.5, "z", 1, (("rack", "7"),)),)


def test_a_backend_may_be_called_backends(tmp_path):
    path = tmp_path / "p.json"
    path.write_text('{"backends": 3, "other": 1}')
    assert read_pool(str(path)).ids == ("backends", "other")


@pytest.mark.parametrize("name", ["ring_hash", "ring-hash", "RingHash"])
def test_a_policy_is_called_in_any_case(name):
    assert read_policy(f"{name}:points=7,lookup=NEAREST") == lb.RingHash(points=7, lookup=lb.Lookup.NEAREST)


def test_keys_are_bytes_without_the_line_end(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(b" a \r\n\xff\xfe\nb\rc\n\0\nlast")
    assert read_keys(str(path)) == [b" a ", b"\xff\xfe", b"b\rc", b"\0", b"last"]


def test_policies_are_named_after_their_classes():
    classes = policy_classes()
    assert {"maglev", "ring_hash", "rendezvous", "jump", "round_robin", "weighted_round_robin", "random"} <= set(
        classes
    )
    assert set(default_policies()) <= set(classes)


# --- pick ----------------------------------------------------------------------------------------------------------


def test_pick_is_the_picker(here, capsys):
    status, out, err = run(capsys, "pick", "--backends", "pool.toml", "--policy", "ring-hash:points=7", "k1", "é", "k3")
    picker = lb.RingHash(points=7).build({"a": 2, "b": 1, "c": 1})
    assert (status, err) == (0, "")
    assert out == "".join(f"{key}\t{picker.pick(key).id}\n" for key in ("k1", "é", "k3"))


def test_walk_is_the_whole_order(here, capsys):
    argv = ["pick", "--backends", "pool.toml", "--walk", "--policy", "rendezvous", "--keys", "keys"]
    _, out, _ = run(capsys, *argv)
    picker = lb.Rendezvous().build({"a": 2, "b": 1, "c": 1})
    lines = out.splitlines()
    assert len(lines) == 3000
    assert lines[5].split("\t") == ["user-5", *(b.id for b in picker.walk("user-5"))]
    _, out, _ = run(capsys, *argv, "--json")
    assert json.loads(out)[5] == {"key": "user-5", "walk": lines[5].split("\t")[1:]}


def test_control_characters_cannot_break_a_line(here, capsys):
    (here / "odd.json").write_text(json.dumps(["a\tb\n", "\x1b[31m\x9b", "c"]))
    _, out, _ = run(capsys, "pick", "--backends", "odd.json", "--walk", "k\rey", "k")
    assert [sorted(line.split("\t")[1:]) for line in out.splitlines()] == [
        sorted([r"a\x09b\x0a", r"\x1b[31m\x9b", "c"])
    ] * 2
    assert out.startswith(r"k\x0dey" + "\t")
    _, out, _ = run(capsys, "move", "--backends", "odd.json", "--remove", "a\tb\n", "--add", "\x7f")
    assert all(len(line.split("\t")) == 4 for line in out.splitlines()[2:])
    assert "\x7f" not in out and "\x1b" not in out
    _, out, _ = run(capsys, "pick", "--backends", "odd.json", "--walk", "--json", "k")
    assert set(json.loads(out)[0]["walk"]) == {"a\tb\n", "\x1b[31m\x9b", "c"}


def test_pick_without_a_key_goes_round(here, capsys):
    _, out, _ = run(capsys, "pick", "--backends", "pool.toml", "--policy", "round_robin", "--json", "k", "k", "k", "k")
    assert [answer["backend"] for answer in json.loads(out)] == ["a", "b", "c", "a"]


# --- move ----------------------------------------------------------------------------------------------------------

CHANGES = [
    (["--remove", "b"], lambda view: view.restrict([True, False, True])),
    (["--fail", "b"], lambda view: lb.View.of(view, states={"b": lb.State.UNHEALTHY})),
    (["--weight", "a=5"], lambda view: lb.View.of(view, weights={"a": 5})),
    (["--add", "10.0.0.1:80:2"], lambda view: lb.View.of([*view.backends, lb.Endpoint("10.0.0.1:80", 2.0)])),
    (["--add", "d"], lambda view: lb.View.of([*view.backends, lb.Endpoint("d", 1.0)])),
]


@pytest.mark.parametrize("argv, change", CHANGES)
@pytest.mark.parametrize("policy", ["maglev", "ring_hash", "rendezvous"])
def test_move_is_the_disruption(here, capsys, argv, change, policy):
    spec = policy_classes()[policy]()
    before = spec.build(read_pool("pool.toml"))
    expected = lb.measure.disruption(before, spec.build(change(before.view), previous=before))
    status, out, err = run(capsys, "move", "--backends", "pool.toml", "--policy", policy, "--json", *argv)
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert (answer["moved"], answer["minimal"], answer["excess"]) == (expected.moved, expected.minimal, expected.excess)
    assert answer["flows"]["from"] == list(expected.losers)
    _, out, _ = run(capsys, "move", "--backends", "pool.toml", "--policy", policy, "--top", "1", *argv)
    lines = out.splitlines()
    assert lines[1].startswith(f"moved {100 * expected.moved:.4f} %, at least {100 * expected.minimal:.4f} %")
    assert lines[2] == f"{100 * expected.amounts[0]:.4f} %\t{expected.losers[0]}\t->\t{expected.gainers[0]}"
    assert len(lines) == 3 + (len(expected.losers) > 1)


def test_move_on_keys(here, capsys):
    _, out, _ = run(capsys, "move", "--backends", "pool.toml", "--remove", "b", "--keys", "keys")
    assert out.startswith("maglev: sampled on 3000 keys, standard error")


def test_panic_is_told(here, capsys):
    _, out, _ = run(capsys, "move", "--backends", "pool.toml", "--fail", "a", "--fail", "b")
    assert "panic" in out
    assert "moved 0.0000 %" in out


# --- compare -------------------------------------------------------------------------------------------------------


def test_compare_writes_a_row_for_each_policy(here, capsys):
    status, out, err = run(capsys, "compare", "--backends", "pool.toml", "--keys", "keys")
    assert (status, err) == (0, "")
    for name in default_policies():
        assert sum(line.split(" ")[0] == name for line in out.splitlines()) == 1
    assert all(len(line) <= WIDTH for line in out.splitlines())


def test_compare_json_is_the_measurement(here, capsys):
    argv = ["--policy", "maglev:table_size=211", "--policy", "jump", "--remove", "b", "--add", "d:3"]
    _, out, _ = run(capsys, "compare", "--backends", "pool.toml", "--keys", "keys", "--json", *argv)
    answer = json.loads(out)
    assert (answer["backends"], answer["keys"], answer["leaves"], answer["joins"]) == (3, 3000, "b", "d")
    maglev, jump = answer["rows"]
    policy, pool = lb.Maglev(table_size=211), {"a": 2, "b": 1, "c": 1}
    expected = lb.measure.disruption(policy.build(pool), policy.build({**pool, "d": 3}))
    assert maglev["join"]["moved"] == expected.moved
    assert maglev["shares"]["cv"] == lb.measure.balance(policy.build(pool)).cv
    assert maglev["keys"]["keys"] == 3000
    assert jump["shares"] is None
    assert "weights" in jump["reason"]


def test_table_fits_whatever_is_in_it():
    """Names and reasons of any length, figures of any size."""
    long = "ring_hash:" + ",".join(f"parameter_{i}=value" for i in range(40))
    view = lb.View.of(["a", "b", "c", "d"])
    policies = {
        "x" * 22: lb.Maglev(),
        "y" * 23: lb.Maglev(),
        "z" * 60: lb.Random(),
        long: lb.Maglev(),
        "a-name-without-a-break" * 12: lb.Jump(),
    }
    rows = list(lb.measure.compare(policies, view, range(100), timer=iter(range(0, 10**9, 10**6)).__next__))
    rows.append(Row("broken", reason="why " * 100 + "x" * 300))
    rows.append(Row("ring_hash", build=1e9, pick=1e-12, bulk=12345.6e-9))
    lines = list(table(rows))
    assert max(map(len, lines)) <= WIDTH
    joined = "".join(line.strip() for line in lines).replace(" ", "")
    assert long in joined
    assert "x" * 300 in joined


@pytest.mark.parametrize(
    "value, unit, digits, text",
    [
        (None, 1, 4, "-"),
        (float("nan"), 1, 4, "-"),
        (0.0, 100, 4, "0.000"),
        (0.02251, 100, 4, "2.251"),
        (0.99999, 100, 4, "100.0"),
        (0.0999996, 100, 4, "10.00"),
        (1234.4, 1, 4, "1234"),
        (99999.0, 1, 3, "99999"),
        (123456.0, 1, 4, "1e5"),
        (1e100, 1, 4, "1e100"),
        (25.04, 1, 3, "25.0"),
    ],
)
def test_figures_have_at_most_five_characters(value, unit, digits, text):
    from lbalgo.cli_output import _figure

    assert _figure(value, unit, digits) == text
    assert len(text) <= 5


# --- as a process --------------------------------------------------------------------------------------------------


def test_keys_from_standard_input(here):
    argv = [*PYTHON, "compare", "--backends", "pool.toml", "--policy", "maglev", "--keys", "-", "--json"]
    done = subprocess.run(argv, input=b"a\r\nb\n\xff\n", capture_output=True, check=True)
    assert json.loads(done.stdout)["keys"] == 3
    assert done.stderr == b""


def test_blank_line_on_standard_input(here):
    argv = [*PYTHON, "compare", "--backends", "pool.toml", "--policy", "maglev", "--keys", "-"]
    done = subprocess.run(argv, input=b"a\n\n", capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"lbalgo: standard input:2: empty key\n"


def test_keys_need_not_be_text(here):
    done = subprocess.run([*PYTHON, "pick", "--backends", "pool.toml", b"\xff"], capture_output=True, check=True)
    owner = lb.Maglev().build({"a": 2, "b": 1, "c": 1}).pick(b"\xff").id
    assert done.stdout == b"\xff\t" + owner.encode() + b"\n"


def test_reader_that_goes_away(here):
    process = subprocess.Popen(
        [*PYTHON, "pick", "--backends", "pool.toml", "--walk", "--keys", "keys"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_output_that_cannot_be_written(here):
    with open("keys", "rb") as readable:
        argv = [*PYTHON, "pick", "--backends", "pool.toml", "k"]
        done = subprocess.run(argv, stdout=readable, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith(b"lbalgo: standard output: ")
    assert done.stderr.count(b"\n") == 1


def test_interrupted(here, capsys, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("lbalgo.cli_sources.read_pool", interrupt)
    assert run(capsys, "pick", "--backends", "pool.toml", "k") == (130, "", "\n")


@pytest.mark.parametrize(
    "argv", [["--help"], ["compare", "--help"], ["pick", "--help"], ["move", "--help"], ["--version"]]
)
def test_help(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 0
    assert "lbalgo" in capsys.readouterr().out


def test_progress_only_for_a_person(here, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    status, _, err = run(capsys, "compare", "--backends", "pool.toml", "--policy", "maglev", "--keys", "keys")
    assert status == 0
    assert "maglev (1 of 1)" in err
    assert err.endswith("\r\x1b[K")


# --- the page of the docs ------------------------------------------------------------------------------------------


def test_console_blocks_of_the_page(tmp_path, monkeypatch, capsys):
    """Every command of a console block prints what the page says; tabs and spaces are one."""
    page = (Path(__file__).parent.parent / "docs" / "guide" / "command_line.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.toml").write_text(re.search(r"^```toml\n(.*?)^```$", page, re.M | re.S)[1])
    (tmp_path / "api.conf").write_text(re.search(r"^```nginx\n(.*?)^```$", page, re.M | re.S)[1])
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S)
    steps = [step.split("\n", 1) for block in blocks for step in re.split(r"^\$ lbalgo ", block, flags=re.M)[1:]]
    assert len(steps) == 8
    for command, shown in steps:
        _, out, err = run(capsys, *shlex.split(command))
        assert (out + err).split() == shown.split(), command
