"""What a compiled pick does beside the general way: keys hashed in place, turns and draws worked out ahead."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import xxh64

NAMES = [f"b{i}" for i in range(97)]
PICKER = lb.Maglev(seed=7).build(NAMES)
KEYS: list[bytes] = [bytes(range(33, 33 + n)) for n in range(40)]
NUMBERS = [0, 1, 2**30 - 1, 2**30, 2**60 - 1, 2**60, 2**63, 2**64 - 1]
STRIDES = {f"s{i}": 1 + i**0.5 for i in range(7)}


def by_hash(raw: bytes) -> str:
    """The backend of a key's own bytes, by the hash that is compared with the published one elsewhere."""
    return PICKER.backends[PICKER.slot(xxh64(raw, PICKER.policy.seed))].id


@pytest.mark.parametrize("raw", KEYS, ids=len)
def test_texts_of_every_length_go_where_their_hash_says(raw: bytes) -> None:
    assert PICKER.pick(raw).id == PICKER.pick(raw.decode()).id == by_hash(raw)


@given(st.one_of(st.integers(0, 2**64 - 1), st.sampled_from(NUMBERS)))
def test_numbers_go_where_the_hash_of_their_bytes_says(number: int) -> None:
    assert PICKER.pick(number).id == by_hash(number.to_bytes(8, "little"))


@given(st.text(max_size=20))
def test_any_text_goes_where_the_hash_of_its_utf8_says(text: str) -> None:
    assert PICKER.pick(text).id == by_hash(text.encode())


@pytest.mark.parametrize("key", [-1, 2**64, 2**90, -(2**70)])
def test_numbers_out_of_range_are_refused(key: int) -> None:
    with pytest.raises(lb.ConfigError, match="key"):
        PICKER.pick(key)


@pytest.mark.parametrize("key", [True, 1.0, object])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match="a key is"):
        PICKER.pick(key)


def test_arguments_by_name_and_too_many() -> None:
    assert PICKER.pick(key="k") == PICKER.pick("k") == PICKER.pick("k", exclude=())
    pick: Any = PICKER.pick
    with pytest.raises(TypeError):
        pick("k", ())
    with pytest.raises(TypeError):
        pick(nothing=1)
    loaded: Any = lb.PowerOfTwo().build(NAMES).pick
    assert loaded("k", exclude=NAMES[1:]).id == NAMES[0]
    with pytest.raises(TypeError):
        loaded("k", ())


@pytest.mark.parametrize(
    ("policy", "members"),
    [(lb.WeightedRoundRobin(), STRIDES), (lb.WeightedRoundRobin(), {"a": 3, "b": 1}), (lb.Random(), STRIDES)],
    ids=["strides", "period", "draws"],
)
@pytest.mark.parametrize("start", [0, 5, 2**64 - 20, 2**64 - 1])
def test_what_was_worked_out_ahead_is_what_is_decided_one_by_one(policy: Any, members: Any, start: int) -> None:
    picker = policy.build(members)
    picker.reseed(start)
    for moved in (None, 12345, 3, start, 2**64 - 9):
        if moved is not None:
            picker.reseed(moved)
        for _ in range(37):
            expected = picker.slot(int(picker.tickets([None])[0]))
            assert picker.pick() is picker.backends[expected]


def test_two_pickers_with_one_cursor_take_turns() -> None:
    policy = lb.WeightedRoundRobin()
    alone, one = policy.build(STRIDES), policy.build(STRIDES)
    other = policy.build(STRIDES, previous=one)
    assert [(one, other)[i % 3 > 0].pick().id for i in range(60)] == [alone.pick().id for _ in range(60)]
