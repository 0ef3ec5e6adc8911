"""The bad-input table: priorities and zones."""

import lbalgo as lb
from tests.bad_input.rows import INF, NAN, NOBODY, WRONG_TYPE, bad_pools, bad_seeds, config, nothing, pair, picker_state


def zone(*args, **more):
    return lb.ByZone(lb.Maglev(), "a", *args, **more)


def priority(*args, **more):
    return lb.ByPriority(lb.Maglev(), *args, **more)


# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *(
        (
            name,
            None,
            nothing,
            [
                *((lambda _, m=make, k=kind, p=p: k(p, *m), *config("policy", p)) for p in ("Maglev", None, lb.Maglev)),
                *bad_seeds(lambda seed, k=kind, m=make: k(lb.Maglev(), *m, seed=seed)),
                *(
                    (lambda _, k=kind, m=make, h=h: k(lb.Maglev(), *m, hasher=h), *config("hasher", h))
                    for h in (7, None)
                ),
                *bad_pools(lambda _, pool, k=kind, m=make: k(lb.Maglev(), *m).build(pool)),
                (lambda _, k=kind, m=make: k(lb.Maglev(), *m).build([]).pick(), *NOBODY["empty"]),
                (lambda _, k=kind, m=make: k(lb.Maglev(), *m).build({"a": 0.0}).pick(), *NOBODY["ineligible"]),
                (lambda _, k=kind, m=make: k(lb.Maglev(), *m).build(["a"]).pick(exclude=["a"]), *NOBODY["excluded"]),
            ],
        )
        for name, kind, make in (("ByPriority", lb.ByPriority, ()), ("ByZone", lb.ByZone, ("a",)))
    ),
    *(
        (
            type(policy).__name__,
            pair(policy),
            picker_state,
            [
                *((lambda p, e=e: p.pick("k", exclude=e), *config("exclude", e)) for e in ("a", b"a", "")),
                *((lambda p, e=e: p.pick("k", exclude=e), *WRONG_TYPE) for e in (7, None)),
                *((lambda p, x=x: p.reseed(x), *config("seed", x)) for x in (-1, 2**64, 1.0, "0", True, None)),
                *((lambda p, k=k: p.pick(k), *WRONG_TYPE) for k in (1.5, True, ["k"], object())),
                *((lambda p, k=k: p.walk(k), *WRONG_TYPE) for k in (1.5, True, ["k"])),
                *((lambda p, k=k: p.pick(k), *config("key", k)) for k in (-1, 2**64, "\ud800")),
            ],
        )
        for policy in (priority(), zone())
    ),
    (
        "ByPriority",
        None,
        nothing,
        [
            *(
                (lambda _, x=x: priority(x), *config("overprovisioning", x))
                for x in (0.99, 0, -1, NAN, INF, "1.4", None, True)
            ),
            (lambda _: lb.ByPriority.from_dict({}), *config("policy", None)),
            (lambda _: lb.ByPriority.from_dict({"policy": "Maglev", "more": 1}), *config("more", 1)),
        ],
    ),
    (
        "ByZone",
        None,
        nothing,
        [
            *((lambda _, z=z: lb.ByZone(lb.Maglev(), z), *config("zone", z)) for z in (None, 7, b"a")),
            *((lambda _, c=c: zone(c), *config("clients", c)) for c in ("ab", 7, {}, ["a"])),
            *(
                (lambda _, x=x: zone({"a": x}), *config("clients['a']", x))
                for x in (0, -1.0, NAN, INF, "1", None, True)
            ),
            (lambda _: zone({7: 1.0}), *config("clients", 7)),
            *((lambda _, n=n: zone(least=n), *config("least", n)) for n in (0, -1, 1.5, True, None)),
            (lambda _: lb.ByZone.from_dict({"policy": "Maglev"}), *config("zone", None)),
        ],
    ),
]
