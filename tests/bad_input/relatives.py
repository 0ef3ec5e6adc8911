"""The bad-input table: the relatives of the keyed policies, and heavy hitters; more stands in the tests of each."""

import lbalgo as lb
from tests.bad_input.rows import (
    INF,
    NAN,
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

KEYED = (lb.MultiProbe, lb.JumpBack, lb.StableTable)
OVER = (lb.TopK, lb.HotKeySpread)
BASES = ("Maglev", None, lb.Maglev, 7)
LAYOUT = lb.TableLayout.of(("a", "b"), [0, 1, 1], [0, 0, 1])


def counting():
    sketch = lb.HeavyHitters(3)
    for key in "aaabbcd":
        sketch.add(key)
    return sketch


def counted():
    picker = lb.HotKeySpread(lb.Rendezvous(), 2, 0.1).build(["a", "b"])
    picker.sketch.add("k", 500)
    return picker


def spread_state(picker):
    return picker_state(picker), picker.chance.state, picker.sketch.snapshot()


# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    *((kind.__name__, None, nothing, bad_pools(lambda _, pool, k=kind: k().build(pool))) for kind in KEYED),
    *((kind.__name__, None, nothing, bad_dicts(kind)) for kind in (*KEYED, *OVER)),
    *((kind.__name__, pair(kind()), picker_state, bad_picks(keyed=True, bulk=True)) for kind in KEYED),
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
        for kind in KEYED
    ),
    *(
        (
            kind.__name__,
            None,
            nothing,
            [
                *((lambda _, k=kind, p=p: k(p), *config("policy", p)) for p in BASES),
                *((lambda _, k=kind, n=n: k(lb.Maglev(), n), *config("k", n)) for n in (0, -1, 1.5, True, None)),
                (lambda _, k=kind: k(lb.PowerOfTwo()).build(["a"]), *config("policy", lb.PowerOfTwo())),
                *bad_pools(lambda _, pool, k=kind: k(lb.Rendezvous()).build(pool)),
                (lambda _, k=kind: k(lb.Rendezvous()).build([]).pick("k"), *NOBODY["empty"]),
                (
                    lambda _, k=kind: k(lb.Rendezvous()).build({"a": 0.0}).pick("k", exclude=["b"]),
                    *NOBODY["ineligible"],
                ),
                (lambda _, k=kind: k(lb.Rendezvous()).build(["a"]).pick("k", exclude=["a"]), *NOBODY["excluded"]),
            ],
        )
        for kind in OVER
    ),
    ("TopK", pair(lb.TopK(lb.Rendezvous(), 2)), picker_state, bad_picks(keyed=True, bulk=True)),
    (
        "HotKeySpread",
        counted,
        spread_state,
        [
            *((lambda p, e=e: p.pick("k", exclude=e), *config("exclude", e)) for e in ("a", b"a", "")),
            *((lambda p, k=k: p.pick(k), *WRONG_TYPE) for k in (1.5, True, ["k"], object())),
            *((lambda p, k=k: p.walk(k), *WRONG_TYPE) for k in (1.5, True, ["k"])),
            *((lambda p, k=k: p.pick(k), *config("key", k)) for k in (-1, 2**64, "\ud800")),
            *((lambda p, x=x: p.reseed(x), *config("seed", x)) for x in (-1, 2**64, 1.0, "0", True, None)),
            (lambda p: p.pick("k", exclude=["a", "b"]), *NOBODY["excluded"]),
        ],
    ),
    (
        "HotKeySpread",
        None,
        nothing,
        [
            *(
                (lambda _, s=s: lb.HotKeySpread(lb.Maglev(), share=s), *config("share", s))
                for s in (0, 1.1, "1", NAN, None)
            ),
            *(
                (lambda _, c=c: lb.HotKeySpread(lb.Maglev(), capacity=c), *config("capacity", c))
                for c in (99, 1.5, True)
            ),
            *(
                (lambda _, h=h: lb.HotKeySpread(lb.Maglev(), half_life=h), *config("half_life", h))
                for h in (0, "1", INF)
            ),
        ],
    ),
    ("TopK", None, nothing, [(lambda _, s=s: lb.TopK(lb.Maglev(), spread=s), *config("spread", s)) for s in (1, None)]),
    (
        "MultiProbe",
        None,
        nothing,
        [
            *((lambda _, n=n: lb.MultiProbe(n), *config("probes", n)) for n in (0, 1025, 1.5, True, None)),
            *((lambda _, n=n: lb.MultiProbe(points=n), *config("points", n)) for n in (0, -1, 1.5, True, None)),
            (lambda _: lb.MultiProbe().build({"a": 1.0, "b": 0.25}), *config("weights['b']", 0.25)),
        ],
    ),
    (
        "JumpBack",
        pair(lb.JumpBack()),
        picker_state,
        [
            (lambda p: lb.JumpBack().build({"a": 1.0, "b": 2.0}, previous=p), *config("weights['b']", 2.0)),
            *((lambda _, s=s: lb.JumpBack(seats=s), *config("seats", s)) for s in ("ab", b"ab", 7, None)),
            (lambda _: lb.JumpBack(seats=("a", 7)), *config("seats", 7)),
        ],
    ),
    (
        "StableTable",
        pair(lb.StableTable(3)),
        picker_state,
        [
            *((lambda _, n=n: lb.StableTable(n), *config("table_size", n)) for n in (0, 4, 7.0, True, None)),
            (lambda p: lb.StableTable(3).build(list("abcd"), previous=p), *config("table_size", 3)),
            (lambda _: lb.StableTable(7, layout=LAYOUT), *config("layout", LAYOUT)),
            (lambda _: lb.StableTable(3, layout=7), *config("TableLayout", 7)),
        ],
    ),
    (
        "TableLayout",
        lambda: LAYOUT,
        hash,
        [
            (lambda _: lb.TableLayout("ab", b"", b""), *config("ids", "ab")),
            (lambda _: lb.TableLayout(("b", "a"), bytes(4), bytes(4)), *config("ids", ("b", "a"))),
            (lambda _: lb.TableLayout(("a",), b"abc", b"abc"), *config("owners", b"abc")),
            (lambda _: lb.TableLayout(("a",), bytes(4), bytes(8)), *config("previous", bytes(8))),
            (lambda _: lb.TableLayout.of(("a",), [1], [0]), *config("owners", [1])),
            (lambda o: o.changed(None), *config("other", None)),
            (lambda o: o.owner_of(-1), *config("ticket", -1)),
            (lambda o: o.previous_of("0"), *WRONG_TYPE),
            *((lambda _, d=d: lb.TableLayout.from_dict(d), *config("TableLayout", d)) for d in ({}, [], None, 7)),
        ],
    ),
    (
        "HeavyHitters",
        counting,
        lambda s: s.snapshot(),
        [
            *((lambda _, c=c: lb.HeavyHitters(c), *config("capacity", c)) for c in (0, 2**24 + 1, 1.5, True, None)),
            *((lambda _, h=h: lb.HeavyHitters(3, h), *config("half_life", h)) for h in (0, -1.0, "1", INF, NAN)),
            *((lambda s, w=w: s.add("k", w), *config("weight", w)) for w in (0, -1, NAN, INF, "1", None, True)),
            *((lambda s, k=k: s.add(k), *config("key", k)) for k in (-1, 2**64, "\ud800")),
            *((lambda s, k=k: s.add(k), *WRONG_TYPE) for k in (1.5, None, True)),
            *((lambda s, x=x: s.above(x), *config("share", x)) for x in (0.3, 1.1, "1", NAN)),
            *((lambda s, t=t: s.restore(s.snapshot(), t), *config("now", t)) for t in (None, "1", INF)),
            *((lambda s, d=d: s.restore(d, 0.0), *config("state", d)) for d in ({}, [], None)),
            *((lambda s, o=o: s.merge(o), *config("other", o)) for o in (None, {})),
        ],
    ),
]
