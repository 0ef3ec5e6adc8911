"""Balance against brute force: every ticket of a small table, every key of a sample."""

import math

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.measure import Method, balance
from lbalgo.types import State
from tests.statistical.budget import ALPHA

pools = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.sampled_from([0.0, 1.0, 2.0, 3.5]), min_size=1
).filter(lambda pool: any(pool.values()))


@given(pools, st.sampled_from([211, 1009]))
def test_structure_is_every_position(pool, size):
    picker = lb.Maglev(table_size=size).build(pool)
    result = balance(picker)
    owners = [picker.slot(position) for position in range(size)]
    total = sum(pool.values())
    assert result.method is Method.STRUCTURE
    for slot, (id, weight) in enumerate(pool.items()):
        assert result.ids[slot] == id
        assert result.shares[slot] == owners.count(slot) / size
        assert result.targets[slot] == pytest.approx(weight / total)
    ratios = [owners.count(s) / size / (w / total) for s, w in enumerate(pool.values()) if w]
    assert result.peak_to_mean == pytest.approx(max(ratios))
    variance = sum(w / total * (r - 1) ** 2 for w, r in zip([w for w in pool.values() if w], ratios, strict=True))
    assert result.cv == pytest.approx(math.sqrt(variance), abs=1e-12)


@given(pools, st.lists(st.text(max_size=3), min_size=1, max_size=50))
def test_sample_is_every_key(pool, keys):
    picker = lb.Maglev(table_size=211).build(pool)
    result = balance(picker, keys)
    owners = [picker.pick(key).id for key in keys]
    assert (result.method, result.keys, result.distinct) == (Method.SAMPLE, len(keys), len(set(keys)))
    for id, share in zip(result.ids, result.shares, strict=True):
        assert share == owners.count(id) / len(keys)


def test_equal_weights_have_the_usual_coefficient_of_variation():
    result = balance(lb.Maglev(table_size=1009).build([f"b{i}" for i in range(30)]))
    assert result.cv == pytest.approx(result.shares.std() / result.shares.mean())


def test_signals_set_the_target():
    view = lb.View.of({"a": 1, "b": 2, "c": 1, "d": 0}, factors={"b": 0.25}, states={"c": State.UNHEALTHY})
    result = balance(lb.Maglev(table_size=1009).build(view))
    assert result.targets.tolist() == [1 / 1.5, 0.5 / 1.5, 0, 0]
    assert np.isnan(result.ratios[2:]).all()


def test_chi_square_is_of_the_structure_and_of_distinct_keys():
    """A stream repeated ten times says no more against the hash than once; a skewed table is not its fault."""
    picker = lb.Maglev(table_size=11).build([f"b{i}" for i in range(9)])  # two of nine own twice as much
    keys = [f"k{i}" for i in range(5000)]
    once, often = balance(picker, keys), balance(picker, keys * 10 + ["k0"] * 50_000)
    assert once.p > ALPHA
    assert (once.chi2, once.p, once.freedom) == (often.chi2, often.p, 8)
    counts = np.bincount(picker.pick_many(picker.tickets(keys)), minlength=9)
    expected = picker.shares() * 5000
    assert once.chi2 == pytest.approx(((counts - expected) ** 2 / expected).sum())


class Askew:
    """Says it halves the tickets, and gives 52 % of them to the first backend."""

    backends = (lb.Endpoint("a"), lb.Endpoint("b"))

    def tickets(self, keys):
        return np.asarray(keys, dtype=np.uint64)

    def pick_many(self, tickets):
        return (tickets % 100 >= 52).astype(np.int32)

    def slot(self, ticket):
        return int(ticket % 100 >= 52)

    def shares(self):
        return np.array([0.5, 0.5])

    def fingerprint(self):
        return 0


def test_chi_square_notices_what_is_not_the_structures():
    result = balance(Askew(), range(10_000))
    assert result.chi2 == pytest.approx(16.0)
    assert result.p == pytest.approx(6.334e-5, rel=1e-3)


def test_pooled_cells():
    picker = lb.Maglev(table_size=1009).build({"big": 1.0, **{f"s{i}": 0.002 for i in range(20)}})
    few = balance(picker, range(300))  # the small ones expect 0.6 keys each: pooled to 11.5
    assert few.freedom == 1
    assert balance(picker, range(40)).chi2 is None  # 1.5 expected in the pool: nothing to test


def test_rotation_is_no_sample():
    result = balance(lb.RoundRobin().build(["a", "b", "c"]), range(300))
    assert result.shares.tolist() == [1 / 3] * 3
    assert (result.chi2, result.p) == (None, None)


def test_random_is_tested():
    assert balance(lb.Random().build({"a": 1, "b": 3}), range(10_000)).p > ALPHA


def test_refusals():
    with pytest.raises(lb.ConfigError, match="picker"):
        balance(object())
    with pytest.raises(lb.ConfigError, match="keys"):
        balance(lb.Maglev().build(["a"]), [])
    with pytest.raises(lb.NoBackend):
        balance(lb.Maglev().build([]))
    with pytest.raises(lb.NoBackend):
        balance(lb.Maglev().build({"a": 0}), ["k"])


def test_columns_make_a_data_frame():
    frame = pandas.DataFrame(balance(lb.Maglev().build({"a": 2, "b": 1})).columns())
    assert frame.shape == (2, 4)
    assert frame.set_index("id").loc["a", "ratio"] == pytest.approx(1.0, abs=1e-3)
