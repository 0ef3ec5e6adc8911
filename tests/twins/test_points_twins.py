"""The compiled points and rounds equal the plain ones, and both equal their specifications."""

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import lbalgo.reference.points as plain
from lbalgo import ConfigError
from lbalgo.reference.hashing import mix64
from tests.both import both
from tests.levels import at_every_level

MODULES = both("points")
BOTH = pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
PREFIXES = st.lists(st.one_of(st.binary(max_size=70), st.text(max_size=30).filter(lambda t: t.isascii())), min_size=1)


@BOTH
@given(data=st.data())
def test_numbered(module, data):
    prefixes = data.draw(PREFIXES)
    counts = data.draw(st.lists(st.integers(0, 120), min_size=len(prefixes), max_size=len(prefixes)))
    kind, seed = data.draw(st.sampled_from([0, 1])), data.draw(st.integers(0, 2**64 - 1))
    separator = data.draw(st.binary(max_size=3))
    out = module.numbered(prefixes, counts, kind, seed, separator)
    raw = [(p.encode() if isinstance(p, str) else p) + separator for p in prefixes]
    texts = [p + b"%d" % k for p, n in zip(raw, counts, strict=True) for k in range(n)]
    digest = xxhash.xxh64_intdigest if kind == 0 else plain.murmur64a
    assert out.dtype == np.uint64
    assert out.tolist() == [digest(t, seed) for t in texts]


GAMMA = 0x9E3779B97F4A7C15


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 40)), min_size=1, max_size=20))
def test_derived(given):
    starts, counts = np.array([s for s, _ in given], np.uint64), [n for _, n in given]
    wanted = [mix64((s + j * GAMMA) % 2**64) for s, n in given for j in range(1, n + 1)]
    assert plain.derived(starts, counts).tolist() == wanted
    for out in at_every_level(lambda: MODULES[-1].derived(starts, counts)):
        assert out.dtype == np.uint64
        assert out.tolist() == wanted


@BOTH
def test_many_digits(module):
    (last,) = {
        int(module.numbered([b"k"], [n], 0)[-1]) == xxhash.xxh64_intdigest(b"k%d" % (n - 1)) for n in (1001, 10002)
    }
    assert last


@BOTH
def test_murmur(module):
    """libstdc++'s std::hash of these strings, from the published algorithm by another hand."""
    assert module.murmur64a(b"", 0) == 0
    assert module.murmur64a(b"seedless") == module.murmur64a(b"seedless", 0)
    for n in range(40):
        data = bytes(range(n))
        m, mask = 0xC6A4A7935BD1E995, 2**64 - 1
        h = (7 ^ (n * m)) & mask
        words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, n - n % 8, 8)]
        for k in words:
            k = k * m & mask
            k = (k ^ k >> 47) * m & mask
            h = (h ^ k) * m & mask
        if n % 8:
            h = (h ^ int.from_bytes(data[n - n % 8 :], "little")) * m & mask
        h = (h ^ h >> 47) * m & mask
        assert module.murmur64a(data, 7) == h ^ h >> 47


RATES = st.one_of(
    st.integers(1, 10).map(float), st.floats(1e-6, 1.0), st.sampled_from([1e-12, 1 / 3, 0.1, 1e9, 2.0**-52])
)


@given(st.lists(RATES, min_size=1, max_size=12), st.integers(1, 600))
def test_rounds(weights, size):
    if max(weights) / min(weights) > 1e7:
        weights = [max(w, max(weights) * 1e-7) for w in weights]
    wanted = plain.rounds(weights, size).tolist()
    for module in MODULES:
        turns = module.rounds(weights, size)
        assert turns.dtype == np.int32
        assert turns.tolist() == wanted
    if len(set(weights)) > 1:
        assert len(wanted) == size
        first = wanted[: len(weights)]
        assert first == list(range(min(len(weights), size))), "in the first round everybody has a turn"
    else:
        assert wanted == list(range(min(len(weights), size)))


SHARES = st.one_of(st.floats(1e-3, 1.0), st.sampled_from([0.5, 1 / 3, 1.0, 5e-324, 1.0 - 2.0**-53]))
PHASES = st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.5, 1.0 - 2.0**-53]))


@given(st.data(), st.integers(1, 60), st.booleans(), st.integers(1, 600))
def test_phased(data, n, crowded, size):
    """Also all turns at one time, which crowds a bucket."""
    rates = [*data.draw(st.lists(SHARES, min_size=n, max_size=n)), 1.0]
    phases = data.draw(st.lists(PHASES, min_size=n + 1, max_size=n + 1))
    if crowded:
        rates, phases = [1.0] * (n + 1), [phases[0]] * (n + 1)
    times = [
        ((k - phase) / rate, i)
        for i, (phase, rate) in enumerate(zip(phases, rates, strict=True))
        for k in range(1, size + 1)
    ]
    wanted = [i for _, i in sorted(times)[:size]]
    for module in MODULES:
        turns = module.phased(phases, rates, size)
        assert turns.dtype == np.int32
        assert turns.tolist() == wanted


@BOTH
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda m: m.numbered([], [], 0), "prefixes"),
        (lambda m: m.numbered("ab", [1, 1], 0), "prefixes"),
        (lambda m: m.numbered([1], [1], 0), "prefixes"),
        (lambda m: m.numbered([b"a"], [1, 2], 0), "counts"),
        (lambda m: m.numbered([b"a"], [-1], 0), "counts"),
        (lambda m: m.numbered([b"a"], [1.5], 0), "counts"),
        (lambda m: m.numbered([b"a"], [1], 2), "kind"),
        (lambda m: m.numbered([b"a"], [1], True), "kind"),
        (lambda m: m.numbered([b"a"], [1], 0, -1), "seed"),
        (lambda m: m.numbered([b"a"], [1], 0, 0, 5), "separator"),
        (lambda m: m.murmur64a(b"a", 2**64), "seed"),
        (lambda m: m.derived([], []), "starts"),
        (lambda m: m.derived([2**64], [1]), "starts"),
        (lambda m: m.derived([0.5], [1]), "starts"),
        (lambda m: m.derived([1], [1, 2]), "counts"),
        (lambda m: m.derived([1], [-1]), "counts"),
        (lambda m: m.phased([0.5], [0.5], 3), "rates"),
        (lambda m: m.phased([0.5], [2.0], 3), "rates"),
        (lambda m: m.phased([0.5], [0.0], 3), "rates"),
        (lambda m: m.phased([1.0], [1.0], 3), "phases"),
        (lambda m: m.phased([float("nan")], [1.0], 3), "phases"),
        (lambda m: m.phased([0.5, 0.5], [1.0], 3), "phases"),
        (lambda m: m.phased(["a"], [1.0], 3), "phases"),
        (lambda m: m.phased([0.5], [1.0], 0), "size"),
        (lambda m: m.rounds([], 3), "weights"),
        (lambda m: m.rounds([1.0, 0.0], 3), "weights"),
        (lambda m: m.rounds([1.0, float("inf")], 3), "weights"),
        (lambda m: m.rounds([[1.0]], 3), "weights"),
        (lambda m: m.rounds(["a"], 3), "weights"),
        (lambda m: m.rounds([1.0], 0), "size"),
    ],
)
def test_refused(module, call, name):
    with pytest.raises(ConfigError) as refused:
        call(module)
    assert refused.value.parameter == name
