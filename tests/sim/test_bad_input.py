"""What every specification of the simulator refuses, and the name of the parameter it refuses it by."""

import math

import numpy as np
import pytest

import lbalgo as lb
from lbalgo import sim

GOOD = {"policy": lb.Random(), "servers": 2, "arrivals": sim.Poisson(1.0), "duration": 10.0}
NOT_POSITIVE = (0.0, -1.0, math.nan, math.inf, "1", None, True)
NEGATIVE = (-1.0, math.nan, math.inf, "1", True)
NO_SHARE = (-0.1, 1.1, math.nan, "1", None)
NO_COUNT = (0, -1, 1.0, True, "1", None)


def scenario(**changes):
    return sim.Scenario(**{**GOOD, **changes})


ROWS = [
    *[(kind, "mean", NOT_POSITIVE) for kind in (sim.Exponential, sim.Constant, sim.LogNormal, sim.Pareto)],
    (lambda sigma: sim.LogNormal(1.0, sigma), "sigma", NOT_POSITIVE),
    (lambda shape: sim.Pareto(1.0, shape), "shape", (1.0, 0.5, math.nan, None)),
    (lambda short: sim.Bimodal(short, 1.0, 0.5), "short", NOT_POSITIVE),
    (lambda long: sim.Bimodal(1.0, long, 0.5), "long", NOT_POSITIVE),
    (lambda share: sim.Bimodal(1.0, 1.0, share), "share", NO_SHARE),
    (sim.Sampled, "values", ((), (0.0,), 3)),
    (lambda value: sim.Sampled((1.0, value)), "values[1]", NEGATIVE),
    (sim.InOrder, "values", ((), 3)),
    (sim.Recorded, "times", ((), 3)),
    (lambda time: sim.Recorded((1.0, time)), "times[1]", (0.5, -1.0, math.nan, "1")),
    (sim.Poisson, "rate", NOT_POSITIVE),
    (sim.Paced, "rate", NOT_POSITIVE),
    (lambda rates: sim.Bursts(rates, (1.0, 1.0)), "rates", ((0.0, 0.0), 1)),
    (lambda rate: sim.Bursts((1.0, rate), (1.0, 1.0)), "rates[1]", NEGATIVE),
    (lambda stays: sim.Bursts((1.0, 2.0), stays), "stays", ((1.0,), 1)),
    (lambda stay: sim.Bursts((1.0, 2.0), (1.0, stay)), "stays[1]", NOT_POSITIVE),
    (lambda times: sim.Ramp(times, (1.0, 2.0)), "times", ((0.0,), 1)),
    (lambda time: sim.Ramp((time, 5.0), (1.0, 2.0)), "times[0]", (1.0, -1.0, math.nan)),
    (lambda time: sim.Ramp((0.0, time), (1.0, 2.0)), "times[1]", (0.0, -1.0, math.nan)),
    (sim.UniformKeys, "count", NO_COUNT),
    (sim.ZipfKeys, "count", NO_COUNT),
    (lambda exponent: sim.ZipfKeys(5, exponent), "exponent", NEGATIVE),
    (lambda keys: sim.HotKey(keys, 0, 0.5, 0.0, 1.0), "keys", (5, None, sim.UniformKeys)),
    (lambda number: sim.HotKey(sim.UniformKeys(5), number, 0.5, 0.0, 1.0), "number", (5, -1, 1.0)),
    (lambda share: sim.HotKey(sim.UniformKeys(5), 0, share, 0.0, 1.0), "share", NO_SHARE),
    (lambda begins: sim.HotKey(sim.UniformKeys(5), 0, 0.5, begins, 1.0), "begins", NEGATIVE),
    (lambda ends: sim.HotKey(sim.UniformKeys(5), 0, 0.5, 2.0, ends), "ends", (1.0, math.nan)),
    (sim.KeySequence, "keys", ((), "abc", b"abc", 3)),
    (lambda key: sim.KeySequence(("a", key)), "keys[1]", (1.5, -1, 2**64, None, True)),
    (sim.Servers, "count", NO_COUNT),
    (lambda name: sim.Servers(1, name), "name", ("", 3, None)),
    *[(lambda value, n=n: sim.Servers(**{n: value}), n, NO_COUNT) for n in ("slots",)],
    (lambda speed: sim.Servers(speed=speed), "speed", NOT_POSITIVE),
    (lambda sharing: sim.Servers(sharing=sharing), "sharing", (1, "yes", None)),
    (lambda limit: sim.Servers(queue_limit=limit), "queue_limit", (-1, 1.0, True)),
    (lambda weight: sim.Servers(weight=weight), "weight", NEGATIVE),
    *[(lambda at, k=k: k(at, "a"), "at", NEGATIVE) for k in (sim.Join, sim.Leave, sim.Crash, sim.FailFast)],
    *[(lambda id, k=k: k(0.0, id), "server", ("", 3, None)) for k in (sim.Join, sim.Leave, sim.Crash, sim.FailFast)],
    *[(lambda until, k=k: k(5.0, "a", until=until), "until", (4.0, math.nan)) for k in (sim.Crash, sim.FailFast)],
    (lambda weight: sim.Weigh(0.0, "a", weight), "weight", NEGATIVE),
    (lambda speed: sim.Slow(0.0, "a", speed), "speed", NEGATIVE),
    (lambda share: sim.FailFast(0.0, "a", share), "share", NO_SHARE),
    (lambda after: sim.FailFast(0.0, "a", after=after), "after", NEGATIVE),
    (lambda outcome: sim.FailFast(0.0, "a", outcome=outcome), "outcome", (lb.Outcome.SUCCESS, "timeout")),
    (lambda share: sim.Faulty(0.0, "a", share), "share", NO_SHARE),
    (lambda outcome: sim.Crash(0.0, "a", outcome=outcome), "outcome", (lb.Outcome.CANCELLED, 3)),
    (lambda extra: sim.Cold(0.0, "a", extra, 1.0), "extra", NOT_POSITIVE),
    (lambda requests: sim.Cold(0.0, "a", 1.0, requests), "requests", NOT_POSITIVE),
    (lambda every: sim.deploy(["a"], at=0.0, every=every, away=1.0), "every", NOT_POSITIVE),
    (lambda away: sim.deploy(["a"], at=0.0, every=1.0, away=away), "away", NOT_POSITIVE),
    (lambda at: sim.deploy(["a"], at=at, every=1.0, away=1.0), "at", NEGATIVE),
    (sim.Checks, "work", NEGATIVE),
    (sim.Path, "there", (None, 1.0, "Constant")),
    (lambda back: sim.Path(sim.Constant(), back), "back", (1.0, "Constant")),
    *[(lambda v, n=n: sim.Path(sim.Constant(), **{n: v}), n, (3, b"a")) for n in ("from_zone", "to_zone", "server")],
    (lambda client: sim.Path(sim.Constant(), client=client), "client", (-1, 0.5, "a")),
    (sim.Network, "paths", ((), 3, None, ("a",), [None])),
    (lambda zones: sim.Network((sim.Path(sim.Constant()),), zones), "zones", ("ab", (3,), None)),
    (sim.Board, "period", NOT_POSITIVE),
    (lambda delay: sim.Board(1.0, delay), "delay", NEGATIVE),
    (sim.Timeout, "after", NOT_POSITIVE),
    (lambda stops: sim.Timeout(1.0, stops), "stops", (1, None)),
    (sim.Retries, "limit", NO_COUNT),
    (lambda pause: sim.Retries(3, pause), "pause", NEGATIVE),
    (lambda on: sim.Retries(3, on=on), "on", ("TIMEOUT", ["TIMEOUT"], 3)),
    (sim.Hedge, "after", NEGATIVE),
    (lambda stops: sim.Hedge(1.0, stops), "stops", (1, None)),
    (lambda independent: sim.Hedge(1.0, True, independent), "independent", (1, None)),
    (lambda says: sim.Reports(says, 1.0), "says", (None, "probe")),
    (lambda period: sim.Reports(sim.probe, period), "period", (0.0, -1.0, math.nan)),
    (lambda delay: sim.Reports(sim.probe, 1.0, delay), "delay", NEGATIVE),
    (sim.Probes, "delay", NEGATIVE),
    (lambda says: sim.Probes(0.0, says), "says", (None, "probe")),
    (lambda values: sim.interval(values), "values", ([], [1.0])),
    (lambda value: sim.interval([1.0, value]), "values[1]", (math.nan, "1")),
    (lambda confidence: sim.interval([1.0, 2.0], confidence), "confidence", (0.0, 1.0, 2.0, math.nan)),
    (lambda policy: scenario(policy=policy), "policy", (None, "Random", lb.Random, 3)),
    (lambda servers: scenario(servers=servers), "servers", (0, -1, 1.5, None)),
    (lambda one: scenario(servers=(sim.Servers(), one)), "servers[1]", ("a", 3, None)),
    (lambda arrivals: scenario(arrivals=arrivals), "arrivals", (5.0, None, sim.Poisson)),
    (lambda duration: scenario(duration=duration), "duration", NOT_POSITIVE),
    (lambda service: scenario(service=service), "service", (1.0, None, sim.Exponential)),
    (lambda warmup: scenario(warmup=warmup), "warmup", (-1.0, 11.0, math.nan)),
    (lambda clients: scenario(clients=clients), "clients", NO_COUNT),
    (lambda keys: scenario(keys=keys), "keys", (5, "abc", sim.UniformKeys)),
    (lambda costs: scenario(costs=costs), "costs", (5, sim.Exponential)),
    (lambda signals: scenario(signals=signals), "signals", (3,)),
    (lambda signal: scenario(signals=(signal,)), "signals[0]", (lb.SlowStart(5.0), 3)),
    (lambda gate: scenario(gates=(gate,)), "gates[0]", (lb.gates.Limits(), None)),
    (lambda panic_below: scenario(panic_below=panic_below), "panic_below", NO_SHARE),
    (lambda change: scenario(changes=(change,)), "changes[0]", ("Join", None, lb.Random())),
    *[(lambda part, n=n: scenario(**{n: part}), n, (5.0, "a")) for n in ("timeout", "retries", "hedge", "board")],
    *[(lambda part, n=n: scenario(**{n: part}), n, (5.0, "a")) for n in ("network", "checks")],
    *[(lambda part, n=n: scenario(**{n: part}), n, (5.0, "a")) for n in ("reports", "probes")],
    (lambda sample: scenario(sample=sample), "sample", (0.0, -1.0, math.nan)),
    (lambda histogram: scenario(histogram=histogram), "histogram", (1, None)),
    (lambda rows: scenario(rows=rows), "rows", (1, None)),
    (lambda seed: scenario(seed=seed), "seed", (-1, 2**64, 1.0, True, None)),
    (lambda scenario: sim.run(scenario), "scenario", (None, GOOD)),
    (lambda runs: sim.sweep({}, runs), "runs", NO_COUNT),
    (lambda data: sim.reading.read_scenario(data), "scenario", (None, 3)),
    (lambda q: sim.run(scenario()).quantile(q), "q", NO_SHARE),
    (lambda batches: sim.run(scenario()).interval(batches=batches), "batches", (1, 1.0, 10**6)),
]
CASES = [
    pytest.param(call, parameter, value, id=f"{k}-{parameter}-{value!r}"[:60])
    for k, (call, parameter, values) in enumerate(ROWS)
    for value in values
]


@pytest.mark.parametrize(("call", "parameter", "value"), CASES)
def test_it_is_refused_by_name(call, parameter, value):
    with pytest.raises(lb.ConfigError) as caught:
        call(value)
    assert caught.value.parameter == parameter


def test_who_does_not_exist_cannot_change():
    with pytest.raises(lb.UnknownBackend):
        scenario(changes=(sim.Join(1.0, "nobody"),))


def test_two_of_a_name():
    with pytest.raises(lb.DuplicateBackend):
        scenario(servers=(sim.Servers(), sim.Servers()))


def test_there_is_no_such_parameter():
    with pytest.raises(lb.ConfigError, match="tempo"):
        scenario().but(tempo=3)


@pytest.mark.parametrize("seed", [1.0, None, True, "1"])
def test_a_stream_has_an_integer_seed(seed):
    with pytest.raises(TypeError):
        sim.Stream(seed)


def test_streams_of_one_seed_and_purpose_are_equal_and_of_others_are_not():
    words = [sim.Stream(*args).words(100).tolist() for args in ((1, 0), (1, 0), (2, 0), (1, 1))]
    assert words[0] == words[1] and len({tuple(each) for each in words}) == 3
    for bad in (-1, 2**64):
        with pytest.raises(lb.ConfigError):
            sim.Stream(bad)
    assert np.all(sim.Stream(3).uniforms(1000) < 1.0)
