"""What a compiled pick does beside the general way: keys hashed in place, turns and draws worked out ahead."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import xxh64
from tests.levels import LEVELS, level
from tests.words import unmixed

NAMES = [f"b{i}" for i in range(97)]
PICKER = lb.Maglev(seed=7).build(NAMES)
KEYS: list[bytes] = [bytes(range(33, 33 + n)) for n in range(40)]
NUMBERS = [0, 1, 2**30 - 1, 2**30, 2**60 - 1, 2**60, 2**63, 2**64 - 1]
GAMMA = 0x9E3779B97F4A7C15  # what a generator moves by
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


TURNS = [
    (lb.RoundRobin(), NAMES),
    (lb.RoundRobin(), NAMES[:3]),
    (lb.WeightedRoundRobin(), {"a": 3, "b": 1}),
    (lb.WeightedRoundRobin(), STRIDES),
    (lb.WeightedRoundRobin(), {name: 1 + i**0.5 for i, name in enumerate(NAMES)}),
    (lb.WeightedRoundRobin(max_period=1), {"a": 1, "b": 1e-4, "c": 1e-4}),
    (lb.WeightedRoundRobin(max_period=1), ["alone"]),
    (lb.Random(), STRIDES),
    (lb.Random(), ["alone"]),
    (lb.Maglev(), STRIDES),
]


def one_by_one(picker: Any, count: int) -> Any:
    """Picks `count` times, each beside the head of the next ticket's own order."""
    for _ in range(count):
        expected = next(picker.walk())
        assert picker.pick() is expected


@pytest.mark.parametrize("speed", LEVELS)
@pytest.mark.parametrize(("policy", "members"), TURNS, ids=range(len(TURNS)))
@pytest.mark.parametrize("start", [0, 5, 2**64 - 2**40, 2**64 - 70, 2**64 - 1])
def test_what_was_worked_out_ahead_is_what_is_decided_one_by_one(
    policy: Any, members: Any, start: int, speed: str
) -> None:
    picker = policy.build(members)
    with level(speed):
        for moved in (start, 12345, 3, start, 2**64 - 9):
            picker.reseed(moved)
            one_by_one(picker, 150)


@pytest.mark.parametrize(("policy", "members"), TURNS[:5] + TURNS[7:8] + TURNS[9:], ids=repr)
def test_so_it_is_in_a_thinned_pool(policy: Any, members: Any) -> None:
    backends = policy.build(members).view.backends
    ids = [backend.id for backend in backends]
    states = {ids[1]: lb.State.UNHEALTHY}
    picker = policy.build(lb.View.of(backends, factors={ids[0]: 0.3}, states=states))
    for start in (0, 2**64 - 70):
        picker.reseed(start)
        one_by_one(picker, 150)


@pytest.mark.parametrize("speed", LEVELS)
@pytest.mark.parametrize("before", [0, 1, 7, 8, 127, 128])
def test_a_draw_to_the_last_ticket_of_one_and_the_first_of_another(speed: str, before: int) -> None:
    picker: Any = lb.Random().build({"a": 1, "b": 2, "c": 3, "d": 5})
    edges = [-(-bucket * 2**64 // 4) for bucket in range(5)]
    cuts = []
    for low, high in pairwise(edges):
        if picker.slot(low) != picker.slot(high - 1):
            cuts.append(
                bisect_left(range(low, high), True, key=lambda t, low=low: picker.slot(t) != picker.slot(low)) + low
            )
    assert len(cuts) == 3
    with level(speed):
        for ticket in (cut - back for cut in cuts for back in (0, 1)):
            picker.reseed((unmixed(ticket) - (before + 1) * GAMMA) % 2**64)
            for _ in range(before):
                picker.pick()
            assert picker.backends.index(picker.pick()) == picker.slot(ticket)
    assert all(picker.slot(cut - 1) != picker.slot(cut) for cut in cuts)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=70), st.integers(0, 2**64 - 1))
def test_strides_of_any_weights(weights: list[float], start: int) -> None:
    picker = lb.WeightedRoundRobin(max_period=1).build({f"{i}": w for i, w in enumerate(weights)})
    picker.reseed(start)
    one_by_one(picker, 100)


def test_two_pickers_with_one_cursor_take_turns() -> None:
    for policy, members in TURNS:
        alone, one = policy.build(members), policy.build(members)
        other = policy.build(members, previous=one)
        assert [(one, other)[i % 3 > 0].pick().id for i in range(200)] == [alone.pick().id for _ in range(200)]


@pytest.mark.parametrize("policy", [lb.RoundRobin(), lb.WeightedRoundRobin(), lb.Random(), lb.Maglev()], ids=repr)
def test_nobody_to_turn_to_stays_so_and_takes_no_turn(policy: Any) -> None:
    before = policy.build(NAMES[:3])
    order = [before.pick().id for _ in range(9)]
    before.reseed(0)
    for _ in range(5):
        before.pick()
    everybody = dict.fromkeys(NAMES[:3], lb.State.DRAINING)
    for gone in ([], lb.View.of(before.view.backends, states=everybody)):
        empty = policy.build(gone, previous=before)
        for _ in range(3):
            with pytest.raises(lb.NoBackend):
                empty.pick()
    assert [before.pick().id for _ in range(4)] == order[5:]
