"""The bad-input table: drains, close plans, the times of a deploy, findings."""

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.closing import Connection, Protocol, Stage
from lbalgo.signals import OpenLeases
from tests.bad_input.rows import INF, NAN, bad_dicts, bad_signal, bad_slots, bad_times, config, nothing, signal_state

BEGIN = lb.DrainOrder.BEGIN
BUSY = Connection(Protocol.HTTP2, open=1, last=3)
TIMES = {"p99": 1.0, "drain": 2.0, "grace": 9.0, "pre_stop": 3.0, "propagation": 3.0}
TEXTS = {"field": "drain", "consequence": "short", "fix": "longer"}


def draining():
    """A signal of "a", which drains, and "b"."""
    signal = lb.Drain(30.0)
    signal.sync(["a", "b"], 1.0)
    signal.reported(0, BEGIN, 2.0)
    return signal


def record(**changes):
    return {"phase": "DRAINING", "draining_for": 5, **changes}


# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    (
        "Drain",
        None,
        nothing,
        [
            *((lambda _, d=d: lb.Drain(d), *config("deadline", d)) for d in (0.0, -1.0, NAN, INF, "1", None, 1e-12)),
            *((lambda _, s=s: lb.Drain(sticky=s), *config("sticky", s)) for s in (None, 1, "yes")),
        ],
    ),
    (
        "Drain",
        draining,
        signal_state,
        [
            *bad_signal("Drain"),
            *bad_slots(lambda s, k: s.reported(k, BEGIN, 9.0)),
            *bad_slots(lambda s, k: s.phase(k)),
            *bad_times(lambda s, t: s.reported(0, BEGIN, t)),
            *((lambda s, n=n: s.reported(0, OpenLeases(n), 9.0), *config("count", n)) for n in (-1, True, 1.5, None)),
            *(
                (lambda s, r=r: s.restore({**s.snapshot(), "members": {"a": r}}, 9.0), ConfigError, {})
                for r in (record(phase="GONE"), record(phase="SERVING"), record(draining_for=None), record(more=1))
            ),
        ],
    ),
    (
        "close_plan",
        None,
        nothing,
        [
            *((lambda _, c=c: lb.close_plan(c, 0.0, 9.0), *config("connection", c)) for c in (None, Protocol.HTTP2)),
            *bad_times(lambda _, t: lb.close_plan(BUSY, t, 9.0)),
            *bad_times(lambda _, t: lb.close_plan(BUSY, 0.0, t), "deadline"),
            *(
                (lambda _, n=n, v=v: lb.close_plan(BUSY, 0.0, 9.0, **{n: v}), *config(n, v))
                for n in ("round_trip", "idle", "linger")
                for v in (-1.0, NAN, INF, "1", None)
            ),
            *((lambda _, v=v: Connection(v), *config("protocol", v)) for v in ("HTTP/2", None)),
            *((lambda _, v=v: Connection(Protocol.HTTP1, open=v), *config("open", v)) for v in (-1, 2, True, None)),
            *((lambda _, v=v: Connection(Protocol.HTTP2, last=v), *config("last", v)) for v in (0, 2, 2**31, True)),
            *((lambda _, v=v: Connection(Protocol.HTTP3, last=v), *config("last", v)) for v in (-4, 2, 2**62 - 4)),
            (lambda _: Connection(Protocol.HTTP1, stage=Stage.NOTIFIED), *config("stage", Stage.NOTIFIED)),
        ],
    ),
    (
        "check_drain",
        None,
        nothing,
        [
            (lambda _, n=n, v=v: lb.check_drain(**{**TIMES, n: v}), *config(n, v))
            for n in TIMES
            for v in (-1.0, NAN, INF, "1", None, True)
        ],
    ),
    (
        "Finding",
        None,
        nothing,
        [
            *(
                (lambda _, n=n, v=v: lb.Finding(**{**TEXTS, n: v}), *config(n, v))
                for n in TEXTS
                for v in ("", None, b"x", 7)
            ),
            *((lambda _, v=v: lb.Finding(**TEXTS, severity=v), *config("severity", v)) for v in (2, "ERROR", None)),
            (lambda _: lb.Finding.from_dict({**TEXTS, "severity": "BAD"}), *config("severity", "BAD")),
            *bad_dicts(lb.Finding),
        ],
    ),
]
