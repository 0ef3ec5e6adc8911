"""The bad-input table: loads, signals and detectors, balancer and lease."""

import copy

import lbalgo as lb
from lbalgo import ConfigError, Outcome, State
from lbalgo.testing import FakeClock
from tests.bad_input.rows import (
    BIG,
    INF,
    NAN,
    WRONG_TYPE,
    bad_pools,
    bad_seeds,
    bad_signal,
    bad_times,
    balancer,
    balancer_state,
    busy_load,
    config,
    load_state,
    nothing,
    signal_state,
    synced,
    unknown,
)


def draining():
    life = lb.Lifecycle()
    life(lb.events.MembersChanged(0.0, ("a",), ()))
    life(lb.events.StateChanged(1.0, "a", State.HEALTHY, State.DRAINING))
    return life


# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    (
        "Lifecycle",
        draining,
        lambda life: life.places(),
        [
            *((lambda _, f=f: lb.Lifecycle(f), *config("forget_after", f)) for f in (NAN, INF, -1.0, "1", None)),
            *(
                (lambda life, c=c: life.count({"a": c}, 1.0), *config("in_flight['a']", c))
                for c in (-1, 1.0, True, None)
            ),
            *((lambda life, c=c: life.count(c, 1.0), *config("in_flight", c)) for c in (None, 7, ["a"])),
            *bad_times(lambda life, t: life.count({}, t)),
            (lambda life: life["b"], *unknown("b")),
        ],
    ),
    (
        "InFlight",
        busy_load,
        load_state,
        [
            *((lambda s, r=r: s.started(r, 1.0, 0.0), *config("row", r)) for r in (-1, 2**31, True, 1.0, "0", None)),
            *((lambda s, c=c: s.started(0, c, 0.0), *config("cost", c)) for c in (NAN, INF, -1.0, "1", None)),
            *bad_times(lambda s, t: s.started(0, 1.0, t)),
            *(
                (lambda s, r=r: s.finished(r, Outcome.SUCCESS, 0.1, 0.0), *config("row", r))
                for r in (-1, 1, True, None)
            ),
            *((lambda s, o=o: s.finished(0, o, 0.1, 0.0), *config("outcome", o)) for o in ("success", 0, None)),
            *(
                (lambda s, x=x: s.finished(0, Outcome.SUCCESS, x, 0.0), *config("latency", x))
                for x in (NAN, INF, -1.0, "1")
            ),
            *bad_times(lambda s, t: s.finished(0, Outcome.SUCCESS, 0.1, t)),
            *bad_times(lambda s, t: s.advance(t)),
            *((lambda s, r=r: s.at(r), *config("row", r)) for r in (-1, True, 0.0, None)),
            *((lambda s, r=r: s.restart(r), *config("row", r)) for r in (-1, True, 0.0, None)),
        ],
    ),
    (
        "SlowStart",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.SlowStart(x), *config("window", x)) for x in (0.0, -1.0, NAN, INF, "1", None, 1e-12)),
            *((lambda _, x=x: lb.SlowStart(1, x), *config("aggression", x)) for x in (0.0, -1.0, NAN, INF)),
            *((lambda _, x=x: lb.SlowStart(1, 1, x), *config("floor", x)) for x in (0.0, 1.1, NAN, -0.1)),
            *((lambda _, x=x: lb.SlowStart(1, steps=x), *config("steps", x)) for x in (0, 10001, 1.5, True)),
        ],
    ),
    ("SlowStart", lambda: synced(lb.SlowStart(10.0)), signal_state, bad_signal("SlowStart")),
    (
        "OutlierEjection",
        None,
        nothing,
        [
            *((lambda _, d=d: lb.OutlierEjection(d), *config("detectors", d)) for d in ("x", 7, None)),
            *((lambda _, d=d: lb.OutlierEjection([d]), *config("detectors[0]", d)) for d in (7, lb.SuccessRate, None)),
            (lambda _: lb.OutlierEjection([lb.ConsecutiveErrors(1), lb.ConsecutiveErrors(2)]), *config("detectors[1]")),
            *(
                (lambda _, n=n, x=x: lb.OutlierEjection(**{n: x}), *config(n, x))
                for n in ("interval", "base_ejection_time", "max_ejection_time")
                for x in (0.0, -1.0, NAN, INF, "1", None)
            ),
            (lambda _: lb.OutlierEjection(max_ejection_time=29.0), *config("max_ejection_time", 29.0)),
            *(
                (lambda _, x=x: lb.OutlierEjection(max_ejection_percent=x), *config("max_ejection_percent", x))
                for x in (-1, 101, NAN)
            ),
            *(
                (lambda _, x=x: lb.OutlierEjection(always_eject_one=x), *config("always_eject_one", x))
                for x in (1, None, "yes")
            ),
            *(
                (lambda _, x=x: lb.OutlierEjection(max_ejection_time_jitter=x), *config("max_ejection_time_jitter", x))
                for x in (-1, NAN)
            ),
            *bad_seeds(lambda seed: lb.OutlierEjection(seed=seed)),
        ],
    ),
    ("OutlierEjection", lambda: synced(lb.OutlierEjection()), signal_state, bad_signal("OutlierEjection")),
    *(
        (kind.__name__, None, nothing, [(lambda _, k=kind, n=n, x=x: k(**{n: x}), *config(n, x)) for x in values])
        for kind, n, values in (
            (lb.ConsecutiveErrors, "threshold", (0, -1, 1.5, True, None)),
            (lb.ConsecutiveGatewayErrors, "threshold", (0, -1, 1.5, True, None)),
            (lb.FailurePercentage, "threshold", (0.0, 100.5, NAN, "85")),
            (lb.SuccessRate, "stdev_factor", (-0.1, NAN, INF)),
            (lb.SuccessRate, "minimum_hosts", (0, 1.5, True)),
            (lb.SuccessRate, "request_volume", (0, 1.5, True)),
            (lb.FailurePercentage, "minimum_hosts", (0, 1.5)),
            (lb.FailurePercentage, "request_volume", (0, 1.5)),
            (lb.Statistical, "false_ejections", (0, -1, 1.1, NAN, "1")),
            (lb.Sequential, "healthy", (0, -0.1, NAN)),
            (lb.FailureEwma, "window", (0.0, -1.0, NAN, "1")),
            (lb.LatencyQuantile, "quantile", (0, 1.0, NAN)),
            (lb.Breaker, "probes", (0, 1.5, True)),
        )
    ),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [(lambda _, k=kind, x=x: k(enforcement=x), *config("enforcement", x)) for x in (-1, 101, NAN)],
        )
        for kind in (lb.ConsecutiveErrors, lb.ConsecutiveGatewayErrors, lb.FailurePercentage, lb.SuccessRate)
    ),
    ("Balancer", None, nothing, bad_pools(lambda _, pool: lb.Balancer(lb.Maglev(251), pool, seed=1))),
    (
        "Balancer",
        None,
        nothing,
        [
            *((lambda _, p=p: lb.Balancer(p, ["a"]), *config("policy", p)) for p in (None, 7, "maglev")),
            (lambda _: lb.Balancer(lb.Maglev(), ["a"], signals=7), *config("signals", 7)),
            *(
                (lambda _, s=s: lb.Balancer(lb.Maglev(), ["a"], signals=[s]), *config("signals[0]", s))
                for s in (7, None, lb.SlowStart)
            ),
            *((lambda _, c=c: lb.Balancer(lb.Maglev(), ["a"], clock=c), *config("clock", c)) for c in (None, 5.0)),
            *(
                (lambda _, s=s: lb.Balancer(lb.Maglev(), ["a"], seed=s), *config("seed", s))
                for s in (-1, BIG, 1.0, "0", True)
            ),
            *(
                (lambda _, x=x: lb.Balancer(lb.Maglev(), ["a"], panic_below=x), *config("panic_below", x))
                for x in (-0.1, 1.1, NAN)
            ),
            *(
                (lambda _, x=x: lb.Balancer(lb.Maglev(), ["a"], forget_after=x), *config("forget_after", x))
                for x in (-1.0, NAN, "1")
            ),
            *(
                (lambda _, x=x: lb.Balancer(lb.Maglev(), ["a"], on_event=x), *config("on_event", x))
                for x in (7, "print")
            ),
        ],
    ),
    ("Balancer", balancer, balancer_state, bad_pools(lambda o, pool: o.update(pool))),
    (
        "Balancer",
        balancer,
        balancer_state,
        [
            *((lambda o, k=k: o.acquire(k), *WRONG_TYPE) for k in (1.5, True, ["k"])),
            *((lambda o, k=k: o.acquire(k), *config("key", k)) for k in (-1, BIG)),
            *((lambda o, e=e: o.acquire("k", exclude=e), *config("exclude", e)) for e in ("a", b"a")),
            *((lambda o, c=c: o.acquire("k", cost=c), *config("cost", c)) for c in (NAN, INF, -1.0, "1", None)),
            *((lambda o, t=t: o.advance(t), *config("now", t)) for t in (NAN, INF, -INF, "0")),
            (lambda o: o.update({"a": 1.0, "b": 1e-9}), *config("weights['b']", 1e-9)),
            (lambda o: o.report("z", {}), *unknown("z")),
            *((lambda o, d=d: o.restore(d), ConfigError, {}) for d in ({}, [], None, "x")),
        ],
    ),
    (
        "Lease",
        lambda: lb.Balancer(lb.Maglev(251), ["a"], clock=FakeClock(5.0), seed=1).acquire("k"),
        repr,
        [
            *((lambda o, x=x: o.done(x), *config("outcome", x)) for x in ("success", 0, True)),
            *((lambda o, x=x: o.done(latency=x), *config("latency", x)) for x in (NAN, INF, -1.0, "1")),
            *((lambda o, x=x: o.done(retry_after=x), *config("retry_after", x)) for x in (NAN, INF, -1.0, "1")),
            *((lambda o, x=x: o.status(x), *config("status", x)) for x in (99, 600, True, "200", None)),
            (lambda o: lb.Lease(), *WRONG_TYPE),
            (copy.copy, *WRONG_TYPE),
        ],
    ),
]
