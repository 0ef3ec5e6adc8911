"""HotKeySpread: widths by the formula, nested owners, cold keys untouched, the sketch handed on."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies.hot_key_spread import GAMMA, HotKeyPicker, HotKeySpread
from lbalgo.testing import check_picker
from tests.words import unmixed

IDS = [f"b{i}" for i in range(12)]
BASES = [lb.Rendezvous(), lb.Maglev(251), lb.RingHash(points=20)]


def fed(policy, counts, pool=IDS):
    picker = policy.build(pool)
    for key, count in counts.items():
        picker.sketch.add(key, count)
    return picker


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.integers(1, 9), st.sampled_from([0.05, 0.1, 0.3]))
def test_widths_are_those_of_the_formula(counts, k, share):
    """Room for all keys, so that counts are exact."""
    picker = fed(HotKeySpread(lb.Rendezvous(), k, share), dict(enumerate(counts)))
    total = sum(counts)
    for key, count in enumerate(counts):
        wanted = 1 if share * total < 10 else min(k, math.ceil(count / total / share))
        assert picker.width(key) == wanted
        assert count / total <= wanted * share * (1 + 1e-12) or wanted == k or share * total < 10
    assert picker.width("never seen") == 1


@pytest.mark.parametrize("base", BASES, ids=lambda p: type(p).__name__)
def test_a_hot_key_is_served_by_the_first_of_its_walk(base):
    plain = base.build(IDS)
    picker = fed(HotKeySpread(base, 3, 0.1), {"hot": 900, "warm": 110, "cold": 90})
    check_picker(picker)
    picker.check_invariants()
    for key, width in (("hot", 3), ("warm", 2 if 110 > 0.1 * 1100 else 1), ("cold", 1), ("new", 1)):
        first = [b.id for b in plain.walk(key)]
        assert [b.id for b in picker.owners(key)] == first[:width]
        served = [picker.pick(key).id for _ in range(200)]
        assert set(served) == set(first[:width])
        for _ in range(10):
            walk = [b.id for b in picker.walk(key)]
            assert sorted(walk) == sorted(first)
            assert set(walk[:width]) == set(first[:width])
            assert walk[width:] == first[width:]
            assert picker.pick(key, exclude={walk[0]}).id == next(i for i in walk if i != walk[0])


def test_reading_changes_nothing_and_a_pick_only_the_cursor():
    picker = fed(HotKeySpread(lb.Rendezvous(), 3, 0.1), {"hot": 900})
    before = picker.sketch.snapshot()
    walks = [[b.id for b in picker.walk("hot")] for _ in range(2)]
    assert walks[0] == walks[1]
    assert picker.pick("hot").id == walks[0][0]
    assert picker.sketch.snapshot() == before
    assert len({tuple(b.id for b in picker.walk("hot")) for _ in range(40) if picker.pick("hot")}) == 3


def test_owners_are_nested_and_return():
    picker = HotKeySpread(lb.Rendezvous(), 6, 0.1).build(IDS)
    picker.sketch.add("rest", 1000)
    seen = [picker.owners("k")]
    for _ in range(12):
        picker.sketch.add("k", 100)
        seen.append(picker.owners("k"))
    picker.sketch.add("rest", 100_000)
    assert [len(o) for o in seen] == sorted(len(o) for o in seen)
    assert len(seen[-1]) == 6
    assert all(b[: len(a)] == a for a, b in pairwise(seen))
    assert picker.owners("k") == seen[0] == (lb.Rendezvous().build(IDS).pick("k"),)


def test_no_evidence_no_spread():
    picker = HotKeySpread(lb.Rendezvous(), 4, 0.1).build(IDS)
    for _ in range(99):
        assert picker.width("k") == 1
        picker.sketch.add("k")
    picker.sketch.add("k")
    assert picker.width("k") == 4


def test_owners_are_drawn_by_weight():
    weights = {"a": 3.0, "b": 1.0}
    picker = fed(HotKeySpread(lb.Rendezvous(), 2, 0.1), {"hot": 900}, weights)
    served = [picker.pick("hot").id for _ in range(4000)]
    assert 2800 < served.count("a") < 3200  # Binomial(4000, 3/4): 7 standard deviations to either side
    view = lb.View.of({"a": 1.0, "b": 1.0}, factors={"b": 0.25})
    dim = HotKeySpread(lb.Rendezvous(), 2, 0.1).build(view, previous=picker)
    served = [dim.pick("hot").id for _ in range(4000)]
    assert 3020 < served.count("a") < 3380  # at 4/5


@pytest.mark.parametrize(
    ("word", "place"), [(0, 0), (2**63 - 1024, 0), (2**63, 1), (2**64 - 2048, 1), (2**64 - 1, 1)], ids=hex
)
def test_the_draw_is_that_of_the_next_word(word, place):
    """SplitMix64's next word over 2**64 in [0, 1/2) or [1/2, 1); the last words round up to 1, and are the last's."""
    picker = fed(HotKeySpread(lb.Rendezvous(), 2, 0.1), {"hot": 900}, ["a", "b"])
    picker.chance.state = (unmixed(word) - GAMMA) % 2**64
    owners = picker.owners("hot")
    assert list(picker.walk("hot")) == [owners[place], owners[1 - place]]
    assert picker.pick("hot") is owners[place]
    assert picker.chance.state == unmixed(word)


def test_without_a_key_the_walk_is_the_base_policys():
    picker = fed(HotKeySpread(lb.Rendezvous(), 3, 0.1), {"hot": 900})
    for state in range(20):
        picker.chance.state = state
        assert list(picker.walk()) == list(picker.base.walk())


def test_sketch_and_cursor_are_handed_on():
    policy = HotKeySpread(lb.Rendezvous(), 3, 0.1)
    picker = fed(policy, {"hot": 900})
    stayed = pickle.loads(pickle.dumps(picker))
    picker.pick("hot")
    stayed.pick("hot")
    rebuilt = policy.build(IDS, previous=picker)
    assert rebuilt.sketch is picker.sketch
    assert [rebuilt.pick("hot").id for _ in range(20)] == [stayed.pick("hot").id for _ in range(20)]
    wider = HotKeySpread(lb.Rendezvous(), 5, 0.1).build(IDS, previous=rebuilt)
    assert wider.sketch is picker.sketch
    assert wider.width("hot") == 5
    other = HotKeySpread(lb.Rendezvous(), 3, 0.1, capacity=77).build(IDS, previous=rebuilt)
    assert other.sketch.capacity == 77
    assert other.width("hot") == 1
    assert other.cursor is rebuilt.cursor


def test_with_a_balancer():
    bal = lb.Balancer(HotKeySpread(lb.Rendezvous(), 3, 0.1), IDS, clock=lambda: 0.0, seed=1)
    for _ in range(200):
        bal.picker.sketch.add("hot")
        bal.acquire("hot").done()
    bal.update([*IDS, "new"])
    assert bal.picker.width("hot") == 3
    assert len({bal.acquire("hot").backend.id for _ in range(60)}) == 3


def test_with_a_half_life_the_past_is_forgotten():
    picker = HotKeySpread(lb.Rendezvous(), 3, 0.2, half_life=10.0).build(IDS)
    picker.sketch.add("old", 1000, now=0.0)
    picker.sketch.add("rest", 1000, now=0.0)
    assert picker.width("old") == 3
    for i in range(1000):
        picker.sketch.add(f"k{i % 50}", now=200.0)
    assert picker.width("old") == 1


def test_nobody():
    picker = fed(HotKeySpread(lb.Rendezvous(), 3, 0.1), {"hot": 900}, {"a": 0.0})
    picker.check_invariants()
    for made, reason in ((picker, "ineligible"), (picker.policy.build([], previous=picker), "empty")):
        with pytest.raises(lb.NoBackend) as caught:
            made.pick("hot")
        assert caught.value.reason == reason
    some = picker.policy.build(["a", "b"], previous=picker)
    with pytest.raises(lb.NoBackend) as caught:
        some.pick("hot", exclude={"a", "b"})
    assert caught.value.reason == "excluded"


def test_invariants_are_checked():
    picker = fed(HotKeySpread(lb.Rendezvous(), 3, 0.1), {"hot": 900})

    class Wide(HotKeyPicker):
        def width(self, key):
            return 4

    with pytest.raises(AssertionError):
        Wide(picker.policy, picker.view, picker.base, picker.sketch, picker.chance).check_invariants()


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda p=p: HotKeySpread(p), "policy") for p in ("Maglev", None, lb.Maglev)),
        *((lambda k=k: HotKeySpread(lb.Maglev(), k), "k") for k in (0, -1, 1.5, True, None)),
        *((lambda s=s: HotKeySpread(lb.Maglev(), share=s), "share") for s in (0, -0.1, 1.1, "1", None, True, np.nan)),
        *((lambda c=c: HotKeySpread(lb.Maglev(), share=0.1, capacity=c), "capacity") for c in (9, 0, 1.5, True)),
        *((lambda h=h: HotKeySpread(lb.Maglev(), half_life=h), "half_life") for h in (0, -1, "1", np.inf)),
        (lambda: HotKeySpread(lb.Maglev(), share=1e-9), "share"),
        (lambda: HotKeySpread(lb.PowerOfTwo()).build(["a"]), "policy"),
        (lambda: HotKeySpread(lb.Maglev(251)).build(["a"]).pick("k", exclude="a"), "exclude"),
    ],
)
def test_refused(call, parameter):
    with pytest.raises(lb.ConfigError) as caught:
        call()
    assert caught.value.parameter == parameter
