"""The hashes against what their authors published, and against the packages `xxhash` and `mmh3`.

SipHash-2-4, 64-bit tags: key 00 01 … 0f, message i is 00 01 … i - 1 (Aumasson and Bernstein, reference vectors).
"""

import hashlib

import mmh3
import numpy as np
import pytest
import xxhash

import lbalgo as lb
from tests.both import both

TWINS = pytest.mark.parametrize("twin", both("hashing"), ids=lambda module: module.__name__)
SIPHASH = (
    "310e0edd47db6f72 fd67dc93c539f874 5a4fa9d909806c0d 2d7efbd796666785 b7877127e09427cf 8da699cd64557618 "
    "cee3fe586e46c9cb 37d1018bf50002ab 6224939a79f5f593 b0e4a90bdf82009e f3b9dd94c5bb5d7a a7ad6b22462fb3f4 "
    "fbe50e86bc8f1e75 903d84c02756ea14 eef27a8e90ca23f7 e545be4961ca29a1 db9bc2577fcc2a3f 9447be2cf5e99a69 "
    "9cd38d96f0b3c14b bd6179a71dc96dbb 98eea21af25cd6be c7673b2eb0cbf2d0 883ea3e395675393 c8ce5ccd8c030ca8 "
    "94af49f6c650adb8 eab8858ade92e1bc f315bb5bb835d817 adcf6b0763612e2f a5c91da7acaa4dde 716595876650a2a6 "
    "28ef495c53a387ad 42c341d8fa92d832 ce7cf2722f512771 e37859f94623f3a7 381205bb1ab0e012 ae97a10fd434e015 "
    "b4a31508beff4d31 81396229f0907902 4d0cf49ee5d4dcca 5c73336a76d8bf9a d0a704536ba93e0e 925958fcd6420cad "
    "a915c29bc8067318 952b79f3bc0aa6d4 f21df2e41d4535f9 87577519048f53a9 10a56cf5dfcd9adb eb75095ccd986cd0 "
    "51a9cb9ecba312e6 96afadfc2ce666c7 72fe52975a4364ee 5a1645b276d592a1 b274cb8ebf87870a 6f9bb4203de7b381 "
    "eaecb2a30b22a87f 9924a43cc1315724 bd838d3aafbf8db7 0b1a2a3265d51aea 135079a3231ce660 932b2846e4d70666 "
    "e1915f5cb1eca46c f325965ca16d629f 575ff28e60381be5 724506eb4c328a95"
)
MESSAGES = [hashlib.shake_256(b"%d" % n).digest(n) for n in [*range(130), 255, 256, 257, 1000, 4096]]
SEEDS = [0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15]
WORDS = [int.from_bytes(bytes(range(8)), "little"), int.from_bytes(bytes(range(8, 16)), "little")]


@TWINS
def test_siphash(twin):
    assert [twin.siphash24(bytes(range(n)), *WORDS).to_bytes(8, "little").hex() for n in range(64)] == SIPHASH.split()
    tickets = [lb.hash_key(bytes(range(n)), hasher=lb.SipHash(bytes(range(16)))) for n in range(64)]
    assert [ticket.to_bytes(8, "little").hex() for ticket in tickets] == SIPHASH.split()


@TWINS
@pytest.mark.parametrize("seed", SEEDS)
def test_xxh64(twin, seed):
    """All lengths around the lanes of 32, the words of 8, the half word and the tail."""
    for message in MESSAGES:
        assert twin.xxh64(message, seed) == xxhash.xxh64_intdigest(message, seed)
        assert lb.hash_key(message, seed=seed) == xxhash.xxh64_intdigest(message, seed)


@TWINS
def test_xxh64_as_published(twin):
    """The specification's own examples of the empty input, and of `xxhsum`'s sanity buffer at length 0 with a seed."""
    assert twin.xxh64(b"") == 0xEF46DB3751D8E999
    assert twin.xxh64(b"", 2654435761) == 0xAC75FDA2929B17EF


@pytest.mark.parametrize("seed", SEEDS)
def test_xxh3(seed):
    for message in MESSAGES:
        assert lb.hash_key(message, hasher=lb.XXH3(), seed=seed) == xxhash.xxh3_64_intdigest(message, seed)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_murmur3(seed):
    for message in MESSAGES:
        first = mmh3.hash64(message, seed)[0] % 2**64  # signed
        assert lb.hash_key(message, hasher=lb.Murmur3(), seed=seed) == first
        assert first == mmh3.hash128(message, seed) % 2**64


@TWINS
def test_mix64(twin):
    """SplitMix64 from seed 0 and from 1234567: mix64 of the multiples of the golden gamma (published streams)."""
    gamma, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    assert [twin.mix64(gamma * i & mask) for i in (1, 2, 3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]
    stream = [twin.mix64(1234567 + gamma * i & mask) for i in range(1, 6)]
    assert stream == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_integers_are_their_eight_bytes():
    for word in (0, 1, 255, 2**32, 2**63, 2**64 - 1):
        assert lb.hash_key(word) == xxhash.xxh64_intdigest(word.to_bytes(8, "little"))
    bulk = lb.hash_many(np.array([0, 2**64 - 1], np.uint64), seed=9)
    assert bulk.tolist() == [xxhash.xxh64_intdigest(w.to_bytes(8, "little"), 9) for w in (0, 2**64 - 1)]
