"""Disruption against brute force over every position, and the laws every measurement of it obeys."""

from collections import Counter

import numpy as np
import pandas
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.measure import Method, balance, disruption
from lbalgo.types import State
from tests.statistical.budget import assert_binomial

ids = st.text("abcdef", min_size=1, max_size=2)
pools = st.dictionaries(ids, st.sampled_from([0.0, 1.0, 2.0, 3.5]), min_size=1, max_size=9).filter(
    lambda pool: any(pool.values())
)
SIZE = 211
POLICY = lb.Maglev(table_size=SIZE)


def brute_force(before, after, tickets):
    flows = Counter((before.backends[before.slot(t)].id, after.backends[after.slot(t)].id) for t in tickets)
    return {pair: count for pair, count in flows.items() if pair[0] != pair[1]}


def flows_of(result):
    return dict(zip(zip(result.losers, result.gainers, strict=True), result.amounts, strict=True))


def check_laws(result, before, after):
    flows = flows_of(result)
    assert result.moved == pytest.approx(sum(flows.values()), abs=1e-12)
    assert result.moved == pytest.approx(result.minimal + result.excess, abs=1e-12)
    assert 0 <= result.minimal <= result.moved + 1e-15
    assert 0 <= result.excess <= result.moved + 1e-15
    if result.exact:
        old, new = (dict(zip(b.ids, b.shares, strict=True)) for b in (balance(before), balance(after)))
        minimal = sum(max(0.0, share - new.get(id, 0.0)) for id, share in old.items())
        assert result.minimal == pytest.approx(minimal, abs=1e-9)


@given(pools, pools)
def test_tables_position_by_position(old, new):
    before, after = POLICY.build(old), POLICY.build(new)
    result = disruption(before, after)
    assert (result.method, result.exact, result.error) == (Method.STRUCTURE, True, 0.0)
    expected = brute_force(before, after, range(SIZE))
    assert {pair: round(x * SIZE, 9) for pair, x in flows_of(result).items()} == expected
    check_laws(result, before, after)


@given(pools, st.data())
def test_failed_backends_stay_exact(pool, data):
    """Certain coins leave the owner a function of the position; uncertain ones do not, and are sampled."""
    view = lb.View.of(pool)
    down = data.draw(st.sets(st.sampled_from(sorted(pool))))
    before = POLICY.build(view)
    sick = lb.View.of(view, states=dict.fromkeys(down, State.UNHEALTHY), panic_below=0.0)
    assume(sick.eligible.any())
    after = POLICY.build(sick, previous=before)
    result = disruption(before, after)
    if result.exact:
        expected = brute_force(before, after, range(SIZE))
        assert {pair: round(x * SIZE, 9) for pair, x in flows_of(result).items()} == expected
        # what a position does, every ticket of it does
        assert brute_force(before, after, range(SIZE * 1000, SIZE * 1001)) == expected
    check_laws(result, before, after)
    assert set(result.losers) <= down


def test_warming_is_sampled():
    pool = ["a", "b", "c"]
    before = POLICY.build(pool)
    after = POLICY.build(lb.View.of(pool, factors={"a": 0.5}), previous=before)
    result = disruption(before, after)
    assert result.method is Method.SAMPLE
    # the coins accept half of a's positions, to which its share is known exactly
    assert_binomial(round(result.moved * result.keys), result.keys, balance(before).shares[0] / 2)
    assert result.excess == 0


@given(pools)
def test_nothing_moves_between_equals(pool):
    before = POLICY.build(pool)
    after = POLICY.build(dict(reversed(pool.items())))
    for keys in (None, ["a", "b", "c"]):
        result = disruption(before, after, keys)
        assert (result.moved, result.minimal, result.excess, result.losers) == (0.0, 0.0, 0.0, ())


@given(pools, pools, st.lists(st.integers(0, 99), min_size=1, max_size=60))
def test_keys_one_by_one(old, new, keys):
    before, after = POLICY.build(old), POLICY.build(new)
    result = disruption(before, after, keys)
    moved = Counter((before.pick(k).id, after.pick(k).id) for k in keys)
    expected = {pair: count / len(keys) for pair, count in moved.items() if pair[0] != pair[1]}
    assert flows_of(result) == pytest.approx(expected)
    assert (result.method, result.keys) == (Method.SAMPLE, len(keys))
    check_laws(result, before, after)


@given(pools, pools)
def test_backwards_is_the_mirror(old, new):
    there = disruption(POLICY.build(old), POLICY.build(new))
    back = disruption(POLICY.build(new), POLICY.build(old))
    assert (there.moved, there.minimal, there.excess) == (back.moved, back.minimal, back.excess)
    assert flows_of(there) == {(j, i): x for (i, j), x in flows_of(back).items()}


def test_standard_error_counts_repeats():
    """Ten copies of a stream are no more evidence than one."""
    before, after = lb.Maglev().build(["a", "b"]), lb.Maglev().build(["a", "b", "c"])
    once, often = disruption(before, after, range(1000)), disruption(before, after, list(range(1000)) * 10)
    assert once.moved == often.moved
    assert once.error == pytest.approx(often.error) == pytest.approx((once.moved * (1 - once.moved) / 1000) ** 0.5)


def test_sample_agrees_with_structure():
    pool = {f"b{i}": 1 + i % 3 for i in range(20)}
    before, after = lb.Maglev().build(pool), lb.Maglev().build({**pool, "new": 2})
    exact, sampled = disruption(before, after), disruption(before, after, np.arange(100_000, dtype=np.uint64))
    assert_binomial(round(sampled.moved * 100_000), 100_000, exact.moved)


def test_other_hash_is_sampled():
    """With another seed every key's ticket is drawn anew: it stays by chance alone."""
    before, after = lb.Maglev().build({"a": 1, "b": 3}), lb.Maglev(seed=1).build({"a": 1, "b": 3})
    result = disruption(before, after)
    assert result.method is Method.SAMPLE
    law = 1 - (balance(before).shares * balance(after).shares).sum()
    assert_binomial(round(result.moved * result.keys), result.keys, law)


def test_other_size_is_sampled():
    result = disruption(lb.Maglev(table_size=211).build(["a", "b"]), lb.Maglev(table_size=223).build(["a", "b"]))
    assert result.method is Method.SAMPLE


def test_refusals():
    maglev = lb.Maglev().build(["a"])
    with pytest.raises(lb.ConfigError, match=r"before.*takes no key"):
        disruption(lb.RoundRobin().build(["a"]), maglev)
    with pytest.raises(lb.ConfigError, match=r"after.*takes no key"):
        disruption(maglev, object())
    with pytest.raises(lb.ConfigError, match="keys"):
        disruption(maglev, maglev, [])
    with pytest.raises(lb.NoBackend):
        disruption(maglev, lb.Maglev().build([]))


def test_keys_may_be_an_iterator():
    before, after = POLICY.build(["a", "b"]), POLICY.build(["a"])
    assert disruption(before, after, iter(range(100))).moved == disruption(before, after, range(100)).moved


def test_columns_make_a_data_frame():
    frame = pandas.DataFrame(disruption(POLICY.build(["a", "b", "c"]), POLICY.build(["a", "b"])).columns())
    assert frame["share"].sum() == pytest.approx(balance(POLICY.build(["a", "b", "c"])).shares[2], abs=0.02)
    assert (frame["share"].diff().dropna() <= 0).all()
