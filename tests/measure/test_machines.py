"""What moves between pickers that decide by more than the key: asked key by key, and nothing is spent by asking."""

from collections import Counter

import pytest

import lbalgo as lb
from lbalgo.measure import compare, disruption
from lbalgo.measure.disruption import successor


class Sticky:
    """A foreign policy: the key's length mod N, then in order; it remembers how often it was asked to pick."""

    takes_key = True

    def build(self, view, *, previous=None):
        return StickyPicker(lb.View.of(view), 0 if previous is None else previous.picks)


class StickyPicker:
    takes_key = True

    def __init__(self, view, picks):
        self.view, self.backends, self.picks = view, view.backends, picks

    def pick(self, key=None, *, exclude=()):
        self.picks += 1
        return next(b for b in self.walk(key) if b.id not in exclude)

    def walk(self, key=None):
        n, start = len(self.backends), len(str(key))
        return iter([self.backends[(start + i) % n] for i in range(n)])


def test_heads_are_compared_key_by_key():
    policy, keys = Sticky(), ["a", "bb", "ccc", "dddd", "dddd"]
    before = policy.build(["x", "y", "z"])
    change = disruption(before, successor(policy, before, ["x", "y"]), keys)
    owners = [("y", "y"), ("z", "x"), ("x", "y"), ("y", "x"), ("y", "x")]  # length mod 3, then mod 2
    moved = Counter(pair for pair in owners if pair[0] != pair[1])
    assert change.moved == 4 / 5 and not change.exact and change.keys == 5
    assert {(a, b): round(5 * share) for a, b, share in zip(*change.columns().values(), strict=True)} == moved
    assert before.picks == 0


def test_the_built_in_sample():
    policy = Sticky()
    before = policy.build(["x", "y"])
    assert disruption(before, policy.build(["x", "y"])).keys == 8192


def test_nobody_to_ask():
    with pytest.raises(lb.NoBackend):
        disruption(Sticky().build(["x"]), Sticky().build([]), ["k"])


def test_a_row_of_its_own():
    ticks = iter(range(10**6))
    (row,) = compare(
        {"sticky": Sticky()}, lb.View.of(["x", "y", "z"]), [f"{'k' * (i % 9)}" for i in range(90)], timer=ticks.__next__
    )
    assert row.structure is None and "more than the key" in row.reason
    assert row.leave is not None and row.join is not None and row.leave.moved > 0


def test_what_takes_no_key_is_refused():
    with pytest.raises(lb.ConfigError) as refused:
        disruption(lb.PowerOfTwo().build(["x"]), lb.PowerOfTwo().build(["x"]))
    assert refused.value.parameter == "before"
