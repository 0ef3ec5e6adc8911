"""The bad-input table: probes, checks and their verdicts."""

import lbalgo as lb
from lbalgo import ConfigError, Outcome, State
from tests.bad_input.rows import (
    BIG,
    INF,
    NAN,
    bad_dicts,
    bad_seeds,
    bad_signal,
    bad_slots,
    bad_times,
    config,
    nothing,
    signal_state,
    twice,
)

DURATIONS = (0.0, -1.0, NAN, INF, "1", 1e-12)
COUNTS = (0, -1, 1.5, True, "3", None)
WRONG = {
    "check": (None, "tcp", lb.TcpCheck, 7),
    "interval": (*DURATIONS, None),
    "timeout": (*DURATIONS, None),
    "rise": COUNTS,
    "fall": (*COUNTS, 1_000_001),
    "fast_interval": DURATIONS,
    "down_interval": DURATIONS,
    "jitter": (-0.1, 0.51, NAN, "0", None),
    "spread": (-1.0, NAN, INF, "1", 1e-12),
    "initial": (State.DEGRADED, State.DRAINING, 0, "HEALTHY", None),
    "hold_share": (-0.1, 1.1, NAN, None),
    "hold_window": DURATIONS,
}


def probed():
    """A signal of "a" and "b", of which "a" is under way."""
    signal = lb.ActiveHealth(jitter=0, spread=0, fall=1)
    signal.sync(["a", "b"], 1.0)
    for probe in signal.take(1.0):
        if probe.id == "b":
            signal.advance(1.0)
            signal.reported(1, probe.result(lb.Verdict(True)), 1.5)
    return signal


def result():
    signal = lb.ActiveHealth(spread=0)
    signal.sync(["b"], 0.0)
    return signal.take(0.0)[0].result(lb.Verdict(True))


RESULT = result()

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *(
        (
            kind.__name__,
            None,
            nothing,
            [
                *((lambda _, k=kind, n=n, x=x: k(**{n: x}), *config(n, x)) for n, xs in WRONG.items() for x in xs),
                *bad_seeds(lambda seed, k=kind: k(seed=seed)),
            ],
        )
        for kind in (lb.ActiveHealth, lb.Probing)
    ),
    (
        "Probing",
        lb.Probing,
        repr,
        [
            *bad_dicts(lb.Probing),
            *((lambda p, n=n: p.probes_per_second(n), *config("backends", n)) for n in (-1, 1.0, True)),
            *((lambda p, n=n: p.probes_per_second(1, n), *config("probers", n)) for n in (-1, 1.0, True)),
            (lambda _: lb.Probing.from_dict({"check": {"type": "Ping"}}), *config("check")),
            (lambda _: lb.Probing.from_dict({"initial": "FINE"}), *config("state", "FINE")),
            (lambda _: lb.Probing.envoy(0.0, 1.0, 1, 1), *config("interval", 0.0)),
            (lambda _: lb.Probing.alb("/"), *config("check", "/")),
        ],
    ),
    (
        "ActiveHealth",
        probed,
        signal_state,
        [
            *bad_signal("ActiveHealth"),
            *bad_slots(lambda s, k: s.reported(k, RESULT, 9.0)),
            *bad_slots(lambda s, k: s.health(k)),
            *bad_times(lambda s, t: s.reported(1, RESULT, t)),
            *bad_times(lambda s, t: s.take(t)),
            (lambda s: s.reported(0, RESULT, 9.0), *config("report", RESULT)),
            *((lambda s, x=x: s.of(x), *config("spec", x)) for x in (None, 7, lb.Probing)),
            (lambda s: s.restore({**s.snapshot(), "away": {"c": 7}}, 9.0), ConfigError, {}),
            (lambda s: s.restore({**s.snapshot(), "away": {"a": [0, {}]}}, 9.0), *twice("a")),
            (lambda s: s.restore(damaged(s, health="FINE"), 9.0), ConfigError, {}),
            (lambda s: s.restore(damaged(s, health="DOWN"), 9.0), ConfigError, {}),
            (lambda s: s.restore(damaged(s, failing_for=1), 9.0), ConfigError, {}),
            (lambda s: s.restore(damaged(s, degraded=1), 9.0), ConfigError, {}),
            *((lambda s, n=n: s.restore(damaged(s, number=n), 9.0), ConfigError, {}) for n in (-1, BIG, 1.5)),
            *((lambda s, n=n: s.restore(damaged(s, due_in=n), 9.0), ConfigError, {}) for n in (-1, None, "0")),
            *((lambda s, n=n: s.restore(damaged(s, run=n), 9.0), ConfigError, {}) for n in (-1, None)),
        ],
    ),
    (
        "Verdict",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.Verdict(x), *config("passed", x)) for x in (1, None, "ok", Outcome.SUCCESS)),
            *((lambda _, x=x: lb.Verdict(False, x), *config("reason", x)) for x in (None, 503, b"x")),
            *((lambda _, x=x: lb.Verdict(False, "", x), *config("final", x)) for x in (None, 1)),
            (lambda _: lb.Verdict(True, "", True), *config("final", True)),
            *((lambda _, x=x: lb.Verdict(True, degraded=x), *config("degraded", x)) for x in (None, 1)),
            (lambda _: lb.Verdict(False, degraded=True), *config("degraded", True)),
        ],
    ),
    (
        "TcpCheck",
        lb.TcpCheck,
        repr,
        [
            *bad_dicts(lb.TcpCheck),
            *((lambda _, x=x: lb.TcpCheck(x), *config("send", x)) for x in ("PING", None, 7)),
            *((lambda _, x=x: lb.TcpCheck(expect=x), *config("expect", x)) for x in ("PONG", None, 7)),
            *((lambda c, x=x: c.judge(x), *config("received", x)) for x in ("PONG", None)),
        ],
    ),
    (
        "HttpCheck",
        lb.HttpCheck,
        repr,
        [
            *bad_dicts(lb.HttpCheck),
            *(
                (lambda _, x=x: lb.HttpCheck(x), *config("path", x))
                for x in ("", "h", "/a b", "/a\r\nX: y", "/é", None)
            ),
            *((lambda _, x=x: lb.HttpCheck(method=x), *config("method", x)) for x in ("", "GET ", "G\nT", None)),
            *((lambda _, x=x: lb.HttpCheck(host=x), *config("host", x)) for x in ("", "a\r\nb", 7)),
            *((lambda _, x=x: lb.HttpCheck(expected=x), *config("expected", x)) for x in ("200", 200, None)),
            *(
                (lambda _, x=x: lb.HttpCheck(expected=[x]), *config("expected", x))
                for x in (99, 1000, (300, 200), "2xx")
            ),
            (lambda _: lb.HttpCheck(expected=[]), *config("expected", ())),
            *((lambda _, x=x: lb.HttpCheck(retriable=x), *config("retriable", x)) for x in ("5xx", 503)),
            *((lambda _, x=x: lb.HttpCheck(body=x), *config("body", x)) for x in (b"ok", None, "\ud800")),
            *((lambda _, x=x: lb.HttpCheck(degraded=x), *config("degraded", x)) for x in (True, None, "x y", "é")),
            *((lambda c, x=x: c.judge(200, b"", x), *config("headers", x)) for x in ("date", b"date", 1)),
            *((lambda c, x=x: c.judge(200, b"", [x]), *config("headers", x)) for x in (b"date", "", None)),
            *((lambda c, x=x: c.judge(x), *config("status", x)) for x in (99, 1000, "200", None, True)),
            *((lambda c, x=x: c.judge(200, x), *config("body", x)) for x in ("ok", None)),
        ],
    ),
    (
        "GrpcCheck",
        lb.GrpcCheck,
        repr,
        [
            *bad_dicts(lb.GrpcCheck),
            *((lambda _, x=x: lb.GrpcCheck(x), *config("service", x)) for x in (None, 7, b"a")),
            *((lambda _, x=x: lb.GrpcCheck("", x), *config("authority", x)) for x in (7, "a b")),
            *((lambda c, x=x: c.judge(x), *config("serving", x)) for x in (-1, 4, "SERVING", None)),
            *((lambda c, x=x: c.judge(1, x), *config("code", x)) for x in (-1, 17, None)),
        ],
    ),
]


def damaged(signal, **fields):
    state = signal.snapshot()
    return {**state, "members": {**state["members"], "b": {**state["members"]["b"], **fields}}}
