"""The bad-input table: policies by score; scorers and the prefix index are in tests/test_scores.py."""

import lbalgo as lb
from lbalgo.scores import LeastLoad
from tests.bad_input.rows import INF, NAN, NOBODY, bad_pools, config, nothing

POLICY = lb.ByScore([LeastLoad()])

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    (
        "ByScore",
        None,
        nothing,
        [
            *((lambda _, s=s: lb.ByScore(s), *config("scorers", s)) for s in ([], "ab", None, 7, {"a": 1})),
            *((lambda _, s=s: lb.ByScore([s]), *config("scorers[0]", s)) for s in (7, None, LeastLoad)),
            *((lambda _, w=w: lb.ByScore([(LeastLoad(), w)]), *config("scorers[0]", w)) for w in (NAN, INF, "1", None)),
            *((lambda _, c=c: lb.ByScore([LeastLoad()], c), *config("choose", c)) for c in (None, lb.Best, "best")),
            *bad_pools(lambda _, pool: POLICY.build(pool)),
            (lambda _: POLICY.build([]).pick(), *NOBODY["empty"]),
            (lambda _: POLICY.build({"a": 0.0}).pick(), *NOBODY["ineligible"]),
            (lambda _: POLICY.build(["a"]).pick(exclude=["a"]), *NOBODY["excluded"]),
            *((lambda _, e=e: POLICY.build(["a"]).pick(exclude=e), *config("exclude", e)) for e in ("a", b"a")),
            *((lambda _, x=x: POLICY.build(["a"]).reseed(x), *config("seed", x)) for x in (-1, 2**64, 1.0, None)),
        ],
    ),
    ("BestOf", None, nothing, [(lambda _, n=n: lb.BestOf(n), *config("choices", n)) for n in (0, -1, 1.5, True, None)]),
    (
        "Softmax",
        None,
        nothing,
        [(lambda _, t=t: lb.Softmax(t), *config("temperature", t)) for t in (0.0, -1.0, NAN, INF, "1", None)],
    ),
]
