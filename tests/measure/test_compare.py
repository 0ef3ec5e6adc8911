"""Comparison: every row agrees with the measurements it is made of, and a policy that cannot take part says why."""

from itertools import count

import pytest

import lbalgo as lb
from lbalgo.measure import Method, balance, compare, disruption

POOL = lb.View.of({"a": 1, "b": 2, "c": 1})
KEYS = [f"k{i}" for i in range(500)]


def ticks():
    """A clock that is a second later whenever it is read."""
    clock = count()
    return lambda: float(next(clock))


def row_of(policy, view=POOL, keys=KEYS, **options):
    (row,) = compare({"it": policy}, view, keys, timer=ticks(), **options)
    return row


@pytest.mark.parametrize("policy", [lb.Maglev(table_size=211), lb.RingHash(points=10), lb.Rendezvous()])
def test_a_row_is_its_measurements(policy):
    row = row_of(policy, leaves="b", joins=lb.Endpoint("d", 3.0))
    picker = policy.build(POOL)
    assert row.reason == ""
    assert row.structure.shares.tolist() == balance(picker).shares.tolist()
    assert row.sample.p == balance(picker, KEYS).p
    for change, pool in ((row.leave, {"a": 1, "c": 1}), (row.join, {"a": 1, "b": 2, "c": 1, "d": 3})):
        other = disruption(picker, policy.build(pool))
        assert (change.moved, change.minimal, change.excess) == (other.moved, other.minimal, other.excess)
    # the clock ticks once in a round
    assert (row.build, row.pick, row.bulk) == (1.0, 1 / 500, 1 / 500)


def test_who_leaves_and_joins_by_default():
    row = row_of(lb.Rendezvous())
    assert set(row.leave.losers) == {"c"}
    assert row.leave.moved == pytest.approx(1 / 4)
    assert set(row.join.gainers) == {"new"}
    assert row.join.moved == pytest.approx((4 / 3) / (4 + 4 / 3))
    assert row_of(lb.Rendezvous(), lb.View.of(["new"])).join.gainers == ("new'",)


def test_movement_that_cannot_be_exact_is_on_the_keys():
    view = lb.View.of(POOL, factors={"a": 0.5})
    row = row_of(lb.Maglev(table_size=211), view)
    assert (row.join.method, row.join.keys) == (Method.SAMPLE, 500)


@pytest.mark.parametrize(
    "policy, view, reason, has",
    [
        (lb.Jump(), POOL, "weights", ()),
        (lb.Maglev(table_size=2), POOL, "table_size", ()),
        (lb.RoundRobin(), POOL, "takes no key", ("structure", "sample", "bulk")),
        (lb.Random(), POOL, "takes no key", ("structure", "sample", "bulk")),
        (lb.Maglev(), lb.View.of({"a": 1}), "leave: the pool has no backends", ("structure", "sample", "bulk", "join")),
        (lb.Maglev(), lb.View.of({"a": 0}), "no backend is eligible", ()),
    ],
)
def test_reasons(policy, view, reason, has):
    row = row_of(policy, view)
    assert reason in row.reason
    assert {name for name in ("structure", "sample", "leave", "join", "bulk") if getattr(row, name)} == set(has)


def test_jump_takes_part_where_it_can():
    view = lb.View.of(["a", "b", "c"])
    assert row_of(lb.Jump(), view).leave.moved == pytest.approx(1 / 3)
    row = row_of(lb.Jump(), view, leaves="a")
    assert row.leave is None
    assert row.reason.startswith("leave: ")
    assert row.join.moved == pytest.approx(1 / 4)


class ByLoad:
    """A policy whose pickers do not decide by ticket."""

    def build(self, view, *, previous=None):
        return self

    def pick(self, key=None):
        return None


def test_deciding_by_load_is_no_share():
    row = row_of(ByLoad())
    assert row.reason.startswith("decides by load")
    assert (row.structure, row.pick) == (None, 1 / 500)


def test_refusals():
    with pytest.raises(lb.ConfigError, match="keys"):
        row_of(lb.Maglev(), keys=[])
    with pytest.raises(TypeError):
        row_of(lb.Maglev(), keys=[1.5])
    with pytest.raises(lb.UnknownBackend):
        row_of(lb.Maglev(), leaves="z")
    with pytest.raises(lb.DuplicateBackend):
        row_of(lb.Maglev(), joins=lb.Endpoint("a"))
