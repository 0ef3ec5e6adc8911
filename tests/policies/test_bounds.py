"""Every bound a policy puts on what it is given, from both sides: the last that is taken, the first that is refused."""

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.policies import multi_probe
from lbalgo.policies.table_layout import TableLayout

LARGEST = 2**31 - 1  # a prime, as Mersenne knew; the next one is 2**31 + 11
LAYOUT = TableLayout.of(("a", "b"), [0, 1, 1], [0, 0, 1])
DATA = LAYOUT.to_dict()


@pytest.mark.parametrize("size", [2, 3, LARGEST])
def test_primes_of_31_bits_are_table_sizes(size):
    assert lb.Maglev(size).table_size == lb.StableTable(size).table_size == size


def test_as_many_backends_as_positions_have_one_each():
    for policy in (lb.Maglev(3), lb.StableTable(3)):
        assert (policy.build(["a", "b", "c"]).shares() * 3).round().tolist() == [1, 1, 1]


def test_one_counter_for_each_key_that_could_be_hot_is_enough():
    assert lb.HotKeySpread(lb.Maglev(), share=0.1, capacity=10).build(["a"]).sketch.capacity == 10


def test_a_probed_ring_has_as_many_points_as_a_ring_may_have(monkeypatch):
    monkeypatch.setattr(multi_probe, "MAX_POINTS", 6)
    assert lb.MultiProbe(points=2).build({"a": 2, "b": 1}).structure.ring.size == 6
    with pytest.raises(lb.ConfigError) as refused:
        lb.MultiProbe(points=7).build(["a"])
    assert (refused.value.parameter, refused.value.value) == ("points", 7)


def test_a_layout_of_many_ids_comes_back_from_data():
    wide = TableLayout.of([f"b{k:02}" for k in range(97)], np.arange(97), np.arange(97)[::-1])
    assert TableLayout.from_dict(wide.to_dict()) == wide
    assert TableLayout.from_dict({k: v for k, v in wide.to_dict().items() if k != "type"}) == wide


def test_ids_that_differ_by_what_arrays_of_text_drop():
    """NumPy's own strings end at the last character that is not NUL."""
    one, two = (TableLayout.of((name,), [0, 0, 0], [0, 0, 0]) for name in ("a", "a\0"))
    assert one.changed(two).tolist() == two.changed(one).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "parameter", "value"),
    [
        (lambda: lb.Maglev(2**31 + 11), "table_size", 2**31 + 11),
        (lambda: lb.Maglev(7).build({"a": 1.0, "b": 1e-310}), "weights['b']", 1e-310),  # 1 / 1e-310 overflows
        (lambda: lb.Jump().build({"z": 0.0, "a": 1.0, "b": 0.5}), "weights['b']", 0.5),
        (lambda: lb.JumpBack().build({"z": 0.0, "a": 1.0, "b": 0.5}), "weights['b']", 0.5),
        (lambda: lb.JumpBack(seats=("a", "b", "b")), "id", "b"),
        (lambda: TableLayout(("a", 7), bytes(4), bytes(4)), "ids", 7),
        (lambda: TableLayout(("", "a"), bytes(4), bytes(4)), "ids", ""),
        (lambda: TableLayout(("a", "b", "b"), bytes(4), bytes(4)), "id", "b"),
        (lambda: TableLayout(("a",), b"\1\0\0\0", bytes(4)), "owners", b"\1\0\0\0"),
        (lambda: TableLayout.of(("a",), [0], [1]), "previous", [1]),
        (lambda: LAYOUT.changed(7), "other", 7),
        (lambda: TableLayout.from_dict({**DATA, "type": "Other"}), "type", "Other"),
        (lambda: TableLayout.from_dict({**DATA, "owners": [2**31, 0, 0]}), "owners", [2**31, 0, 0]),
        (lambda: TableLayout.from_dict({**DATA, "previous": [2**32, 0, 0]}), "previous", [2**32, 0, 0]),
    ],
)
def test_refused(make, parameter, value):
    with pytest.raises(lb.ConfigError) as refused:
        make()
    assert (refused.value.parameter, refused.value.value) == (parameter, value)
