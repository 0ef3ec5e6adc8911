"""NumPy's variable-width strings compiled and plain: the same tickets and errors, wherever NumPy has put the bytes."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.reference import hashing as plain_hashing
from lbalgo.reference import strings as plain
from tests.twins.test_hashing_twins import function, outcome

StringDType = getattr(np.dtypes, "StringDType", None)
if StringDType is None:
    pytest.skip("NumPy 1 has no variable-width strings", allow_module_level=True)

from lbalgo.kernels import hashing as compiled_hashing  # noqa: E402
from lbalgo.kernels import strings as compiled  # noqa: E402

WORDS = st.integers(0, 2**64 - 1)
SIZES = st.sampled_from([0, 1, 7, 8, 15, 16, 23, 31, 32, 33, 255, 256, 300])  # within an element, short, long
TEXTS = st.one_of(st.text(max_size=40), SIZES.flatmap(lambda n: st.text("ab\0", min_size=n, max_size=n)))
ABSENT = (None, float("nan"), "missing", b"missing", 7, -1, True)


def both(keys, kind=0, seed=0):
    """What the two make of these keys, and the tickets until then."""
    results = []
    for hashing, module in ((compiled_hashing, compiled), (plain_hashing, plain)):
        machine = hashing.KeyHasher(kind, seed, 1, 2, function if kind >= 2 else None)
        out = np.zeros(len(keys), np.uint64)
        results.append((outcome(module.hash_strings, machine, keys, out), out.tolist()))
    return results


@given(st.lists(TEXTS, max_size=12), st.sampled_from(range(4)), WORDS, st.sampled_from([1, 2, 3, -1, -2]))
def test_texts(texts, kind, seed, step):
    keys = np.array(texts, StringDType())[::step]
    fast, slow = both(keys, kind, seed)
    assert fast == slow
    machine = plain_hashing.KeyHasher(kind, seed, 1, 2, function if kind >= 2 else None)
    assert fast == (None, [machine(text) for text in texts[::step]])


@given(
    st.lists(st.one_of(TEXTS, st.none()), min_size=1, max_size=12), st.sampled_from(ABSENT), st.sampled_from(range(4))
)
def test_what_is_missing_is_what_stands_for_it(texts, absent, kind):
    keys = np.array([absent if text is None else text for text in texts], StringDType(na_object=absent))
    fast, slow = both(keys, kind)
    assert fast == slow
    first = next((i for i, text in enumerate(texts) if text is None), None)
    if first is None or isinstance(absent, (str, bytes)) or (absent == 7 and absent is not True):
        assert fast[0] is None
        assert fast[1] == [plain_hashing.KeyHasher(kind, 0, 1, 2, function if kind >= 2 else None)(k) for k in keys]
    else:
        raised, (said, *_) = fast[0]
        assert raised is TypeError or absent == -1
        assert raised is not TypeError or said.startswith(f"keys[{first}]: a key is")
        assert fast[1][first:] == [0] * (len(texts) - first)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=6), st.text(max_size=3).map(str.encode)), max_size=6))
def test_bytes_that_numpy_did_not_look_at(raw):
    """Whatever Python would decode is hashed, and nothing else; bytes of a cast are taken over as they are."""
    keys = np.array(raw, "S12").astype(StringDType())
    fast, slow = both(keys)
    assert fast == slow
    for i, data in enumerate(item.rstrip(b"\0") for item in raw):
        try:
            assert fast[1][i] == plain_hashing.xxh64(data.decode().encode())
        except UnicodeDecodeError:
            assert fast[0] == (lb.ConfigError, (f"keys[{i}]", data, "must be UTF-8"))
            return
    assert fast[0] is None


def test_every_pair_of_bytes_and_edges_of_longer_forms():
    """Overlong forms, surrogates and what is beyond U+10FFFF differ from text in their second byte."""
    pairs = [bytes([a, b]) for a in range(1, 256) for b in range(1, 256)]
    edges = (0x01, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    three = [bytes([a, b, c]) for a in range(0xDF, 0xF1) for b in edges for c in edges]
    four = [
        bytes([a, b, c, d]) for a in range(0xEF, 0xF7) for b in edges for c in (0x7F, 0x80, 0xBF, 0xC0) for d in edges
    ]
    for raw in (pairs, three, four, [b"long ASCII before " + item for item in four]):
        keys = np.array(raw).astype(StringDType())
        machine, tickets = compiled_hashing.KeyHasher(0), np.zeros(1, np.uint64)
        for i, data in enumerate(raw):
            try:
                expected = plain_hashing.xxh64(data.decode().encode())
            except UnicodeDecodeError:
                with pytest.raises(lb.ConfigError, match="must be UTF-8"):
                    compiled.hash_strings(machine, keys[i : i + 1], tickets)
            else:
                compiled.hash_strings(machine, keys[i : i + 1], tickets)
                assert tickets[0] == expected


@pytest.mark.parametrize("module", [compiled, plain])
@pytest.mark.parametrize(
    "keys", [np.array(["a"]), np.array(["a"], object), ["a"], "a", None], ids=lambda k: str(type(k))
)
def test_other_arrays_are_refused(module, keys):
    with pytest.raises(lb.ConfigError) as error:
        module.hash_strings(compiled_hashing.KeyHasher(0), keys, np.zeros(1, np.uint64))
    assert error.value.parameter == "keys"


@pytest.mark.parametrize("module", [compiled, plain])
def test_other_places_are_refused(module):
    keys = np.array(["a", "b"], StringDType())
    with pytest.raises(lb.ConfigError):
        module.hash_strings(compiled_hashing.KeyHasher(0), keys.reshape(1, 2), np.zeros(1, np.uint64))
    for out in (np.zeros(1, np.uint64), np.zeros(2, np.int64), np.zeros(4, np.uint64)[::2]):
        with pytest.raises(lb.ConfigError) as error:
            module.hash_strings(compiled_hashing.KeyHasher(0), keys, out)
        assert error.value.parameter == "out"


def test_threads_that_write_and_hash_one_array_come_to_an_end():
    """Each element is one of two texts whenever it is read; the allocator's lock and the GIL are taken in one order."""
    texts = ["x" * 40, "y" * 50]
    keys = np.array([texts[0]] * 2000 + [None], StringDType(na_object=None))
    allowed = {lb.hash_key(text) for text in texts}
    seen = []

    def write():
        for turn in range(100):
            keys[:2000] = texts[turn % 2]

    def read():
        for _ in range(30):
            with pytest.raises(TypeError, match=r"keys\[2000\]"):
                lb.hash_many(keys)
            seen.append(set(lb.hash_many(keys[:2000]).tolist()))

    threads = [threading.Thread(target=each, daemon=True) for each in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert len(seen) == 60
    assert set().union(*seen) <= allowed
