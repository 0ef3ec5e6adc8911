"""What rows of the bad-input table are made of: (call, error, attributes of the error)."""

import copy
import math

import numpy as np

import lbalgo as lb
from lbalgo import ConfigError, DuplicateBackend, NoBackend, Outcome, State, UnknownBackend
from lbalgo.testing import FakeClock

NAN, INF, ANY = math.nan, math.inf, object()
BIG = 2**64


class Own:
    """A backend of a user's own type."""

    def __init__(self, id, weight=1.0):
        self.id, self.weight = id, weight


def config(parameter, value=ANY):
    return ConfigError, {"parameter": parameter, "value": value}


def twice(id):
    return DuplicateBackend, {"parameter": "id", "id": id}


def unknown(id):
    return UnknownBackend, {"id": id}


WRONG_TYPE = TypeError, {}
NOBODY = {reason: (NoBackend, {"reason": reason}) for reason in ("empty", "ineligible", "excluded")}


def bad_weights(name, make):
    """Rows for a weight: make(weight), refused as the parameter `name`."""
    return [(lambda _, w=w: make(w), *config(name, w)) for w in (NAN, INF, -INF, -1.0, -1e-300, "1", None, True)]


def bad_pools(build):
    """Rows for everything that takes backends."""
    return [
        (lambda o: build(o, ["a", "b", "a"]), *twice("a")),
        (lambda o: build(o, [Own("a"), "a"]), *twice("a")),
        (lambda o: build(o, "abc"), *config("backends", "abc")),
        (lambda o: build(o, b"abc"), *config("backends", b"abc")),
        (lambda o: build(o, 7), *config("backends", 7)),
        (lambda o: build(o, None), *config("backends", None)),
        (lambda o: build(o, ["a", 7]), *config("backends", 7)),
        (lambda o: build(o, [""]), *config("id", "")),
        (lambda o: build(o, ["\ud800"]), *config("id", "\ud800")),
        (lambda o: build(o, {1: 1.0}), *config("id", 1)),
        (lambda o: build(o, [Own(b"a")]), *config("id", b"a")),
        *((lambda o, w=w: build(o, {"a": w}), *config("weights['a']", w)) for w in (NAN, INF, -1.0, "1", True)),
        *((lambda o, w=w: build(o, [Own("a", w)]), *config("weights['a']", w)) for w in (NAN, INF, -1.0, None)),
    ]


def bad_seeds(policy, name="seed"):
    """Rows for a seed in [0, 2**64)."""
    return [(lambda _, s=s: policy(s), *config(name, s)) for s in (-1, BIG, 1.0, "0", True, None)]


def bad_hashers(policy):
    """Rows for the hasher of a keyed policy."""
    return [
        *((lambda _, h=h: policy(hasher=h), *config("hasher", h)) for h in ("XXH64", lb.XXH64, 7, None)),
        *bad_seeds(lambda seed: policy(seed=seed)),
        (lambda _: policy(hasher=lb.SipHash(bytes(16)), seed=1), *config("seed", 1)),
        (lambda _: policy(hasher=lb.Murmur3(), seed=2**32), *config("seed", 2**32)),
        (lambda _: policy(hasher=lambda data: -1).build(["a"]).pick("k"), *config("hasher", -1)),
        (lambda _: policy(hasher=lambda data: 1.0).build(["a"]).pick("k"), *config("hasher", 1.0)),
    ]


def bad_dicts(kind):
    """Rows for `from_dict`."""
    return [
        (lambda _: kind.from_dict({"no_such_field": 1}), *config("no_such_field", 1)),
        (lambda _: kind.from_dict({1: 1}), *config("1", 1)),
        (lambda _: kind.from_dict({"type": "Other"}), *config("type", "Other")),
        *((lambda _, d=d: kind.from_dict(d), *config(kind.__name__, d)) for d in ([], "x", None, 7)),
    ]


def bad_picks(keyed, bulk):
    """Rows for a picker of two backends."""
    rows = [
        *((lambda p, e=e: p.pick("k", exclude=e), *config("exclude", e)) for e in ("a", b"a", "")),
        *((lambda p, e=e: p.pick("k", exclude=e), *WRONG_TYPE) for e in (7, None)),
        *((lambda p, x=x: p.reseed(x), *config("seed", x)) for x in (-1, BIG, 1.0, "0", True, None)),
    ]
    if not bulk:
        rows += [(lambda p, x=x: p.drawn(x), *config("state", x)) for x in (-1, BIG)]
        rows += [(lambda p, x=x: p.drawn(x), *WRONG_TYPE) for x in (1.0, "1", True, None)]
    if keyed:
        rows += [(lambda p, k=k: p.pick(k), *WRONG_TYPE) for k in (1.5, True, ["k"], ("k",), {"k"}, object())]
        rows += [(lambda p, k=k: p.walk(k), *WRONG_TYPE) for k in (1.5, True, ["k"])]
        rows += [(lambda p, k=k: p.pick(k), *config("key", k)) for k in (-1, BIG, "\ud800")]
        rows += [
            (lambda p: p.tickets("key"), *config("keys", "key")),
            (lambda p: p.tickets(["k", 1.5]), *WRONG_TYPE),
            (lambda p: p.tickets(np.array([1.5])), *WRONG_TYPE),
            (lambda p: p.tickets(np.array([True])), *WRONG_TYPE),
            (lambda p: p.tickets(np.array([3, -1])), *config("keys", -1)),
            (lambda p: p.tickets(np.zeros((2, 2), np.uint64)), *config("keys")),
            (lambda p: p.tickets((b"abc", [0, 4])), *config("offsets", [0, 4])),
            (lambda p: p.tickets((b"abc", [2, 1])), *config("offsets", [2, 1])),
        ]
    if bulk:
        wrong = (
            [0],
            np.zeros(1),
            np.zeros(1, np.int64),
            np.zeros(1, np.uint32),
            np.uint64(1),
            np.zeros((1, 1), np.uint64),
        )
        rows += [(lambda p, t=t: p.pick_many(t), *config("tickets", t)) for t in wrong]
        rows += [(lambda p, t=t: p.slot(t), *config("ticket", t)) for t in (-1, BIG)]
        rows += [(lambda p, t=t: p.slot(t), *WRONG_TYPE) for t in (1.0, "1", True, None)]
    return rows


def bad_slots(signal_call):
    """Rows for a slot of a pool of two."""
    return [(lambda s, k=k: signal_call(s, k), *config("slot", k)) for k in (-1, 2, True, "0", 0.0, None)]


def bad_times(call, name="now"):
    """Rows for an instant."""
    return [(lambda o, t=t: call(o, t), *config(name, t)) for t in (NAN, INF, -INF, "0", None)]


def bad_signal(name):
    """Rows for every method of a signal of "a" and "b"."""
    ok = Outcome.SUCCESS
    return [
        (lambda s: s.sync(["a", "a"], 9.0), *twice("a")),
        *((lambda s, ids=ids: s.sync(ids, 9.0), *config("ids", ids)) for ids in ("ab", b"ab", 7, None)),
        *((lambda s, i=i: s.sync(["c", i], 9.0), *config("ids", i)) for i in ("", 7, None, b"a", "\ud800")),
        *bad_times(lambda s, t: s.sync(["c"], t)),
        *bad_slots(lambda s, k: s.observe(k, ok, None, 9.0)),
        *((lambda s, o=o: s.observe(0, o, None, 9.0), *config("outcome", o)) for o in ("success", 0, None)),
        *bad_times(lambda s, t: s.observe(0, ok, None, t)),
        *bad_slots(lambda s, k: s.changed(k, State.HEALTHY, State.DEGRADED, 9.0)),
        (lambda s: s.changed(0, 0, State.DEGRADED, 9.0), *config("old", 0)),
        (lambda s: s.changed(0, State.HEALTHY, "DEGRADED", 9.0), *config("new", "DEGRADED")),
        *bad_times(lambda s, t: s.changed(0, State.HEALTHY, State.DEGRADED, t)),
        *bad_times(lambda s, t: s.advance(t)),
        *bad_times(lambda s, t: s.restore(s.snapshot(), t)),
        *((lambda s, d=d: s.restore(d, 9.0), *config("state", d)) for d in ({}, [], None, "x", {"type": name})),
        (lambda s: s.restore({**s.snapshot(), "more": 1}, 9.0), *config("state")),
        (lambda s: s.restore({**s.snapshot(), "type": "Other"}, 9.0), ConfigError, {}),
        *(
            (lambda s, m=m: s.restore({**s.snapshot(), "members": m}, 9.0), ConfigError, {})
            for m in (7, {"a": "x"}, None)
        ),
    ]


def picker_state(picker):
    cursor = picker.cursor.state
    return cursor, [b.id for b in picker.backends], [b.id for b in picker.walk("k")], repr(picker.view)


def signal_state(signal):
    factors, states = np.ones(2), np.zeros(2, np.uint8)
    signal.apply(factors, states)
    return copy.deepcopy(signal.snapshot()), signal.version, signal.deadline, factors.tolist(), states.tolist()


def load_state(load):
    return [load.at(row) for row in range(5)], repr(load)


def view_state(view):
    return repr(view), view.eligible.tolist(), view.panic, view.panic_below


def balancer_state(balancer):
    fingerprint = balancer.picker.fingerprint()
    return balancer.snapshot(), balancer.stats(), repr(balancer.view), fingerprint, balancer.next_deadline


def synced(signal):
    signal.sync(["a", "b"], 1.0)
    for _ in range(5):
        signal.observe(0, Outcome.SERVER_ERROR, None, 2.0)
    return signal


def busy_load():
    load = lb.InFlight().start()
    load.started(0, 1.0, 0.0)
    return load


def balancer():
    signals = [lb.OutlierEjection(), lb.SlowStart(10.0)]
    made = lb.Balancer(lb.Maglev(251), ["a", "b"], signals=signals, clock=FakeClock(5.0), seed=1)
    made.acquire("k").done(Outcome.SERVER_ERROR)
    return made


def nothing(_):
    return None


def pair(policy):
    return lambda: policy.build({"a": 1.0, "b": 1.0})
