"""The bad-input table: loads and what they are told."""

import lbalgo as lb
from tests.bad_input.rows import INF, NAN, bad_dicts, config, nothing

HERE = lb.Reported(blackout=0.0)
SPECS = (lb.PeakEwma, lb.LatencyEwma, lb.InFlightAge, lb.Reported, lb.FailurePenalty, lb.Blend, lb.Overdue)


def busy(spec):
    """A state with one request open in row 0, and a report where it listens to any."""

    def made():
        state = spec.start()
        state.started(0, 1.0, 1.0)
        if hasattr(state, "reported"):
            state.reported(0, lb.Report(0.5, at=1.0), 1.0)
        return state

    return made


def shown(state):
    return state.snapshot(), [state.at(row) for row in range(3)]


def bad_events(listens):
    """Events that every load refuses, and reports that those refuse that listen."""
    done = lb.Outcome.SUCCESS
    rows = [
        *((lambda s, r=r: s.started(r, 1.0, 2.0), *config("row", r)) for r in (-1, 2**31, True, None)),
        *((lambda s, c=c: s.started(0, c, 2.0), *config("cost", c)) for c in (NAN, INF, -1.0, "1")),
        *((lambda s, t=t: s.started(0, 1.0, t), *config("now", t)) for t in (NAN, INF, "1")),
        (lambda s: s.finished(1, done, 0.1, 2.0), *config("row", 1)),
        *((lambda s, x=x: s.finished(0, done, x, 2.0), *config("latency", x)) for x in (NAN, INF, -1.0)),
        *((lambda s, c=c: s.finished(0, done, 0.1, 2.0, c), *config("cost", c)) for c in (NAN, -1.0)),
        (lambda s: s.finished(0, "success", 0.1, 2.0), *config("outcome", "success")),
        *((lambda s, t=t: s.advance(t), *config("now", t)) for t in (NAN, -INF)),
        *((lambda s, x=x: s.restore(x, 2.0), *config("state", x)) for x in (None, {}, {"type": "Nope"})),
        *((lambda s, x=x: s.merge(x), *config("other", x)) for x in (None, 7)),
    ]
    if listens:
        rows += [(lambda s, x=x: s.reported(0, x, 2.0), *config("report", x)) for x in (None, {"utilisation": 0.5})]
        rows += [(lambda s, t=t: s.reported(0, lb.Report(0.9), t), *config("now", t)) for t in (NAN, INF)]
    return rows


STATES = {
    "PeakEwma": (lb.PeakEwma(), False),
    "LatencyEwma": (lb.LatencyEwma(), False),
    "InFlightAge": (lb.InFlightAge(HERE), True),
    "FailurePenalty": (lb.FailurePenalty(), False),
    "Reported": (HERE, True),
    "Blend": (lb.Blend(reports=HERE), True),
    "Overdue": (lb.Overdue(HERE), True),
    "Sum": (lb.Sum(lb.PeakEwma(), HERE), True),
    "Product": (lb.Product(lb.PeakEwma(), HERE), True),
}

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *((name, busy(spec), shown, bad_events(listens)) for name, (spec, listens) in STATES.items()),
    *((kind.__name__, None, nothing, bad_dicts(kind)) for kind in SPECS),
    (
        "Report",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.Report(x), *config("utilisation", x)) for x in (NAN, INF, -0.1, "1", None, True)),
            *((lambda _, x=x: lb.Report(0.5, x), *config("qps", x)) for x in (NAN, INF, -1.0, None)),
            *((lambda _, x=x: lb.Report(0.5, 1.0, x), *config("eps", x)) for x in (NAN, INF, -1.0, None)),
            *((lambda _, x=x: lb.Report(0.5, at=x), *config("at", x)) for x in (NAN, INF, "1", 1e300)),
        ],
    ),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [(lambda _, k=kind, x=x: k(x), *config("tau", x)) for x in (0.0, NAN, "1", None)],
        )
        for kind in (lb.PeakEwma, lb.LatencyEwma)
    ),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [(lambda _, k=kind, x=x: k(x), *config("load", x)) for x in (None, 7, lb.PeakEwma)],
        )
        for kind in (lb.InFlightAge, lb.FailurePenalty, lb.Overdue, lb.Sum, lb.Product)
    ),
]
