"""Key hashing compiled and plain: every kind of key, every form of bulk, the same tickets and the same errors."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo.kernels import hashing as compiled
from lbalgo.reference import hashing as plain
from tests.levels import LEVELS, at_every_level, lanes, level

KINDS = range(4)
WORDS = st.integers(0, 2**64 - 1)
LATIN1 = st.text(st.characters(max_codepoint=0xFF), min_size=1)
UCS2 = st.text(st.characters(min_codepoint=0x100, max_codepoint=0xFFFF, codec="utf-8"), min_size=1)
UCS4 = st.text(st.characters(min_codepoint=0x10000), min_size=1)
TEXT = st.one_of(st.text(st.characters(max_codepoint=0x7F)), LATIN1, UCS2, UCS4, st.text())


class Text(str):
    __slots__ = ()


class Bytes(bytes):
    __slots__ = ()


class Number(int):
    __slots__ = ()


KEYS = st.one_of(
    TEXT,
    TEXT.map(Text),
    st.binary(max_size=80),
    st.binary().map(Bytes),
    st.binary().map(bytearray),
    st.binary().map(memoryview),
    st.tuples(st.binary(), st.integers(1, 4)).map(lambda p: memoryview(p[0])[:: p[1]]),
    st.binary().map(lambda b: memoryview(b)[::-1]),
    st.lists(WORDS, max_size=4).map(lambda w: memoryview(np.array(w, np.uint64))),
    WORDS,
    st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]),
    WORDS.map(Number),
)
RANGE = st.sampled_from(
    ["\ud800", "a\udfffb", Text("\ud800"), -1, -(2**63), -(2**70), 2**64, 2**200, Number(-1)],
)
ALIEN = st.sampled_from(
    [True, False, None, 1.0, float("nan"), 1j, (), ["a"], np.uint64(1), np.int8(1), np.float64(1), object]
)

WRONG = st.one_of(RANGE, ALIEN)


def function(data):
    return int.from_bytes(data[:9], "big") % 2**64 + len(data) % 3


def machines(kind, seed, k0, k1):
    return [m.KeyHasher(kind, seed, k0, k1, function if kind >= 2 else None) for m in (compiled, plain)]


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except Exception as error:
        return type(error), error.args


@given(KEYS, st.sampled_from(KINDS), WORDS, WORDS, WORDS)
def test_keys(key, kind, seed, k0, k1):
    fast, slow = machines(kind, seed, k0, k1)
    assert (fast.kind, fast.seed) == (slow.kind, slow.seed)
    assert outcome(fast, key) == outcome(slow, key)
    raw = plain.key_bytes(key)
    assert outcome(slow, key) == outcome(slow, raw)


@given(WRONG, st.sampled_from(KINDS))
def test_wrong_keys(key, kind):
    fast, slow = machines(kind, 0, 0, 0)
    assert outcome(fast, key) == outcome(slow, key)
    assert isinstance(outcome(fast, key), tuple)


@given(st.lists(KEYS, max_size=12), st.one_of(st.none(), WRONG), st.sampled_from(KINDS), WORDS)
def test_sequences(keys, wrong, kind, seed):
    if wrong is not None:
        keys = [*keys, wrong]
    results = []
    for machine in machines(kind, seed, 1, 2):
        out = np.zeros(len(keys), np.uint64)
        results.append((outcome(machine.sequence, keys, out), out.tolist()))
    assert results[0] == results[1]


@given(st.lists(WORDS, max_size=40), st.sampled_from(KINDS), WORDS)
def test_words(words, kind, seed):
    results = []
    for machine in machines(kind, seed, 1, 2):
        out = np.zeros(len(words), np.uint64)
        results.append((outcome(machine.words, np.array(words, np.uint64), out), out.tolist()))
        if results[-1][0] is None:
            assert out.tolist() == [machine(word) for word in words]
    assert results[0] == results[1]


@given(st.binary(), st.lists(st.integers(0, 10**6), max_size=20), st.sampled_from(KINDS), WORDS)
def test_spans(data, cuts, kind, seed):
    edges = np.array(sorted(c % (len(data) + 1) for c in cuts) or [0], np.int64)
    results = []
    for machine in machines(kind, seed, 1, 2):
        out = np.zeros(len(edges) - 1, np.uint64)
        done = outcome(machine.spans, np.frombuffer(data, np.uint8), edges, out)
        results.append((done, out.tolist()))
        if done is None:
            assert out.tolist() == [machine(data[a:b]) for a, b in itertools.pairwise(edges)]
    assert results[0] == results[1]


NULS = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from([0, 0, 0, 65, 255]), max_size=9).map(bytes))


@given(st.lists(NULS, max_size=12), st.integers(1, 40), st.sampled_from(KINDS), WORDS)
def test_cells(keys, width, kind, seed):
    cells = [key[:width].ljust(width, b"\0") for key in keys]
    data = np.frombuffer(b"".join(cells), np.uint8)
    results = []
    for machine in machines(kind, seed, 1, 2):
        out = np.zeros(len(keys), np.uint64)
        results.append((outcome(machine.cells, data, width, out), out.tolist()))
        if results[-1][0] is None:
            assert out.tolist() == [machine(cell.rstrip(b"\0")) for cell in cells]
    assert results[0] == results[1]


RUNES = st.one_of(
    st.integers(0, 0x7F), st.just(0), st.integers(0x80, 0xD7FF), st.integers(0xE000, 0x10FFFF),
    st.sampled_from([0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]),
)  # fmt: skip
NO_RUNES = st.one_of(st.integers(0xD800, 0xDFFF), st.sampled_from([0xD800, 0xDFFF, 0x110000, 2**32 - 1]))


@given(
    st.integers(1, 6),
    st.lists(st.lists(RUNES, max_size=6), max_size=8),
    st.one_of(st.none(), st.tuples(st.integers(0, 50), NO_RUNES)),
    st.sampled_from(KINDS),
    WORDS,
)
def test_runes(width, texts, wrong, kind, seed):
    cells = [(text[:width] + [0] * width)[:width] for text in texts]
    data = np.array(cells, np.uint32).reshape(-1)
    if wrong and len(data):
        data[wrong[0] % len(data)] = wrong[1]
    results = []
    for machine in machines(kind, seed, 1, 2):
        out = np.zeros(len(cells), np.uint64)
        results.append((outcome(machine.runes, data, width, out), out.tolist()))
        if results[-1][0] is None:
            assert not (wrong and len(data))
            assert out.tolist() == [machine("".join(map(chr, cell)).rstrip("\0")) for cell in cells]
        elif wrong:
            assert results[-1][0][1][0] in ("key", "hasher")
    assert results[0] == results[1]


@given(st.lists(WORDS, max_size=70), WORDS)
def test_words_at_every_level(words, seed):
    def digests():
        out = np.zeros(len(words), np.uint64)
        compiled.KeyHasher(0, seed).words(np.array(words, np.uint64), out)
        return out.tolist()

    expected = [plain.xxh64(word.to_bytes(8, "little"), seed) for word in words]
    assert at_every_level(digests) == [expected] * len(lanes.levels())


SHORT = st.integers(0, 40).flatmap(lambda n: st.binary(min_size=n, max_size=n))


def in_every_form(keys, width, seed):
    """The tickets of these keys, and of their ASCII, cut to `width`, in all forms of bulk at the level in use."""
    machine, texts = compiled.KeyHasher(0, seed), ["".join(chr(b & 0x7F) for b in key) for key in keys]
    cells = np.array([key[:width] for key in keys], f"S{width}").view(np.uint8)
    runes = np.array([text[:width] for text in texts], f"U{width}").view(np.uint32)
    edges = np.cumsum([0, *map(len, keys)], dtype=np.int64)
    found = []
    for call, *columns in (
        (machine.spans, np.frombuffer(b"".join(keys), np.uint8), edges),
        (machine.sequence, texts),
        (machine.cells, cells, width),
        (machine.runes, runes, width),
    ):
        out = np.zeros(len(keys), np.uint64)
        call(*columns, out)
        found.append(out.tolist())
    return found


def expected_in_every_form(keys, width, seed):
    texts = ["".join(chr(b & 0x7F) for b in key) for key in keys]
    forms = (
        keys,
        [text.encode() for text in texts],
        [key[:width].rstrip(b"\0") for key in keys],
        [text[:width].rstrip("\0").encode() for text in texts],
    )
    return [[plain.xxh64(key, seed) for key in form] for form in forms]


@given(st.lists(SHORT, max_size=20), st.integers(1, 40), WORDS)
def test_short_keys_at_every_level(keys, width, seed):
    expected = expected_in_every_form(keys, width, seed)
    assert at_every_level(lambda: in_every_form(keys, width, seed)) == [expected] * len(lanes.levels())


@pytest.mark.parametrize("width", [1, 3, 4, 15, 16, 17, 31, 32, 33, 200])
def test_many_keys_of_every_size_at_every_level(width):
    """More than are hashed at once, in groups of one size, of neighbouring sizes, and of any."""
    rng = np.random.default_rng(width)
    sizes = [*np.repeat(np.arange(36), 9), *np.repeat(np.arange(36), 3), *rng.integers(0, 36, 200), *[4, 31] * 40]
    keys = [rng.integers(0, 256, size, dtype=np.uint8).tobytes() for size in sizes]
    expected = expected_in_every_form(keys, width, 7)
    assert at_every_level(lambda: in_every_form(keys, width, 7)) == [expected] * len(lanes.levels())


@pytest.mark.parametrize("width", [1, 8, 15, 16, 17, 40, 3000])
def test_texts_that_are_not_ascii_among_others_at_every_level(width):
    """At every place of a text, and of what is cut at once."""
    texts = ["a" * width for _ in range(200)]
    for at, rune in ((0, "\x80"), (1, "\u7fff"), (63, "\xff"), (64, "\U0010ffff"), (130, "\x7f"), (199, "\u0100")):
        where = at % width
        texts[at] = texts[at][:where] + rune + texts[at][where + 1 :]
    cells = np.array(texts).view(np.uint32)

    def digests():
        out = np.zeros(len(texts), np.uint64)
        compiled.KeyHasher(0, 3).runes(cells, width, out)
        return out.tolist()

    expected = [plain.xxh64(text.encode(), 3) for text in texts]
    assert at_every_level(digests) == [expected] * len(lanes.levels())


GUARDED = """
import ctypes, mmap, sys
import numpy as np
from lbalgo.kernels import hashing, lanes
page = mmap.PAGESIZE
room = mmap.mmap(-1, 3 * page)
start = ctypes.addressof(ctypes.c_char.from_buffer(room))
start += -start % page
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
assert protect(start + page, page, 0) == 0
machine = hashing.KeyHasher(0)
lanes.use(sys.argv[1])
for width in range(1, 36):
    for n in (1, 8, 17):
        out = np.zeros(n, np.uint64)
        for size, call in ((n * width, machine.cells), (4 * n * width, machine.runes)):
            at = np.frombuffer((ctypes.c_uint8 * size).from_address(start + page - size), np.uint8)
            call(at if call == machine.cells else at.view(np.uint32), width, out)
        machine.spans(at[-n * width :], np.arange(n + 1, dtype=np.int64) * width, out)
print("whole")
"""


@pytest.mark.skipif(os.name != "posix", reason="asks the system for a page that cannot be read")
@pytest.mark.parametrize("name", LEVELS)
def test_nothing_is_read_beyond_the_last_key(name):
    with level(name) as used:
        done = subprocess.run([sys.executable, "-c", GUARDED, used], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


@pytest.mark.parametrize("value", [-1, 2**64, True, None, 1.0, "1", np.uint64(1)])
@pytest.mark.parametrize("kind", [2, 3])
def test_functions_that_return_no_hash(kind, value):
    both = [outcome(m.KeyHasher(kind, 0, 0, 0, lambda data: value), b"key") for m in (compiled, plain)]
    assert both[0] == both[1]
    assert both[0][0].__name__ == "ConfigError"
    assert both[0][1][0] == "hasher"


def test_functions_that_raise():
    def broken(data):
        raise LookupError(data)

    both = [outcome(m.KeyHasher(2, 0, 0, 0, broken), "key") for m in (compiled, plain)]
    assert both[0] == both[1] == (LookupError, (b"key",))


@pytest.mark.parametrize("module", [compiled, plain])
def test_a_function_may_return_any_word(module):
    """The least and the greatest; by default its seed, as that of XXH64 and the keys of SipHash, is 0."""
    for value in (0, 2**64 - 1):
        assert module.KeyHasher(3, function=lambda data, value=value: value)(b"key") == value
        assert module.KeyHasher(2, function=lambda data, value=value: value)(b"key") == plain.mix64(
            value ^ plain.mix64(0)
        )


@pytest.mark.parametrize("module", [compiled, plain])
def test_seed_and_keys_are_0_unless_given(module):
    assert module.KeyHasher(0)(b"key") == module.xxh64(b"key", 0)
    assert module.KeyHasher(1)(b"key") == module.siphash24(b"key", 0, 0)
