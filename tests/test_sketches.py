"""HeavyHitters: the law of the error against exact counts, merging, fading, snapshots, bad input."""

import copy
import json
import math
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.sketches import HeavyHitter, HeavyHitters
from lbalgo.written_keys import raw_key

STREAMS = st.lists(st.tuples(st.sampled_from("abcdefghijklmno"), st.integers(1, 5)), max_size=120)


def fed(stream, capacity, half_life=None):
    sketch = HeavyHitters(capacity, half_life)
    for key, weight in stream:
        sketch.add(key, weight)
    return sketch


def exact(*streams):
    counts = Counter()
    for stream in streams:
        for key, weight in stream:
            counts[key] += weight
    return counts


def residual(counts, capacity):
    """The least over j < m of (n - f_1 - … - f_j) / (m - j), exactly."""
    heavy, left = sorted(counts.values(), reverse=True), sum(counts.values())
    bounds = []
    for j in range(capacity):
        bounds.append(Fraction(left, capacity - j))
        left -= heavy[j] if j < len(heavy) else 0
    return min(bounds)


def assert_law(sketch, counts, bound):
    n = sum(counts.values())
    sketch.check_invariants()
    assert sketch.total == n
    assert sketch.floor <= bound
    for key in "abcdefghijklmno":
        hot = sketch.get(key)
        if hot is None:
            assert counts[key] <= sketch.floor
        else:
            assert hot.least <= counts[key] <= hot.count
            assert hot.error <= sketch.floor
            assert sketch.share(key) == hot.count / n
    for j in range(1, sketch.capacity):
        above = {hot.key for hot in sketch.above((sketch.capacity + 1 - j) / sketch.capacity)}
        assert all(key in above for key in counts if counts[key] * sketch.capacity > n * (sketch.capacity + 1 - j))


@given(STREAMS, st.integers(1, 12))
def test_the_law_of_the_error(stream, capacity):
    sketch, counts = fed(stream, capacity), exact(stream)
    assert_law(sketch, counts, residual(counts, capacity))
    if len(counts) <= capacity:
        assert {hot.key: hot.count for hot in sketch.top()} == counts, "with room for all it is exact"
    elif len(sketch) == capacity:
        assert sum(hot.count for hot in sketch.top()) == sketch.total


@given(st.lists(STREAMS, min_size=2, max_size=4), STREAMS, st.integers(1, 12))
def test_merged_sketches_obey_it_for_all_streams_together(streams, after, capacity):
    """Merged from left to right, and fed further; and the one taken in is as it was."""
    sketch = fed(streams[0], capacity)
    for stream in streams[1:]:
        other = fed(stream, capacity)
        before = other.snapshot()
        sketch.merge(other)
        assert other.snapshot() == before
    for key, weight in after:
        sketch.add(key, weight)
    counts = exact(*streams, after)
    assert_law(sketch, counts, Fraction(sum(counts.values()), capacity))


def test_a_merge_of_itself_and_of_nothing():
    stream = [(k, 1) for k in "aabbbcdde"]
    sketch = fed(stream, 3)
    sketch.merge(HeavyHitters(3))
    assert_law(sketch, exact(stream), Fraction(9, 3))
    sketch.merge(sketch)
    assert_law(sketch, exact(stream, stream), Fraction(18, 3))


def test_a_small_stream_by_hand():
    """Three counters: d takes the place of c, the least, and may have had its 1."""
    sketch = fed([(k, 1) for k in "aaabbcd"], 3)
    assert sketch.top() == [HeavyHitter("a", 3, 0), HeavyHitter("b", 2, 0), HeavyHitter("d", 2, 1)]
    assert (sketch.floor, sketch.total, len(sketch)) == (2, 7, 3)
    assert sketch.get("c") is None


def test_of_equal_counts_the_first_to_come_goes():
    sketch = fed([(k, 1) for k in "abcd"], 3)
    assert {hot.key for hot in sketch.top()} == {"b", "c", "d"}


@pytest.mark.parametrize("half_life", [1.0, 10.0, 1e4])
@given(stream=st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 50)), min_size=1, max_size=40))
def test_fading_is_what_it_says(half_life, stream):
    """Room for all keys: each count is the sum of 2**(-age / half_life); earlier instants count as the latest."""
    sketch, latest, events = HeavyHitters(6, half_life), 0.0, []
    for key, step in stream:
        now = latest + step - 5
        sketch.add(key, now=now)
        latest = now if not events else max(latest, now)
        events.append((key, latest))
    sketch.advance(latest - 1)
    sketch.check_invariants()
    for key in "abcdef":
        wanted = math.fsum(2.0 ** ((t - latest) / half_life) for k, t in events if k == key)
        hot = sketch.get(key)
        assert (hot.count if hot else 0.0) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert sketch.total == pytest.approx(math.fsum(2.0 ** ((t - latest) / half_life) for _, t in events), rel=1e-9)


def test_a_year_without_requests():
    sketch = HeavyHitters(2, half_life=1.0)
    for key in "aab":
        sketch.add(key, now=0.0)
    for now in (3e7, 6e7):
        sketch.add("c", now=now)
        sketch.add("d", now=now)
        sketch.check_invariants()
        assert sketch.total == pytest.approx(2.0)
        assert {hot.key for hot in sketch.top()} == {"c", "d"}


@given(st.integers(1, 5), st.data())
def test_faded_sketches_merge_at_the_later_instant(capacity, data):
    times = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 400)), min_size=1, max_size=30)
    streams = [sorted(data.draw(times), key=lambda e: e[1]) for _ in range(2)]
    sketches = []
    for stream in streams:
        sketches.append(HeavyHitters(capacity, half_life=7.0))
        for key, now in stream:
            sketches[-1].add(key, now=now)
    sketches[0].merge(sketches[1])
    sketches[0].check_invariants()
    latest = max(now for stream in streams for _, now in stream)
    total = math.fsum(2.0 ** ((now - latest) / 7.0) for stream in streams for _, now in stream)
    assert sketches[0].total == pytest.approx(total, rel=1e-9)
    for key in "abcdefgh":
        true = math.fsum(2.0 ** ((now - latest) / 7.0) for stream in streams for k, now in stream if k == key)
        hot = sketches[0].get(key)
        assert true <= (hot.count if hot else sketches[0].floor) + 1e-9
        assert not hot or hot.least <= true + 1e-9
    assert sketches[0].floor <= total / capacity + 1e-9


@pytest.mark.parametrize("half_life", [None, 5.0])
@given(first=STREAMS, then=STREAMS, capacity=st.integers(1, 6))
def test_a_restored_sketch_goes_on_as_the_first_would(half_life, first, then, capacity):
    """Through JSON, into another process that counts its seconds from elsewhere."""
    sketch = HeavyHitters(capacity, half_life)
    for i, (key, weight) in enumerate(first):
        sketch.add(key, weight, now=100.0 + i)
    if half_life is None:
        other = fed(then, capacity)
        sketch.merge(other)
    again = HeavyHitters(capacity, half_life)
    again.restore(json.loads(json.dumps(sketch.snapshot())), now=7.0)
    again.check_invariants()
    end = 100.0 + max(len(first) - 1, 0)
    for i, (key, weight) in enumerate(then):
        sketch.add(key, weight, now=end + i)
        again.add(key, weight, now=7.0 + i)
    assert [hot.key for hot in again.top()] == [hot.key for hot in sketch.top()] or half_life
    for a in sketch.top() if half_life is None else ():
        assert again.get(a.key) == a
    assert (again.total, again.floor) == pytest.approx((sketch.total, sketch.floor))


def test_copies():
    sketch = fed([(k, 1) for k in "aaabbcd"], 3)
    for other in (pickle.loads(pickle.dumps(sketch)), copy.deepcopy(sketch)):
        other.add("z", 9)
        assert other.total == 16
    assert sketch.total == 7


def test_keys_of_every_form():
    sketch = HeavyHitters(10)
    for key in ("é", "é".encode(), bytearray(b"x"), memoryview(b"x"), 7, (7).to_bytes(8, "little")):
        sketch.add(key)
    assert [(hot.key, hot.count) for hot in sketch.top()] == [(7, 2), (b"x", 2), ("é", 2)]
    again = HeavyHitters(10)
    again.restore(json.loads(json.dumps(sketch.snapshot())), 0.0)
    assert again.top() == sketch.top()
    assert raw_key("é") == "é".encode()


def test_repr_evaluates():
    for sketch in (HeavyHitters(5), HeavyHitters(5, 2.0)):
        assert repr(eval(repr(sketch))) == repr(sketch)


def test_on_zipf_keys_the_error_is_far_below_the_bound():
    """The page's claim: 400 counters, 10**5 requests on Zipf(1) over 10**5 keys; the 20 heaviest are named in order."""
    rng = np.random.default_rng(1)
    law = 1 / np.arange(1, 100_001)
    keys = rng.choice(100_000, size=100_000, p=law / law.sum()).tolist()
    sketch, counts = fed([(key, 1) for key in keys], 400), Counter(keys)
    for hot in sketch.top(20):
        assert hot.least <= counts[hot.key] <= hot.count
        assert hot.error * 400 < 100_000
    assert {hot.key for hot in sketch.above(0.01)} == {key for key, c in counts.items() if c > 1000}


GOOD = fed([(k, 1) for k in "aaabbcd"], 3).snapshot()
BAD = [
    *((lambda s, c=c: HeavyHitters(c), lb.ConfigError, "capacity") for c in (0, -1, 2**24 + 1, 1.5, True, None)),
    *((lambda s, h=h: HeavyHitters(3, h), lb.ConfigError, "half_life") for h in (0, -1.0, "1", math.inf, math.nan)),
    *(
        (lambda s, w=w: s.add("k", w), lb.ConfigError, "weight")
        for w in (0, -1, 0.0, math.nan, math.inf, "1", None, True, 2**54)
    ),
    *((lambda s, k=k: s.add(k), lb.ConfigError, "key") for k in (-1, 2**64, "\ud800")),
    *((lambda s, k=k: s.add(k), TypeError, None) for k in (1.5, None, True, ("a",))),
    *((lambda s, k=k: s.get(k), TypeError, None) for k in (1.5, None, True)),
    *((lambda s, n=n: s.top(n), lb.ConfigError, "n") for n in (-1, 1.5, True)),
    *((lambda s, x=x: s.above(x), lb.ConfigError, "share") for x in (0.3, 0, 1.1, "1", None, math.nan)),
    *((lambda s, t=t: s.advance(t), lb.ConfigError, "now") for t in (None, "1", math.nan)),
    *((lambda s, o=o: s.merge(o), lb.ConfigError, "other") for o in (None, {}, HeavyHitters(4), HeavyHitters(3, 1.0))),
    *((lambda s, t=t: s.restore(GOOD, t), lb.ConfigError, "now") for t in (None, "1", math.inf)),
    *((lambda s, d=d: s.restore(d, 0.0), lb.ConfigError, "state") for d in (None, {}, [], "x", {**GOOD, "more": 1})),
    (lambda s: s.restore({**GOOD, "type": "Other"}, 0.0), lb.ConfigError, "state['type']"),
    *(
        (lambda s, x=x: s.restore({**GOOD, "total": x}, 0.0), lb.ConfigError, "state['total']")
        for x in (-1, "1", None, math.nan)
    ),
    *((lambda s, x=x: s.restore({**GOOD, "floor": x}, 0.0), lb.ConfigError, "state['floor']") for x in (-1, "1", None)),
    (lambda s: s.restore({**GOOD, "floor": 3, "keys": []}, 0.0), lb.ConfigError, "state['floor']"),
    *(
        (lambda s, x=x: s.restore({**GOOD, "keys": x}, 0.0), lb.ConfigError, "state['keys']")
        for x in (
            7,
            None,
            [["str", "a", 1, 0]] * 4,
            [["str", "a", 1, 0]] * 2,
            [["str", "a", 1]],
            ["abcd"],
            [["str", "a", 1, 2]],
            [["str", "a", -1, 0]],
            [["str", 7, 1, 0]],
            [["int", True, 1, 0]],
            [["int", -1, 1, 0]],
            [["bytes", "xy", 1, 0]],
            [["other", "a", 1, 0]],
        )
    ),
]


@pytest.mark.parametrize(("call", "error", "parameter"), BAD)
def test_refused_and_nothing_changed(call, error, parameter):
    sketch = fed([(k, 1) for k in "aaabbcd"], 3)
    with pytest.raises(error) as caught:
        call(sketch)
    assert getattr(caught.value, "parameter", None) == parameter
    assert sketch.snapshot() == GOOD
    sketch.check_invariants()


def test_a_fading_sketch_has_to_be_told_the_time():
    with pytest.raises(lb.ConfigError) as caught:
        HeavyHitters(3, 1.0).add("k")
    assert caught.value.parameter == "now"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s._heap.pop(),
        lambda s: s._kept.pop(b"a"),
        lambda s: s._kept[b"a"].__setitem__(0, 9),
        lambda s: s._kept[b"a"].__setitem__(0, 0),
        lambda s: s._kept[b"a"].__setitem__(1, 4),
    ],
)
def test_invariants_are_checked(spoil):
    sketch = fed([(k, 1) for k in "aaabbcd"], 3)
    spoil(sketch)
    with pytest.raises(AssertionError):
        sketch.check_invariants()
