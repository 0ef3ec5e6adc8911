"""Each scorer by its formula, and the index of prefixes against a plain model."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.estimators.prefix_index import PrefixIndex, prefix_blocks
from lbalgo.loads import InFlight, Reported
from lbalgo.policies.by_score import ByScore
from lbalgo.report import Report
from lbalgo.scores import Affinity, Free, LeastLoad, PrefixMatch, WhileBalanced


def built(scorer, pool=("a", "b", "c"), loads=()):
    picker = ByScore([scorer]).build(pool if isinstance(pool, lb.View) else list(pool))
    for row, n in enumerate(loads):
        for _ in range(n):
            picker.load.started(row, 1.0, 0.0)
    return picker


def test_least_load():
    assert built(LeastLoad(), loads=(4, 0, 1)).scores() == {"a": 0.0, "b": 1.0, "c": 0.75}
    assert built(LeastLoad(), loads=(2, 2, 2)).scores() == {"a": 1.0, "b": 1.0, "c": 1.0}
    heavy = lb.View.of({"a": 4.0, "b": 1.0}, factors={"a": 0.5})
    assert built(LeastLoad(), heavy, (4, 4)).scores() == {"a": 1.0, "b": 0.0}  # 2 and 4
    assert built(LeastLoad(), heavy, (4, 2)).scores() == {"a": 1.0, "b": 1.0}


def test_free():
    picker = built(Free(Reported(blackout=0.0, unknown=0.5)))
    picker.load.reported(0, Report(0.25), 0.0)
    picker.load.reported(1, Report(1.5), 0.0)
    assert picker.scores() == {"a": 0.75, "b": 0.0, "c": 0.5}


def test_affinity():
    picker = built(Affinity(lb.Maglev(251), depth=2), "abcd")
    order = [b.id for b in lb.Maglev(251).build(list("abcd")).walk("k")]
    assert picker.scores("k") == {order[0]: 1.0, order[1]: 0.5, order[2]: 0.0, order[3]: 0.0}
    assert picker.scores() == dict.fromkeys("abcd", 0.0)
    assert picker.scores("k", exclude={order[0]})[order[1]] == 0.5


def test_prefix_match():
    index = PrefixIndex()
    tokens = list(range(8))
    index.add("b", prefix_blocks(tokens, block=2))
    index.add("c", prefix_blocks(tokens[:2], block=2))
    picker = built(PrefixMatch(index, lambda tokens: prefix_blocks(tokens, block=2)))
    assert picker.scores(context=tokens) == {"a": 0.0, "b": 1.0, "c": 0.25}
    assert picker.scores(context=[9, *tokens]) == {"a": 0.0, "b": 0.0, "c": 0.0}
    assert picker.scores() == picker.scores(context=[1]) == {"a": 0.0, "b": 0.0, "c": 0.0}


@pytest.mark.parametrize(
    ("loads", "balanced"),
    [((3, 0, 0), True), ((4, 0, 0), False), ((43, 40, 40), True), ((44, 40, 40), False), ((44, 40, 44), False)],
)
def test_while_balanced(loads, balanced):
    """More than 3 above the least and more than 1.05 times as much."""
    picker = built(WhileBalanced(Affinity(depth=1), InFlight(), uneven=3.0, times=1.05), loads=loads)
    assert sum(picker.scores("k").values()) == float(balanced)


def test_bad_input():
    rows = [
        *(("load", lambda s=s: LeastLoad(s)) for s in (None, 7, InFlight)),
        *(("load", lambda s=s: Free(s)) for s in (None, 7, InFlight)),
        *(("policy", lambda p=p: Affinity(p)) for p in (None, lb.Maglev)),
        *(("depth", lambda d=d: Affinity(depth=d)) for d in (0, 1.5, True)),
        *(("index", lambda i=i: PrefixMatch(i, list)) for i in (None, PrefixIndex)),
        ("blocks", lambda: PrefixMatch(PrefixIndex(), 7)),
        *(("scorer", lambda s=s: WhileBalanced(s)) for s in (None, Affinity, LeastLoad())),
        ("load", lambda: WhileBalanced(Affinity(), 7)),
        *(("uneven", lambda x=x: WhileBalanced(Affinity(), uneven=x)) for x in (-1.0, math.nan, "1")),
        *(("times", lambda x=x: WhileBalanced(Affinity(), times=x)) for x in (0.9, math.inf, None)),
        *(("capacity", lambda n=n: PrefixIndex(n)) for n in (0, 1.5, None)),
        ("id", lambda: PrefixIndex().add("", [1])),
        ("other", lambda: PrefixIndex().merge({})),
        *(("block", lambda n=n: prefix_blocks([1], n)) for n in (0, 1.5)),
        *(("seed", lambda n=n: prefix_blocks([1], seed=n)) for n in (-1, 2**64, None)),
        *(("tokens", lambda t=t: prefix_blocks(t)) for t in ("ab", [-1] * 16, ["x"] * 16, [2**64])),
    ]
    for parameter, call in rows:
        with pytest.raises(ConfigError) as refused:
            call()
        assert refused.value.parameter == parameter


def test_index_snapshots():
    index, again = PrefixIndex(4), PrefixIndex(4)
    index.add("a", [1, 2, 3])
    state = index.snapshot()
    again.restore(state)
    assert again.snapshot() == state and again.match("a", [1, 2, 9]) == 2
    bad = [{}, None, {**state, "known": None}, {**state, "known": {"a": [1, 1]}}, {**state, "known": {"": [1]}}]
    bad += [
        {**state, "known": {"a": [True]}},
        {**state, "known": {"a": [1, 2, 3, 4, 5]}},
        {**state, "known": {"a": "1"}},
    ]
    for wrong in bad:
        with pytest.raises(ConfigError):
            again.restore(wrong)
        assert again.snapshot() == state


def test_the_end_of_a_prefix_is_dropped_first_and_the_least_lately_sent():
    index = PrefixIndex(4)
    index.add("a", [1, 2, 3])
    index.add("a", [7, 8])
    assert [index.match("a", [1, 2, 3]), index.match("a", [7, 8])] == [2, 2]
    index.add("a", [1, 2])
    index.add("a", [9])
    assert [index.match("a", [1, 2]), index.match("a", [7, 8]), index.match("a", [9])] == [2, 1, 1]


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 5), st.integers(0, 2**64 - 1))
def test_blocks_stand_for_all_before_them(tokens, block, seed):
    made = prefix_blocks(tokens, block, seed)
    assert len(made) == len(tokens) // block
    for at in range(len(tokens)):
        changed = [*tokens[:at], tokens[at] + 1, *tokens[at + 1 :]]
        same = [one == other for one, other in zip(made, prefix_blocks(changed, block, seed), strict=True)]
        assert same == [place < at // block for place in range(len(made))]


class Caches(RuleBasedStateMachine):
    """Against lists: capacity 6, three backends, prefixes of a small tree."""

    def __init__(self):
        super().__init__()
        self.index, self.other, self.known = PrefixIndex(6), PrefixIndex(6), {}

    def note(self, id, blocks):
        kept = [b for b in self.known.get(id, []) if b not in blocks] + list(reversed(blocks))
        self.known[id] = kept[-6:]

    @rule(id=st.sampled_from("abc"), root=st.integers(0, 2), depth=st.integers(0, 5))
    def add(self, id, root, depth):
        blocks = [10 * root + at for at in range(depth)]
        self.index.add(id, blocks)
        self.note(id, blocks)

    @rule(id=st.sampled_from("abc"))
    def forget(self, id):
        self.index.forget(id)
        self.known.pop(id, None)

    @rule(id=st.sampled_from("abc"), root=st.integers(0, 2), depth=st.integers(1, 4))
    def another_router(self, id, root, depth):
        other, blocks = PrefixIndex(6), [10 * root + at for at in range(depth)]
        other.add(id, blocks)
        self.index.merge(other)
        self.note(id, blocks)

    @invariant()
    def matches(self):
        for id in "abcd":
            known = self.known.get(id, [])
            assert self.index.size(id) == len(known)
            for root in range(3):
                blocks = [10 * root + at for at in range(6)]
                lead = next((at for at, b in enumerate(blocks) if b not in known), 6)
                assert self.index.match(id, blocks) == lead


TestCaches = Caches.TestCase


def test_scores_are_arrays_of_numbers():
    assert np.asarray(list(built(LeastLoad()).scores().values())).dtype == np.float64
