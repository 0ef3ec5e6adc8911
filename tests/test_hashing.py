"""Keys, hashers and bulk hashing: every accepted form equals one key at a time, every other is refused by name."""

import json
import pickle
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import mix64

SECRET = b"an open secret!!"
HASHERS = [lb.XXH64(), lb.XXH3(), lb.Murmur3(), lb.SipHash(SECRET), len]
ANY = pytest.mark.parametrize("hasher", HASHERS, ids=lambda h: getattr(h, "__name__", type(h).__name__))
TEXTS = ["", "a", "user-17", "naïve", "日本", "🦊", "x" * 100]


def one_by_one(keys, **how):
    return [lb.hash_key(key, **how) for key in keys]


@ANY
def test_many_keys_equal_each_key(hasher):
    how = {"hasher": hasher, "seed": 0 if isinstance(hasher, lb.SipHash) else 5}
    binary = [t.encode() for t in TEXTS]
    mixed = [*TEXTS, *binary, bytearray(b"ab"), memoryview(b"abcd")[::2], 0, 2**64 - 1]
    for keys in (mixed, tuple(mixed), dict.fromkeys(TEXTS), np.array(TEXTS, object)):
        assert lb.hash_many(keys, **how).tolist() == one_by_one(keys, **how)
    assert lb.hash_many(iter(mixed), **how).tolist() == one_by_one(mixed, **how)
    assert lb.hash_many((t for t in TEXTS), **how).tolist() == one_by_one(TEXTS, **how)
    assert lb.hash_many(np.array(TEXTS), **how).tolist() == one_by_one(TEXTS, **how)
    assert lb.hash_many(np.array(binary), **how).tolist() == one_by_one(binary, **how)
    if hasattr(np.dtypes, "StringDType"):  # from NumPy 2 on
        strings = np.array(TEXTS, np.dtypes.StringDType())
        assert lb.hash_many(strings, **how).tolist() == one_by_one(TEXTS, **how)
        assert lb.hash_many(strings[::-2], **how).tolist() == one_by_one(TEXTS[::-2], **how)
    for texts in (
        np.array(TEXTS, ">U100"),
        np.array(TEXTS)[::2],
        np.array([b"a\0b", b"", b"\0"]),
        np.array(["a\0b", ""]),
    ):
        assert lb.hash_many(texts, **how).tolist() == one_by_one(texts.tolist(), **how)
    for dtype in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", ">u8", ">i4"):
        top = int(np.iinfo(dtype).max)
        assert lb.hash_many(np.array([0, 1, top], dtype), **how).tolist() == one_by_one([0, 1, top], **how)
    assert lb.hash_many(np.arange(20, dtype=np.uint64)[::3], **how).tolist() == one_by_one(range(0, 20, 3), **how)
    data, edges = b"".join(binary), np.cumsum([0, *map(len, binary)])
    for buffer in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        for offsets in (edges, edges.tolist(), edges.astype(np.uint32), tuple(edges.tolist())):
            assert lb.hash_many((buffer, offsets), **how).tolist() == one_by_one(binary, **how)
    for empty in ([], (), np.array([], np.uint64), np.array([], "S"), (b"", [0]), (b"abc", [1])):
        none = lb.hash_many(empty, **how)
        assert none.dtype == np.uint64
        assert len(none) == 0


@given(st.lists(st.binary(max_size=40)), st.integers(0, 2**64 - 1))
def test_offset_buffers(keys, seed):
    edges = np.cumsum([0, *map(len, keys)])
    assert lb.hash_many((b"".join(keys), edges), seed=seed).tolist() == one_by_one(keys, seed=seed)


@given(st.lists(st.binary(max_size=40)), st.sampled_from(["=i4", "=i8", "=u4", "=u8", ">i4", ">i8"]))
def test_any_object_that_gives_a_buffer_is_one_of_an_offset_buffer(keys, dtype):
    """As Arrow's arrays have them: without NumPy, offsets are a memoryview of integers or an array.array."""
    edges = np.cumsum([0, *map(len, keys)]).astype(dtype)
    wide = memoryview(edges.tobytes()).cast("i" if dtype[-1] == "4" else "q")
    raw = b"".join(keys)
    for data in (raw, array("B", raw), memoryview(bytearray(raw))):
        for offsets in (memoryview(edges), wide) if dtype[0] == "=" else (memoryview(edges),):
            assert lb.hash_many((data, offsets)).tolist() == one_by_one(keys)
        assert lb.hash_many((data, array("q", edges.tolist()))).tolist() == one_by_one(keys)
    assert lb.RingHash().build(["a", "b"]).tickets((raw, memoryview(edges))).tolist() == one_by_one(keys)


def test_offsets_too_large_are_named_as_they_are():
    with pytest.raises(lb.ConfigError, match=str(2**63 + 1)):
        lb.hash_many((b"abc", np.array([0, 2**63 + 1], np.uint64)))


def test_a_pair_of_keys_is_no_offset_buffer():
    for pair in ((b"ab", b"cd"), (b"ab", "cd"), ("ab", "cd"), (1, 2), (b"ab", 7), (b"ab", memoryview(b"cd"))):
        assert lb.hash_many(pair).tolist() == one_by_one(pair)


@pytest.mark.parametrize(
    ("keys", "parameter"),
    [
        ("abc", "keys"),
        (b"abc", "keys"),
        (7, "keys"),
        (np.array(7), "keys"),
        (np.ones((2, 2), np.uint64), "keys"),
        (np.array([3, -1]), "keys"),
        (["a", -1], "key"),
        ([2**64], "key"),
        (["\ud800"], "key"),
        (np.array(["\ud800"]), "key"),
        ((b"abc", []), "offsets"),
        ((b"abc", [[0, 1]]), "offsets"),
        ((b"abc", [0.0, 1.0]), "offsets"),
        ((b"abc", [0, 4]), "offsets"),
        ((b"abc", [-1, 2]), "offsets"),
        ((b"abc", [2, 1]), "offsets"),
        ((b"abc", [0, 2**63]), "offsets"),
        ((b"abc", np.array([0, 2**63 + 1], np.uint64)), "offsets"),
        ((memoryview(b"abcdef")[::2], [0, 1]), "keys"),
        ((np.arange(10, dtype=np.uint8)[::2], [0, 1]), "keys"),
        ((np.array(["pointer"], object), [0, 8]), "keys"),
        ((np.arange(3), [0, 8]), "keys"),
        ((np.zeros((2, 2), np.uint8), [0, 4]), "keys"),
        (np.ma.array([1, 2], mask=[0, 1]), "keys"),
        (np.array(["a", "b\ud800"]), "key"),
        (np.array([0x110000], np.uint32).view("U1"), "key"),
    ],
)
def test_collections_that_are_refused_by_name(keys, parameter):
    with pytest.raises(lb.ConfigError) as error:
        lb.hash_many(keys)
    assert error.value.parameter == parameter


@pytest.mark.parametrize(
    "keys",
    [None, ["a", 1.5], [None], [True], [np.int64(1)], np.array([1.5]), np.array([True]), np.array(["NaT"], "M8[s]")],
)
def test_collections_of_a_wrong_type(keys):
    with pytest.raises(TypeError):
        lb.hash_many(keys)


@pytest.mark.parametrize("key", [None, 1.5, True, ("a",), np.uint64(1), object()])
def test_keys_of_a_wrong_type(key):
    with pytest.raises(TypeError, match=f"not {type(key).__name__}$"):
        lb.hash_key(key)


@pytest.mark.parametrize("key", [-1, 2**64, "\ud800"])
def test_keys_out_of_range(key):
    with pytest.raises(lb.ConfigError) as error:
        lb.hash_key(key)
    assert error.value.parameter == "key"


@pytest.mark.parametrize(
    ("hasher", "seed", "parameter"),
    [
        ("XXH64", 0, "hasher"),
        (None, 0, "hasher"),
        (lb.XXH64, 0, "hasher"),
        (b"looks like a secret", 0, "hasher"),
        (lb.XXH64(), -1, "seed"),
        (lb.XXH64(), 2**64, "seed"),
        (lb.XXH64(), "1", "seed"),
        (lb.XXH64(), True, "seed"),
        (lb.Murmur3(), 2**32, "seed"),
        (lb.SipHash(SECRET), 1, "seed"),
    ],
)
def test_hashers_and_seeds_that_are_refused(hasher, seed, parameter):
    for call in (lb.hash_key, lb.hash_many):
        with pytest.raises(lb.ConfigError) as error:
            call("k" if call is lb.hash_key else ["k"], hasher=hasher, seed=seed)
        assert error.value.parameter == parameter
        assert "looks like a secret" not in str(error.value)


def test_a_function_is_finalised():
    """Its values, though dense and small, spread over 64 bits; the seed enters; zero has no special place."""
    tickets = [lb.hash_key(b"x" * n, hasher=len, seed=3) for n in range(50)]
    assert tickets == [mix64(n ^ mix64(3)) for n in range(50)]
    assert len({t >> 56 for t in tickets}) > 30
    assert lb.hash_key(b"", hasher=len, seed=3) != lb.hash_key(b"", hasher=len)


@pytest.mark.parametrize("secret", ["0123456789abcdef", b"", b"0" * 15, b"0" * 17, bytearray(16), None, 1234])
def test_secrets_of_a_wrong_form_are_not_shown(secret):
    with pytest.raises(lb.ConfigError) as error:
        lb.SipHash(secret)
    assert error.value.parameter == "secret"
    if secret:
        assert str(secret) not in str(error.value)


def test_secrets_show_nowhere_but_travel_by_pickle():
    hasher = lb.SipHash(SECRET)
    policy = lb.Maglev(table_size=101, hasher=hasher)
    picker = policy.build(["a", "b", "c"])
    shown = [
        repr(hasher),
        str(hasher),
        repr(policy),
        repr(picker),
        json.dumps(policy.to_dict()),
        repr(policy.to_dict()),
    ]
    assert not any(form in text for text in shown for form in (SECRET.decode(), SECRET.hex(), repr(SECRET)))
    assert pickle.loads(pickle.dumps(hasher)) == hasher
    again = pickle.loads(pickle.dumps(picker))
    assert again.fingerprint() == picker.fingerprint()
    assert [again.pick(t).id for t in TEXTS] == [picker.pick(t).id for t in TEXTS]
    other = lb.Maglev(table_size=101, hasher=lb.SipHash(bytes(16)))
    assert other != policy
    assert other.build(["a", "b", "c"]).fingerprint() != picker.fingerprint()


def test_plain_data_names_the_hash_and_asks_for_what_it_cannot_hold():
    for hasher in HASHERS[:3]:
        policy = lb.Maglev(hasher=hasher, seed=4)
        data = json.loads(json.dumps(policy.to_dict()))
        assert data["hasher"] == {"type": type(hasher).__name__}
        assert lb.Maglev.from_dict(data) == policy
    for hasher in HASHERS[3:]:
        policy = lb.Maglev(hasher=hasher)
        data = json.loads(json.dumps(policy.to_dict()))
        with pytest.raises(lb.ConfigError) as error:
            lb.Maglev.from_dict(data)
        assert error.value.parameter == "hasher"
        assert lb.Maglev.from_dict(data, hasher=hasher) == policy


def test_a_secret_in_plain_data_is_not_echoed():
    with pytest.raises(lb.ConfigError) as error:
        lb.Maglev.from_dict({"hasher": {"type": "SipHash", "secret": "looks like a secret"}})
    assert "looks like a secret" not in str(error.value) + repr(error.value)


def test_tickets_are_the_picker_s_own_hash():
    for hasher in HASHERS:
        policy = lb.Maglev(table_size=101, hasher=hasher)
        picker = policy.build(["a", "b", "c"])
        tickets = picker.tickets(TEXTS)
        assert tickets.tolist() == one_by_one(TEXTS, hasher=hasher)
        assert [picker.backends[s].id for s in picker.pick_many(tickets)] == [picker.pick(t).id for t in TEXTS]
