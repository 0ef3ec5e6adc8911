"""The bad-input table: policies that are told things, and what they are told."""

import lbalgo as lb
from lbalgo import Outcome
from lbalgo.loads import InFlight, Reported
from lbalgo.report import Report
from tests.bad_input.rows import (
    INF,
    NAN,
    NOBODY,
    WRONG_TYPE,
    bad_dicts,
    bad_pools,
    bad_times,
    config,
    nothing,
    pair,
    picker_state,
)

POLICIES = {
    lb.Prequal: lb.Prequal(),
    lb.JoinIdleQueue: lb.JoinIdleQueue(told=True),
    lb.C3: lb.C3(),
    lb.AdaptiveChoices: lb.AdaptiveChoices(Reported(), 0.1),
    lb.WeightedByReport: lb.WeightedByReport(),
}
SAID = {  # what each is told, and what not
    lb.Prequal: (lb.Probe(1, 0.1), Report(0.5)),
    lb.JoinIdleQueue: (lb.Idle(), Report(0.5)),
    lb.C3: (lb.Feedback(1, 0.1), Report(0.5)),
    lb.AdaptiveChoices: (Report(0.5), lb.Idle()),
    lb.WeightedByReport: (Report(0.5), lb.Idle()),
}
REALS = (NAN, INF, -1.0, "1", None, True)


def fields(make, name, values):
    """Rows for a field of a specification."""
    return [(lambda _, v=v: make(**{name: v}), *config(name, v)) for v in values]


def live(load):
    """The load itself, whatever adapts it."""
    return getattr(load, "load", load) if type(load).__name__ == "ForeignLoad" else load


def facts(picker):
    """The picker's state, and what its load says of the pair."""
    load = live(picker.load)
    kept = load.snapshot() if hasattr(load, "snapshot") else None
    return picker_state(picker), [load.at(row) for row in range(3)], kept


def bad_loads(said, wrong):
    """Rows for the live load of a picker of two."""
    ok = Outcome.SUCCESS
    return [
        *((lambda p, r=r: live(p.load).reported(0, r, 1.0), *config("report", r)) for r in (wrong, None, "busy", 0.5)),
        *((lambda p, r=r: live(p.load).reported(r, said, 1.0), *config("row", r)) for r in (-1, 2**31, 1.0, True, "0")),
        *bad_times(lambda p, t: live(p.load).reported(0, said, t)),
        *((lambda p, r=r: p.load.started(r, 1.0, 1.0), *config("row", r)) for r in (-1, 2**31, 1.0, True)),
        *((lambda p, c=c: p.load.started(0, c, 1.0), *config("cost", c)) for c in (NAN, INF, -1.0)),
        (lambda p: p.load.finished(0, ok, None, 1.0), *config("row", 0)),
        (lambda p: p.load.finished(0, "success", None, 1.0), *config("outcome", "success")),
        *((lambda p, x=x: p.load.finished(0, ok, x, 1.0), *config("latency", x)) for x in (NAN, INF, -1.0)),
        *bad_times(lambda p, t: p.load.advance(t)),
    ]


# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *((k.__name__, None, nothing, bad_pools(lambda _, pool, p=p: p.build(pool))) for k, p in POLICIES.items()),
    *((k.__name__, None, nothing, bad_dicts(k)) for k in (*POLICIES, lb.OrcaWeights, lb.PidWeights)),
    *((k.__name__, pair(p), facts, bad_loads(*SAID[k])) for k, p in POLICIES.items()),
    *(
        (
            kind.__name__,
            pair(policy),
            picker_state,
            [
                *((lambda p, e=e: p.pick(exclude=e), *config("exclude", e)) for e in ("a", b"a")),
                *((lambda p, e=e: p.pick(exclude=e), *WRONG_TYPE) for e in (7, None)),
                *((lambda p, x=x: p.reseed(x), *config("seed", x)) for x in (-1, 2**64, 1.0, "0", True, None)),
                (lambda _, p=policy: p.build([]).pick(), *NOBODY["empty"]),
                (lambda _, p=policy: p.build({"a": 0.0}).pick(), *NOBODY["ineligible"]),
                (lambda _, p=policy: p.build(["a"]).pick(exclude=["a"]), *NOBODY["excluded"]),
            ],
        )
        for kind, policy in POLICIES.items()
    ),
    (
        "Prequal",
        None,
        nothing,
        [
            *(row for name in ("probes", "remove", "delta") for row in fields(lb.Prequal, name, (*REALS, 65.0))),
            *fields(lb.Prequal, "pool", (1, 0, 1025, 2.5, "16", None, True)),
            *fields(lb.Prequal, "age", (*REALS, 0.0)),
            *fields(lb.Prequal, "quantile", (*REALS, 1.5)),
            *fields(lb.Prequal, "aversion", (*REALS, 0.0, 1.5)),
            *fields(lb.Prequal, "tau", (*REALS, 0.0)),
            (lambda _: lb.Prequal().to_probe(lb.PowerOfTwo().build(["a"])), *config("picker")),
            (lambda _: lb.Prequal().to_probe(lb.Prequal(pool=4).build(["a"])), *config("picker")),
        ],
    ),
    (
        "Probe",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.Probe(x, 0.1), *config("rif", x)) for x in (*REALS, 1e16)),
            *((lambda _, x=x: lb.Probe(1, x), *config("latency", x)) for x in (*REALS, 1e16)),
        ],
    ),
    (
        "JoinIdleQueue",
        None,
        nothing,
        [
            *fields(lb.JoinIdleQueue, "told", (1, None, "yes")),
            *fields(lb.JoinIdleQueue, "room", (0, -1, 2**31, 1.5, True, None)),
            *fields(lb.JoinIdleQueue, "choices", (0, 65, 1.5, True, None)),
        ],
    ),
    (
        "RandomAperture",
        None,
        nothing,
        [
            *fields(lb.RandomAperture, "client", (-1, 2**64, 1.5, True, None)),
            *fields(lb.RandomAperture, "low", (*REALS, 0.0)),
            *fields(lb.RandomAperture, "high", (*REALS, 0.875)),
            *fields(lb.RandomAperture, "smooth", (*REALS, 0.0)),
            *fields(lb.RandomAperture, "least", (0, 2**31, 1.5, True, None)),
            *fields(lb.RandomAperture, "most", (0, 2**31, 1.5, True, None)),
            (lambda _: lb.RandomAperture(least=5, most=4), *config("most", 4)),
            *fields(lb.RandomAperture, "choices", (0, 65, 1.5, True, None)),
            *bad_dicts(lb.RandomAperture),
            *bad_pools(lambda _, pool: lb.RandomAperture().build(pool)),
        ],
    ),
    ("Idle", None, nothing, [(lambda _: lb.Idle(1), TypeError, {})]),
    (
        "C3",
        None,
        nothing,
        [
            *fields(lb.C3, "clients", (*REALS, 0.5)),
            *fields(lb.C3, "alpha", (*REALS, 0.0, 1.5)),
            *fields(lb.C3, "exponent", (*REALS, 0.5, 11.0)),
            *fields(lb.C3, "choices", (0, 65, 1.5, True)),
            *fields(lb.C3, "tau", (*REALS, 0.0)),
            *fields(lb.C3, "penalty", REALS),
        ],
    ),
    (
        "Feedback",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.Feedback(x, 0.1), *config("queue", x)) for x in (*REALS, 1e16)),
            *((lambda _, x=x: lb.Feedback(1, x), *config("service_time", x)) for x in (*REALS, 1e16)),
        ],
    ),
    (
        "AdaptiveChoices",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.AdaptiveChoices(x, 1.0), *config("load", x)) for x in (None, 7, InFlight)),
            *((lambda _, x=x: lb.AdaptiveChoices(Reported(), x), *config("service_time", x)) for x in (*REALS, 0.0)),
            *(
                (lambda _, w=w: lb.AdaptiveChoices(Reported(), 1.0, w), *config("widths", w))
                for w in (None, 3, [(1.0, 2)], ((1.0,),), "x", ((1.0, 2, 3),), (7,))
            ),
            (lambda _: lb.AdaptiveChoices(Reported(), 1.0, ((1.0, 1),)), *config("widths[0][1]", 1)),
            (lambda _: lb.AdaptiveChoices(Reported(), 1.0, ((NAN, 2),)), *config("widths[0][0]", NAN)),
            (lambda _: lb.AdaptiveChoices(InFlight(), 1.0).build(["a"]), *config("load", InFlight())),
        ],
    ),
    (
        "WeightedByReport",
        None,
        nothing,
        [
            *((lambda _, r=r: lb.WeightedByReport(r), *config("rule", r)) for r in (None, 7, "orca", lb.OrcaWeights)),
            (lambda _: lb.WeightedByReport.from_dict({"rule": {"type": "View"}}), *config("rule", {"type": "View"})),
        ],
    ),
    (
        "OrcaWeights",
        None,
        nothing,
        [
            *fields(lb.OrcaWeights, "blackout", REALS),
            *fields(lb.OrcaWeights, "expiry", (*REALS, 0.0)),
            *fields(lb.OrcaWeights, "period", (*REALS, 0.0)),
            *fields(lb.OrcaWeights, "errors", REALS),
            *fields(lb.OrcaWeights, "most", (*REALS, 0.5)),
        ],
    ),
    (
        "PidWeights",
        None,
        nothing,
        [
            *(r for g in ("proportional", "integral", "derivative") for r in fields(lb.PidWeights, g, (*REALS, 11.0))),
            *fields(lb.PidWeights, "hot", (*REALS, 0.0)),
            *fields(lb.PidWeights, "expiry", (*REALS, 0.0)),
            *fields(lb.PidWeights, "period", (*REALS, 0.0)),
            *fields(lb.PidWeights, "errors", REALS),
            *fields(lb.PidWeights, "most", (*REALS, 0.5)),
        ],
    ),
]
