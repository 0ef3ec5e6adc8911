"""Static strides: against a model in exact fractions, the native kernel, and the counts they promise."""

import struct
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.active import Stride
from lbalgo.compat.grpc import Variant, strides, turn

K = 65535


def single(x):
    """The nearest 32-bit float, as C makes it."""
    return struct.unpack("f", struct.pack("f", x))[0]


def half_up(x):
    return int(x + Fraction(1, 2) if x >= 0 else 0)


def model(weights, variant):
    """The three texts, with every rounding of the originals written out and nothing else rounded."""
    if variant is Variant.GO:
        known = [w for w in weights if w]
        if len(weights) < 2 or len(known) < 2:
            return None
        total = 0.0
        for w in weights:
            total = total + w
        scale = K / max(weights)
        mean = half_up(Fraction(scale * (total / len(known))))
        found = [half_up(Fraction(scale * w)) if w else mean for w in weights]
        return None if set(found) == {mean} else tuple(found)
    weights = [single(w) for w in weights]
    known = [w for w in weights if w]
    if len(weights) < 2 or len(known) < (2 if variant is Variant.JAVA else 1):
        return None
    total = 0.0
    for w in weights:
        total = total + w
    mean = total / len(known)
    top = max(weights)
    if top > 10 * mean:
        top = single(10 * mean)
    scale = float(np.float32(K) / np.float32(top))
    middle = half_up(Fraction(scale * mean))
    if variant is Variant.JAVA:
        least = -int(-Fraction(scale * mean * 0.1) // 1)
    else:
        least = max(1, half_up(Fraction(middle * 0.01)))
    return tuple(max(half_up(Fraction(min(w, top) * scale)), least) if w else middle for w in weights)


weights = st.lists(
    st.sampled_from([0.0, 1.0, 1.0, 2.0, 0.1, 7.0]) | st.floats(1e-6, 1e6) | st.integers(1, 9).map(float), max_size=12
)


@given(weights, st.sampled_from(Variant))
def test_as_the_model(given_weights, variant):
    assert strides(given_weights, variant) == model(given_weights, variant)


@pytest.mark.parametrize(
    ("given_weights", "variant", "expected"),
    [
        ([2.0, 1.0, 0.0], Variant.CORE, (65535, 32768, 49151)),  # unknown counts as the mean 1.5: 49151.25
        ([2.0, 1.0, 0.0], Variant.GO, (65535, 32768, 49151)),
        ([1.0, 0.0], Variant.CORE, (65535, 65535)),  # one known weight: everybody has it
        ([1.0, 0.0], Variant.JAVA, None),
        ([1.0, 0.0], Variant.GO, None),
        ([3.0, 3.0], Variant.CORE, (65535, 65535)),
        ([3.0, 3.0], Variant.GO, None),
        ([0.0, 0.0], Variant.CORE, None),
        ([5.0], Variant.CORE, None),
        ([], Variant.CORE, None),
        ([1.0] * 19 + [1000.0], Variant.CORE, (*[129] * 19, 65535)),  # mean 50.95: 1000 counts as 509.5
    ],
)
def test_by_hand(given_weights, variant, expected):
    assert strides(given_weights, variant) == expected


def test_java_keeps_the_light_ones_at_a_tenth():
    assert strides([1.0] * 10 + [0.001], Variant.JAVA)[10] == 5959  # ceil(65535 * 0.9091818 * 0.1)
    assert strides([1.0] * 10 + [0.001], Variant.CORE)[10] == 596
    assert strides([1.0] * 10 + [0.001], Variant.GO)[10] == 66


@given(st.lists(st.integers(1, K), min_size=1, max_size=5), st.integers(0, 2**31))
def test_turns_are_those_of_the_native_kernel(given_strides, start):
    given_strides[0] = K
    n = len(given_strides)
    native = Stride(np.arange(n, dtype=np.int32), np.array(given_strides, dtype=np.uint32), n)
    sequence = start
    for _ in range(20):
        i, after = turn(given_strides, n, sequence)
        assert native.slot(sequence) == i
        assert after > sequence
        sequence = after


@given(st.lists(st.sampled_from([K, 65534, 40000, 32768, 3]), min_size=1, max_size=4))
def test_in_all_generations_each_is_served_its_stride(given_strides):
    """Endpoint i takes exactly its stride of K turns, whatever the summand, which only shifts them."""
    for i, stride in enumerate(given_strides):
        generation = np.arange(K, dtype=np.int64)
        served = (stride * generation + i * 32767) % K >= K - stride
        assert served.sum() == stride


def test_the_counter_wraps_at_32_bits():
    assert turn(None, 3, 2**32 - 1) == ((2**32 - 1) % 3, 0)
    assert turn((K, K), 2, 2**32 - 1) == (1, 0)


def test_plain_round_robin():
    sequence, got = 0, []
    for _ in range(7):
        i, sequence = turn(None, 3, sequence)
        got.append(i)
    assert got == [0, 1, 2, 0, 1, 2, 0]


def test_shares_follow_weights():
    found, sequence, counts = strides([3.0, 1.0, 2.0]), 5, Counter()
    for _ in range(sum(found)):
        i, sequence = turn(found, 3, sequence)
        counts[i] += 1
    assert [abs(counts[i] - found[i]) <= 1 for i in range(3)] == [True] * 3


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), 1e-40, 1e39, "1", None])
def test_bad_weights(bad):
    with pytest.raises(ConfigError) as refused:
        strides([1.0, bad])
    assert refused.value.parameter == "weights[1]"


def test_bad_variant():
    with pytest.raises(ConfigError, match="variant"):
        strides([1.0, 2.0], "core")
