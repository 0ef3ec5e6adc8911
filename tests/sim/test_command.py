"""`lbalgo simulate` and scenarios as TOML: everything can be said in a file, and what is wrong is said in one line."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

import lbalgo as lb
from lbalgo import plotting
from lbalgo.cli import main
from lbalgo.sim import (
    Bimodal,
    Board,
    Bursts,
    Cold,
    FailFast,
    Hedge,
    HotKey,
    Join,
    KeySequence,
    Leave,
    Pareto,
    Poisson,
    Probes,
    Scenario,
    Servers,
    Trace,
    read_toml,
    read_trace,
    run,
)

PATH = Path(__file__).parent / "scenario.toml"
TEXT = PATH.read_text()


def command(capsys, *argv):
    status = main(["simulate", *map(str, argv)])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_file_says_what_the_specifications_say():
    scenario = read_toml(TEXT)
    assert isinstance(scenario, Scenario) and len(scenario.endpoints) == 20
    assert scenario.changes[0] == FailFast(120.0, "odd", until=180.0)
    deployed = [(type(change), change.at, change.server) for change in scenario.changes[1:]]
    assert deployed == [
        (Leave, 400.0, "server-0"),
        (Cold, 420.0, "server-0"),
        (Join, 420.0, "server-0"),
        (Leave, 460.0, "server-1"),
        (Cold, 480.0, "server-1"),
        (Join, 480.0, "server-1"),
    ]
    assert isinstance(scenario.keys, HotKey) and scenario.keys.count == 1000
    assert scenario.retries.on == (lb.Outcome.GATEWAY_ERROR, lb.Outcome.LOCAL_ERROR)
    ejection, ramp = (make() for make in scenario.signals)
    assert isinstance(ejection, lb.OutlierEjection) and isinstance(ramp, lb.SlowStart)
    for part in (
        scenario.arrivals,
        scenario.service,
        scenario.keys,
        scenario.retries,
        *scenario.servers,
        *scenario.changes,
    ):
        assert type(part).from_dict(part.to_dict()) == part


def test_table_json_and_figure(capsys, tmp_path):
    result = run(read_toml(TEXT))
    status, out, _ = command(capsys, PATH, "--plot", tmp_path / "a.png")
    assert status == 0 and (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(rf"^arrived +{result.arrived:,}$", out, re.MULTILINE)
    assert re.search(r"^odd ", out, re.MULTILINE) and "latency p99.9" in out
    status, out, _ = command(capsys, PATH, "--json", "--runs", 2, "--seed", 5)
    told = json.loads(out)
    assert told["seed"] == 5 and len(told["runs"]) == 2
    assert told["runs"][0]["mean"] == run(read_toml(TEXT).but(seed=5)).mean
    assert command(capsys, PATH, "--runs", 3)[1].count("±") == 10


MORE = """
policy = "Prequal"
servers = [{ count = 3, slots = 2, sharing = true }]
duration = 60
arrivals = { type = "Bursts", rates = [1, 5], stays = [5, 2] }
service = { type = "Pareto", mean = 0.2, shape = 2.2 }
costs = { type = "Bimodal", short = 1, long = 9, share = 0.1 }
keys = { type = "KeySequence", keys = ["a", "b", "a"] }
hedge = { after = 1.5, independent = true }
probes = { delay = 0.01, says = "probe" }
histogram = true
"""


def test_everything_else_can_be_said_in_a_file_too():
    scenario = read_toml(MORE)
    assert scenario == Scenario(
        lb.Prequal(),
        Servers(3, slots=2, sharing=True),
        Bursts((1, 5), (5, 2)),
        60,
        Pareto(0.2, 2.2),
        costs=Bimodal(1, 9, 0.1),
        keys=KeySequence(("a", "b", "a")),
        hedge=Hedge(1.5, independent=True),
        probes=Probes(0.01),
        histogram=True,
    )
    assert run(scenario).histogram is not None
    board = TEXT[: TEXT.index("[[signals]]")] + "[board]\nperiod = 2.0\ndelay = 0.5\n"
    assert read_toml(board).board == Board(2.0, 0.5)
    said = set(re.findall(r"^(?:\[\[|\[)?(\w+)", TEXT + MORE + board, re.MULTILINE))
    elsewhere = {"network", "checks", "panic_below", "rows", "seed"}  # a file with the first two is in test_network
    assert {each.name for each in fields(Scenario)} <= said | elsewhere


def test_progress_is_shown_to_a_person(capsys, monkeypatch):
    assert "%" not in command(capsys, PATH)[2]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = command(capsys, PATH, "--runs", 2)[2]
    assert "run 1 of 2: 100 %" in err
    assert "run 2 of 2: " in err
    assert err.endswith("\r\x1b[K")


def test_nothing_that_json_does_not_know(capsys, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('policy = "Random"\nservers = 1\nduration = 0.001\narrivals = { type = "Poisson", rate = 0.001 }\n')
    told = json.loads(command(capsys, path, "--json")[1], parse_constant=pytest.fail)
    assert told["runs"][0]["mean"] is None
    assert "latency mean                       -" in command(capsys, path)[1]


def test_a_figure_of_utilisation_by_server():
    figure = plotting.plot_simulation(run(read_toml(TEXT).but(sample=None, duration=30.0, warmup=0.0)))
    assert figure.axes[1].get_ylabel() == "utilisation"


WRONG = [
    (TEXT + "[", "must be TOML"),
    (TEXT.replace("duration = 600.0", ""), "duration = None: is missing"),
    (TEXT.replace("duration = 600.0", "duration = -1"), "duration = -1"),
    (TEXT.replace("clients", "customers"), "customers = 3: is none of"),
    (TEXT.replace('"PowerOfTwo"', '"PowerOfThree"'), "policy.type = 'PowerOfThree': must be one of"),
    (TEXT.replace("choices = 2", "choices = 0"), "policy.choices = 0"),
    (TEXT.replace("choices = 2", "depth = 2"), "policy.depth = 2: is no field of PowerOfTwo"),
    (TEXT.replace('"LogNormal"', '"Normal"'), "service.type = 'Normal'"),
    (TEXT.replace("rates = [10, 20, 14]", "rates = [10, 20]"), "arrivals.times"),
    (TEXT.replace("rates = [10, 20, 14]", "rate = 1"), "arrivals.rate = 1"),
    (TEXT.replace("number = 3", "number = 3000"), "keys.number = 3000"),
    (TEXT.replace("count = 1000", "count = 0"), "keys.keys.count = 0"),
    (TEXT.replace("limit = 2", "limit = 0"), "retries.limit = 0"),
    (TEXT.replace('"LOCAL_ERROR"]', '"BAD_LUCK"]'), "'BAD_LUCK'"),
    (TEXT.replace("after = 20.0", "after = 0"), "timeout.after = 0"),
    (TEXT.replace("speed = 1.5", "speed = 0"), "servers[1].speed = 0"),
    (TEXT.replace("threshold = 5", "threshold = 0"), "signals[0].detectors[0].threshold = 0"),
    (TEXT.replace("ConsecutiveErrors", "Hunch"), "signals[0].detectors[0].type = 'Hunch'"),
    (TEXT.replace("window = 30.0", "window = -1"), "signals[1].window = -1"),
    (TEXT.replace('type = "SlowStart"', 'type = "Limits"'), "signals[1].type = 'Limits'"),
    (TEXT.replace("min_per_second", "per_hour"), "gates[0]"),
    (TEXT.replace('server = "odd"', 'server = "even"'), "no backend has the id 'even'"),
    (TEXT.replace("until = 180.0", "until = 80.0"), "changes[0].until = 80.0"),
    (TEXT.replace("away = 20.0", "away = 0.0"), "away = 0.0"),
    (TEXT.replace("away = 20.0", ""), "changes[1]"),
    (TEXT.replace('name = "odd"', 'name = "server"\ncount = 19'), "occurs more than once"),
]


@pytest.mark.parametrize(("text", "why"), WRONG, ids=[why for _, why in WRONG])
def test_what_is_wrong_is_said_in_one_line(capsys, tmp_path, text, why):
    path = tmp_path / "a.toml"
    path.write_text(text)
    status, out, err = command(capsys, path)
    assert status == 2 and out == "" and err.count("\n") == 1
    assert err.startswith(f"lbalgo: {path}: ") and why in err


CSV = "key,time,cost,agent\nx,1700000000.0,1.5,a\ny,1700000002.5,0.5,b\nx,1700000001.0,2,c\n"
JSON = "".join(
    json.dumps({"timestamp": at, "key": key, "cost": cost}) + "\n\n"
    for at, key, cost in ((9, "x", 1.5), (10, "x", 2), (11.5, "y", 0.5))
)


@pytest.mark.parametrize("text", [CSV, JSON])
def test_a_trace_is_replayed(capsys, tmp_path, text):
    trace = read_trace(text)
    assert trace == Trace((0.0, 1.0, 2.5), ("x", "x", "y"), (1.5, 2.0, 0.5))
    scenario = trace.into(Scenario(lb.Random(), 1, Poisson(1.0), duration=10.0, rows=True))
    result = run(scenario)
    assert [(began, ended) for began, ended, *_ in result.rows] == [(0.0, 1.5), (1.0, 3.5), (2.5, 4.0)]
    assert (result.repeated, result.moved) == (1, 0)
    (tmp_path / "trace").write_text(text)
    (tmp_path / "a.toml").write_text(
        'policy = "Random"\nservers = 1\nduration = 10\narrivals = { type = "Paced", rate = 1 }\n'
    )
    told = json.loads(command(capsys, tmp_path / "a.toml", "--trace", tmp_path / "trace", "--json")[1])
    assert told["runs"][0]["ended"] == 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must have a request"),
        ("time,key\n", "must have a request"),
        ("key\nx\n", "must have time"),
        ("time,key\n1,x\n2,\n", "line 3"),
        ("time\nsoon\n", "line 2: time"),
        ("time,cost\n1,-1\n", "line 2: cost"),
        ('{"time": 1}\n{"time": \n', "line 2"),
        ('{"time": 1}\n[1]\n', "line 2"),
        ('{"time": 1, "key": "a"}\n{"time": 2}\n', "line 2"),
        ("time\ninf\n", "line 2: time"),
    ],
)
def test_a_trace_that_is_none(text, why):
    with pytest.raises(lb.ConfigError, match=why):
        read_trace(text)


def test_wrong_options(capsys, tmp_path):
    for argv, why in (
        ((tmp_path / "none.toml",), "none.toml"),
        ((PATH, "--runs", 0), "--runs 0"),
        ((PATH, "--seed", -1), "seed = -1"),
        ((PATH, "--plot", "a.gif"), "must end in"),
    ):
        status, _, err = command(capsys, *argv)
        assert status == 2 and why in err
