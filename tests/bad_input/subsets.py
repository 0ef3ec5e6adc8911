"""The bad-input table: subsets and the rules that choose them."""

import lbalgo as lb
from tests.bad_input.rows import bad_dicts, bad_pools, bad_seeds, config, nothing

SIZED = (lb.RandomSubset, lb.DeterministicSubset, lb.Ringsteady, lb.Rocksteadier)
COUNTS = (0, -1, 1.5, True, "3", None)
INDICES = (-1, 2**64, 1.5, True, "3", None)

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *((kind.__name__, None, nothing, bad_dicts(kind)) for kind in SIZED),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [
                *((lambda _, k=kind, n=n: k(size=n), *config("size", n)) for n in COUNTS),
                *((lambda _, k=kind, i=i: k(client=i), *config("client", i)) for i in INDICES),
            ],
        )
        for kind in SIZED
    ),
    ("Rocksteadier", None, nothing, [(lambda _, n=n: lb.Rocksteadier(lot=n), *config("lot", n)) for n in COUNTS]),
    (
        "Aperture",
        None,
        nothing,
        [
            *((lambda _, n=n: lb.Aperture(n, 0), *config("clients", n)) for n in COUNTS),
            *((lambda _, i=i: lb.Aperture(3, i), *config("client", i)) for i in (-1, 3, 1.5, True, None)),
            *((lambda _, n=n: lb.Aperture(3, 0, n), *config("size", n)) for n in COUNTS),
            *bad_seeds(lambda seed: lb.Aperture(3, 0, seed=seed)),
            (lambda _: lb.Aperture.from_dict({"clients": 3, "client": 0, "more": 1}), *config("more", 1)),
        ],
    ),
    (
        "Subset",
        None,
        nothing,
        [
            *(
                (lambda _, p=p: lb.Subset(p, lb.RandomSubset()), *config("policy", p))
                for p in ("Maglev", None, lb.Maglev)
            ),
            *((lambda _, r=r: lb.Subset(lb.Maglev(), r), *config("rule", r)) for r in ("x", None, lb.RandomSubset, 7)),
            *bad_pools(lambda _, pool: lb.Subset(lb.Maglev(), lb.RandomSubset()).build(pool)),
            *(
                (lambda _, d=d: lb.Subset.from_dict({"policy": lb.Maglev(), "rule": d}), *config("rule", d))
                for d in ({}, {"type": "Maglev"}, {"type": "View"}, {"type": "_members"})
            ),
            (lambda _: lb.Subset.from_dict({}), *config("policy", None)),
            (lambda _: lb.Subset.from_dict({"policy": "Maglev"}), *config("rule", None)),
            (lambda _: lb.Subset.from_dict({"policy": "Nobody"}, rule=lb.RandomSubset()), *config("policy", "Nobody")),
        ],
    ),
]
