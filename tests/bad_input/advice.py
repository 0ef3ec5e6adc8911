"""The bad-input table: advice, and what it is asked about."""

import lbalgo as lb
from lbalgo.advice import Facts, Setup, Workload
from tests.bad_input.rows import INF, NAN, config, nothing

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    (
        "advise",
        None,
        nothing,
        [
            *((lambda _, a=a: lb.advise(a), *config("about", a)) for a in (None, 3, "haproxy.cfg", lb.Maglev())),
            *((lambda _, p=p: Setup(p), *config("policy", p)) for p in (3, "Maglev", lb.Maglev)),
            *((lambda _, s=s: Setup(signals=[s]), *config("signals", s)) for s in (None, lb.SlowStart, lb.Maglev())),
            *((lambda _, g=g: Setup(gates=[g]), *config("gates", g)) for g in (None, lb.Sticky, lb.SlowStart(30))),
            (lambda _: Setup(backends="abc"), *config("backends", "abc")),
            *((lambda _, v=v: Setup(panic_below=v), *config("panic_below", v)) for v in (-0.1, 1.1, NAN, "1")),
            *((lambda _, v=v: Setup(facts=v), *config("facts", v)) for v in (None, {})),
            *(
                (lambda _, n=n, v=v: Facts(**{n: v}), *config(n, v))
                for n in ("p99", "drain", "grace", "pre_stop", "propagation", "rate", "detect_within", "max_excess")
                for v in (-1.0, NAN, INF, "1", True)
            ),
            *((lambda _, v=v: Workload(v), *config("backends", v)) for v in (0, 1.0, True, None)),
            *((lambda _, v=v: Workload(load=v), *config("load", v)) for v in (0.0, 1.0, NAN, "1")),
        ],
    ),
]
