"""Checks of fields, and specifications to plain data and back."""

import json

import pytest

from lbalgo import XXH3, XXH64, ConfigError, Maglev, Murmur3, SipHash, State
from lbalgo.spec import check_enum, check_id, check_integer, check_real, enum_from_name, is_prime

BLOB = bytes(range(16))


def reverse(data):
    return int.from_bytes(data[:8], "big")


@pytest.mark.parametrize("hasher", [XXH64(), XXH3(), Murmur3()])
def test_named_hashers_survive_json(hasher):
    policy = Maglev(251, hasher, 7)
    data = json.loads(json.dumps(policy.to_dict()))
    assert data == {"type": "Maglev", "table_size": 251, "hasher": {"type": type(hasher).__name__}, "seed": 7}
    assert Maglev.from_dict(data) == policy


@pytest.mark.parametrize("hasher", [SipHash(BLOB), reverse])
def test_secrets_and_functions_are_supplied_again(hasher):
    policy = Maglev(251, hasher)
    data = json.loads(json.dumps(policy.to_dict()))
    assert BLOB.hex() not in str(data) and str(BLOB) not in repr(policy)
    with pytest.raises(ConfigError) as refused:
        Maglev.from_dict(data)
    assert refused.value.parameter == "hasher"
    assert Maglev.from_dict(data, hasher=hasher) == policy


def test_fields_left_out_take_their_defaults():
    assert Maglev.from_dict({}) == Maglev()


@pytest.mark.parametrize("data", [{"type": "Ring"}, {"size": 7}, {1: 7}, [], "Maglev", {"table_size": 10}])
def test_from_dict_refuses(data):
    with pytest.raises(ConfigError):
        Maglev.from_dict(data)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, 11])
def test_check_integer_refuses(value):
    with pytest.raises(ConfigError) as refused:
        check_integer("n", value, low=1, high=10)
    assert (refused.value.parameter, refused.value.value) == ("n", value)


@pytest.mark.parametrize("value", [True, "1", b"1", None, [1], float("nan"), float("inf"), 10**400, 0, 1.5, 1j])
def test_check_real_refuses(value):
    with pytest.raises(ConfigError, match=r"must be a finite number > 0 and <= 1"):
        check_real("x", value, low=0.0, high=1.0, open_low=True)


def test_check_real_takes_what_is_a_number():
    assert check_real("x", 1, low=0.0, high=1.0) == 1.0


@pytest.mark.parametrize("value", ["", "\ud800", b"a", None, 1])
def test_check_id_refuses(value):
    with pytest.raises(ConfigError):
        check_id(value)


def test_enums_by_name():
    convert = enum_from_name(State)
    assert convert("DRAINING") is State.DRAINING and convert(State.DEGRADED) is State.DEGRADED
    for bad in ("draining", 3, None):
        with pytest.raises(ConfigError):
            convert(bad)
    with pytest.raises(ConfigError):
        check_enum("state", 0, State)


def test_is_prime_against_the_sieve():
    size = 10000
    sieve = bytearray([1]) * size
    sieve[:2] = b"\0\0"
    for n in range(2, 100):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(sieve[n * n :: n]))
    assert [n for n in range(size) if is_prime(n)] == [n for n in range(size) if sieve[n]]
