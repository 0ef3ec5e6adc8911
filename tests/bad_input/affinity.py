"""The bad-input table: gates that remember and policies for flows; more stands with each of them in tests/gates."""

import lbalgo as lb
from tests.bad_input.rows import INF, NAN, WRONG_TYPE, bad_pools, config, nothing, pair, picker_state

SECRET = bytes(16)


def remembering():
    table = lb.FlowTable(8)
    table.pick(lb.Maglev(7).build(["a", "b"]), "k", now=5.0)
    return table


def flow_state(table):
    return table.snapshot(), table.stats(), table.deadline


PAIR = lb.Maglev(7).build(["a", "b"])

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    (
        "Sticky",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.Sticky(x), *config("secrets")) for x in (SECRET, None, (), 7)),
            *((lambda _, x=x: lb.Sticky((x,)), *config("secrets[0]")) for x in (b"short", "text, 16 letters", None)),
            (lambda _: lb.Sticky((SECRET, SECRET)), *config("secrets[1]")),
            *((lambda _, x=x: lb.Sticky((SECRET,), x), *config("pool", x)) for x in ("", 7, None)),
            *((lambda _, x=x: lb.Sticky((SECRET,), ttl=x), *config("ttl", x)) for x in (0.0, -1.0, NAN, INF, "1")),
            *((lambda _, x=x: lb.Sticky((SECRET,), idle=x), *config("idle", x)) for x in (0.0, -1.0, NAN, INF, "1")),
            *((lambda _, x=x: lb.Sticky((SECRET,), spill=x), *config("spill", x)) for x in (0.9, NAN, INF, "1")),
            *((lambda _, x=x: lb.Sticky((SECRET,), fallback=x), *config("fallback", x)) for x in ("PICK", None)),
            *((lambda _, x=x: lb.Sticky.from_dict(x, secrets=(SECRET,)), *config("Sticky", x)) for x in ([], None)),
            (lambda _: lb.Sticky.from_dict({"type": "Other"}, secrets=(SECRET,)), *config("type", "Other")),
            *((lambda _, t=t: lb.Sticky((SECRET,)).pick(PAIR, now=t), *config("now", t)) for t in (NAN, -1.0, None)),
            (lambda _: lb.Sticky((SECRET,)).pick(PAIR, 7, now=1.0), *config("cookie", 7)),
            (lambda _: lb.Sticky((SECRET,)).pick(PAIR, now=1.0, exclude="a"), *config("exclude", "a")),
        ],
    ),
    (
        "FlowTable",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.FlowTable(x), *config("capacity", x)) for x in (1, 2**24 + 1, 8.0, True, None)),
            *((lambda _, x=x: lb.FlowTable(8, x), *config("idle", x)) for x in (0.0, -1.0, NAN, INF, "1")),
        ],
    ),
    (
        "FlowTable",
        remembering,
        flow_state,
        [
            *((lambda t, x=x: t.pick(PAIR, "k", now=x), *config("now", x)) for x in (NAN, INF, None, "1")),
            *((lambda t, x=x: t.advance(x), *config("now", x)) for x in (NAN, INF, None, "1")),
            *((lambda t, x=x: t.pick(PAIR, x, now=9.0), *WRONG_TYPE) for x in (None, 1.5, True, ["k"])),
            *((lambda t, x=x: t.pick(PAIR, x, now=9.0), *config("key", x)) for x in (-1, 2**64, "\ud800")),
            (lambda t: t.pick(PAIR, "k", now=9.0, exclude="a"), *config("exclude", "a")),
            *((lambda t, x=x: t.restore(x, 9.0), *config("state", x)) for x in ({}, [], None, {"type": "FlowTable"})),
            *((lambda t, x=x: t.restore(t.snapshot(), x), *config("now", x)) for x in (NAN, None)),
        ],
    ),
    (
        "Jet",
        None,
        nothing,
        [
            *(
                (lambda _, p=p: lb.Jet(p), *config("policy", p))
                for p in (lb.Maglev(), lb.Rendezvous, "Rendezvous", None)
            ),
            (lambda _: lb.Jet(lb.Rendezvous(), "abc"), *config("horizon: backends", "abc")),
            (lambda _: lb.Jet(lb.Rendezvous(), ["a", "a"]), *config("horizon: id", "a")),
            (lambda _: lb.Jet(lb.Rendezvous(), [("a", -1.0)]), *config("horizon: weight", -1.0)),
            *bad_pools(lambda _, pool: lb.Jet(lb.Rendezvous()).build(pool)),
        ],
    ),
    (
        "Jet",
        pair(lb.Jet(lb.Rendezvous(), ["c"])),
        picker_state,
        [
            *((lambda p, k=k: p.pick_safe(k), *WRONG_TYPE) for k in (None, 1.5, True, ["k"])),
            *((lambda p, k=k: p.pick_safe(k), *config("key", k)) for k in (-1, 2**64, "\ud800")),
            (lambda p: p.pick_safe("k", exclude="a"), *config("exclude", "a")),
            (lambda p: p.must_track([1]), *config("tickets", [1])),
        ],
    ),
    (
        "SecondChance",
        None,
        nothing,
        [
            *((lambda _, x=x: lb.SecondChance(x), *config("secret")) for x in (b"short", "text, 16 letters", None)),
            *((lambda _, x=x: lb.SecondChance(SECRET, x), *config("rows", x)) for x in (0, 2**24 + 1, 8.0, True)),
            *((lambda _, x=x: lb.SecondChance(SECRET, seed=x), *config("seed", x)) for x in (-1, 2**64, None)),
            *((lambda _, x=x: lb.SecondChance(SECRET, hasher=x), *config("hasher", x)) for x in ("XXH64", 7)),
            (lambda _: lb.SecondChance(SECRET, 64).build({"a": 1.0, "b": 2.0}), *config("weights['b']", 2.0)),
            *bad_pools(lambda _, pool: lb.SecondChance(SECRET, 64).build(pool)),
        ],
    ),
    (
        "SecondChance",
        pair(lb.SecondChance(SECRET, 64)),
        picker_state,
        [
            *((lambda p, k=k: p.chances(k), *WRONG_TYPE) for k in (None, 1.5, True)),
            *((lambda p, k=k: p.row(k), *config("row", k)) for k in (-1, 64, True, "0")),
            (lambda p: p.pick("k", exclude="a"), *config("exclude", "a")),
            (lambda p: p.second_many([1]), *config("tickets", [1])),
        ],
    ),
]
