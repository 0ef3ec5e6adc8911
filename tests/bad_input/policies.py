"""The bad-input table: policies and their pickers."""

import lbalgo as lb
from tests.bad_input.rows import (
    NOBODY,
    WRONG_TYPE,
    bad_dicts,
    bad_hashers,
    bad_picks,
    bad_pools,
    config,
    nothing,
    pair,
    picker_state,
)

ROUND, KEYED = (lb.RoundRobin, lb.WeightedRoundRobin, lb.Random), (lb.Maglev, lb.RingHash, lb.Rendezvous, lb.Jump)
LOADED = (lb.LeastLoaded, lb.LeastConnections, lb.PowerOfTwo)
POOLED = [(kind, bad_pools(lambda _, pool, kind=kind: kind().build(pool))) for kind in (*ROUND, *KEYED, *LOADED)]

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *((kind.__name__, None, nothing, rows) for kind, rows in POOLED),
    *((kind.__name__, None, nothing, bad_dicts(kind)) for kind in (*ROUND, *KEYED, *LOADED, lb.InFlight)),
    *((kind.__name__, pair(kind()), picker_state, bad_picks(keyed=False, bulk=True)) for kind in ROUND),
    *((kind.__name__, pair(kind()), picker_state, bad_picks(keyed=True, bulk=True)) for kind in KEYED),
    *((kind.__name__, pair(kind()), picker_state, bad_picks(keyed=False, bulk=False)) for kind in LOADED),
    *((kind.__name__, None, nothing, bad_hashers(kind)) for kind in KEYED),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [
                (lambda _, k=kind: k().build([]).pick(), *NOBODY["empty"]),
                (lambda _, k=kind: k().build({"a": 0.0}).pick(), *NOBODY["ineligible"]),
                (lambda _, k=kind: k().build(["a"]).pick(exclude=["a"]), *NOBODY["excluded"]),
            ],
        )
        for kind in (*ROUND, *KEYED, *LOADED)
    ),
    (
        "BoundedLoad",
        None,
        nothing,
        [
            *((lambda _, p=p: lb.BoundedLoad(p), *config("policy", p)) for p in ("Maglev", None, lb.Maglev)),
            *((lambda _, f=f: lb.BoundedLoad(lb.Maglev(), f), *config("factor", f)) for f in (0.99, "2", None, True)),
            (lambda _: lb.BoundedLoad(lb.PowerOfTwo()).build(["a"]), *config("policy", lb.PowerOfTwo())),
            *bad_pools(lambda _, pool: lb.BoundedLoad(lb.Rendezvous()).build(pool)),
        ],
    ),
    (
        "BoundedLoad",
        pair(lb.BoundedLoad(lb.Maglev())),
        picker_state,
        [
            *((lambda p, e=e: p.pick("k", exclude=e), *config("exclude", e)) for e in ("a", b"a", "")),
            *((lambda p, k=k: p.pick(k), *WRONG_TYPE) for k in (1.5, True, ["k"], object())),
            *((lambda p, k=k: p.walk(k), *WRONG_TYPE) for k in (1.5, True, ["k"])),
            *((lambda p, k=k: p.pick(k), *config("key", k)) for k in (-1, 2**64, "\ud800")),
            *((lambda p, x=x: p.reseed(x), *config("seed", x)) for x in (-1, 2**64, 1.0, "0", True, None)),
        ],
    ),
    (
        "Maglev",
        None,
        nothing,
        [
            *(
                (lambda _, n=n: lb.Maglev(n), *config("table_size", n))
                for n in (0, 1, -7, 4, 65536, 7.0, True, "7", None, 2**40 + 1)
            ),
            (lambda _: lb.Maglev(3).build(list("abcd")), *config("table_size", 3)),
            (lambda _: lb.Maglev(7).build({"a": 1.0, "b": 1e-9}), *config("weights['b']", 1e-9)),
        ],
    ),
    (
        "RingHash",
        None,
        nothing,
        [
            *((lambda _, n=n: lb.RingHash(points=n), *config("points", n)) for n in (0, -1, 1.5, True, None)),
            *((lambda _, n=n: lb.RingHash(max_points=n), *config("max_points", n)) for n in (0, 2**31, 1.5)),
            *((lambda _, x=x: lb.RingHash(lookup=x), *config("lookup", x)) for x in ("nearest", 1, None)),
            (lambda _: lb.RingHash(points=1).build({"a": 1.0, "b": 0.25}), *config("weights['b']", 0.25)),
            (lambda _: lb.RingHash(max_points=100).build({"a": 2.0}), *config("max_points", 100)),
            (lambda _: lb.RingHash.from_dict({"lookup": "FARTHEST"}), *config("lookup", "FARTHEST")),
        ],
    ),
    (
        "Jump",
        pair(lb.Jump()),
        picker_state,
        [
            (lambda p: lb.Jump().build({"a": 1.0, "b": 2.0}), *config("weights['b']", 2.0)),
            (lambda p: lb.Jump().build(["b", "a"], previous=p), *config("backends", ("b", "a"))),
            (lambda p: lb.Jump().build(["b"], previous=p), *config("backends", ("b",))),
        ],
    ),
    (
        "WeightedRoundRobin",
        None,
        nothing,
        [
            (lambda _, n=n: lb.WeightedRoundRobin(n), *config("max_period", n))
            for n in (0, -1, 2**24 + 1, 1.5, True, None)
        ],
    ),
    (
        "LeastLoaded",
        None,
        nothing,
        [(lambda _, x=x: lb.LeastLoaded(x), *config("load", x)) for x in (None, 7, lb.InFlight)],
    ),
    (
        "LeastLoaded",
        None,
        nothing,
        [(lambda _, x=x: lb.LeastLoaded(ties=x), *config("ties", x)) for x in ("first", None)],
    ),
    (
        "LeastConnections",
        None,
        nothing,
        [(lambda _, x=x: lb.LeastConnections(x), *config("ties", x)) for x in ("first", 1)],
    ),
    (
        "PowerOfTwo",
        None,
        nothing,
        [(lambda _, n=n: lb.PowerOfTwo(n), *config("choices", n)) for n in (0, 65, 1.5, True, None)],
    ),
    (
        "PowerOfTwo",
        None,
        nothing,
        [(lambda _, x=x: lb.PowerOfTwo(load=x), *config("load", x)) for x in (None, lb.InFlight)],
    ),
]
