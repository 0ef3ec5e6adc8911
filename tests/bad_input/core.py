"""The bad-input table: endpoints, views, keys and hashes, outcomes, the clock of the tests."""

import numpy as np

import lbalgo as lb
from lbalgo import Outcome, State
from lbalgo.testing import FakeClock
from tests.bad_input.rows import (
    BIG,
    INF,
    NAN,
    WRONG_TYPE,
    Own,
    bad_pools,
    bad_seeds,
    bad_times,
    bad_weights,
    config,
    nothing,
    picker_state,
    twice,
    unknown,
    view_state,
)

# name of what is covered, how to make one (or None), its whole state, rows of (call, error, attributes)
TABLE = [
    ("Endpoint", None, nothing, bad_weights("weight", lambda w: lb.Endpoint("a", w))),
    (
        "Endpoint",
        None,
        nothing,
        [(lambda _, i=i: lb.Endpoint(i), *config("id", i)) for i in ("", 7, None, b"a", "\udfff")],
    ),
    (
        "Endpoint",
        None,
        nothing,
        [
            (lambda _: lb.Endpoint("a", zone=7), *config("zone", 7)),
            *((lambda _, p=p: lb.Endpoint("a", priority=p), *config("priority", p)) for p in (-1, 1.0, True, "0")),
            *(
                (lambda _, m=m: lb.Endpoint("a", metadata=m), *config("metadata", m))
                for m in ({}, [], (("k",),), (("k", 1),))
            ),
        ],
    ),
    (
        "explain",
        lambda: lb.Maglev(7).build(["a", "b"]),
        picker_state,
        [
            *((lambda p, k=k: lb.explain(p, k), *WRONG_TYPE) for k in (1.5, True, ["k"])),
            *((lambda p, k=k: lb.explain(p, k), *config("key", k)) for k in (-1, BIG, "\ud800")),
        ],
    ),
    ("View", None, nothing, bad_pools(lambda _, pool: lb.View.of(pool))),
    (
        "View",
        None,
        nothing,
        [
            *bad_weights("weights['a']", lambda w: lb.View.of(["a"], weights={"a": w})),
            *(
                (lambda _, f=f: lb.View.of(["a"], factors={"a": f}), *config("factors['a']", f))
                for f in (0.0, -0.5, 1.0000001, NAN, INF, "1", None, True)
            ),
            *(
                (lambda _, s=s: lb.View.of(["a"], states={"a": s}), *config("states['a']", s))
                for s in (4, -1, "DRAINING", 1.0, None)
            ),
            *(
                (lambda _, c=c: lb.View.of(["a"], **{c: {"z": 1}}), *unknown("z"))
                for c in ("weights", "factors", "states")
            ),
            *(
                (lambda _, c=c: lb.View.of(["a"], **{c: [1]}), *config(c, [1]))
                for c in ("weights", "factors", "states")
            ),
            (lambda _: lb.View.of(["a"], weights={("a",): 1}), *unknown(("a",))),
            *(
                (lambda _, p=p: lb.View.of(["a"], panic_below=p), *config("panic_below", p))
                for p in (-0.1, 1.1, NAN, "0.5", None)
            ),
            (lambda _: lb.View([Own("a")], np.ones(2), np.ones(1), np.zeros(1)), *config("weights")),
            (lambda _: lb.View([Own("a")], np.array([NAN]), np.ones(1), np.zeros(1)), *config("weights['a']")),
            (lambda _: lb.View([Own("a")], np.ones(1), np.array([NAN]), np.zeros(1)), *config("factors['a']")),
            (lambda _: lb.View([Own("a")], np.ones(1), np.ones((1, 1)), np.zeros(1)), *config("factors")),
            (lambda _: lb.View([Own("a")], np.ones(1), np.ones(1), np.array([4])), *config("states['a']", 4)),
            (lambda _: lb.View([Own("a")], np.ones(1), np.ones(1), np.zeros(1), rows=np.zeros(2)), *config("rows")),
            (lambda _: lb.View([Own("a"), Own("a")], np.ones(2), np.ones(2), np.zeros(2)), *twice("a")),
        ],
    ),
    (
        "View",
        lambda: lb.View.of({"a": 3, "b": 1}, states={"b": State.UNHEALTHY}),
        view_state,
        [
            *(
                (lambda v, m=m: v.restrict(m), *config("mask", m))
                for m in ([True], [1, 0], "ab", None, [True, False, True])
            ),
            (lambda v: v.weights.__setitem__(0, 9.0), ValueError, {}),
            (lambda v: v.eligible.__setitem__(0, False), ValueError, {}),
            (lambda v: lb.View.of(v, weights={"z": 1.0}), *unknown("z")),
        ],
    ),
    (
        "hash_key",
        None,
        nothing,
        [(lambda _, k=k: lb.hash_key(k), *WRONG_TYPE) for k in (1.5, True, None, ["k"], object())],
    ),
    ("hash_key", None, nothing, [(lambda _, k=k: lb.hash_key(k), *config("key", k)) for k in (-1, BIG, "\ud800")]),
    ("hash_key", None, nothing, bad_seeds(lambda seed: lb.hash_key("k", seed=seed))),
    (
        "hash_key",
        None,
        nothing,
        [(lambda _, h=h: lb.hash_key("k", hasher=h), *config("hasher", h)) for h in (7, "XXH64", None)],
    ),
    (
        "hash_many",
        None,
        nothing,
        [
            *((lambda _, k=k: lb.hash_many(k), *config("keys", k)) for k in ("abc", b"abc", 7)),
            *(
                (lambda _, k=k: lb.hash_many(k), *WRONG_TYPE)
                for k in (None, [1.5], [True], [["k"]], np.array([1.5]), np.array([1j]))
            ),
            (lambda _: lb.hash_many(np.zeros((2, 2), np.int64)), *config("keys")),
            (lambda _: lb.hash_many(np.array([-1])), *config("keys", -1)),
            *(
                (lambda _, o=o: lb.hash_many((b"abc", o)), *config("offsets", o))
                for o in ([0, 4], [2, 1], [-1, 2], [], [0.0, 1.0])
            ),
            *bad_seeds(lambda seed: lb.hash_many(["k"], seed=seed)),
        ],
    ),
    (
        "SipHash",
        None,
        nothing,
        [(lambda _, s=s: lb.SipHash(s), *config("secret", "(not shown)")) for s in (b"", bytes(15), "x" * 16, None)],
    ),
    (
        "SipHash",
        None,
        nothing,
        [(lambda _: lb.hash_key("k", hasher=lb.SipHash(bytes(16)), seed=1), *config("seed", 1))],
    ),
    ("Murmur3", None, nothing, [(lambda _: lb.hash_key("k", hasher=lb.Murmur3(), seed=2**32), *config("seed", 2**32))]),
    (
        "Outcome",
        None,
        nothing,
        [(lambda _, s=s: Outcome.from_http(s), *config("status", s)) for s in (99, 600, True, "200", 200.0, None)],
    ),
    ("FakeClock", None, nothing, bad_times(lambda _, t: FakeClock(t))),
    (
        "FakeClock",
        lambda: FakeClock(5.0),
        repr,
        [
            *bad_times(lambda c, t: c.set(t)),
            *((lambda c, t=t: c.advance(t), *config("seconds", t)) for t in (NAN, INF, -0.5, "1", None)),
            (lambda c: c.set(4.0), *config("now", 4.0)),
        ],
    ),
]
