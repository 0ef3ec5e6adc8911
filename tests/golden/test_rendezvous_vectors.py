"""The logarithm bit by bit and against 50 digits; whole orders of preference against the formula in 50 digits."""

import hashlib
import math
import struct
from decimal import Decimal

import pytest

import lbalgo as lb
import lbalgo.reference.rendezvous as plain
from tests.both import both
from tests.golden.rendezvous_oracle import neg_log, order, ticket

LOGARITHMS = [twin.neg_log for twin in both("rendezvous")]
TOP = 2**52 - 1
BITS = [
    (0, "0x1.25e4f7b2737fap+5"),
    (1, "0x1.1d1b02751cfe2p+5"),
    (2, "0x1.1904d6b67cb90p+5"),
    (3, "0x1.1653be5b5a527p+5"),
    (67108864, "0x1.205966f0b4f12p+4"),
    (1125899906842624, "0x1.62e42fefa39edp+0"),
    (2251799813685247, "0x1.62e42fefa39f1p-1"),
    (2251799813685248, "0x1.62e42fefa39edp-1"),
    (3184525836262885, "0x1.62e42fefa39f4p-2"),
    (3184525836262886, "0x1.62e42fefa39eep-2"),
    (1592262918131442, "0x1.0a2b23f3bab75p+0"),
    (1592262918131443, "0x1.0a2b23f3bab72p+0"),
    (4503599560261632, "0x1.0000000000000p-26"),
    (4503599627370493, "0x1.4000000000002p-51"),
    (4503599627370494, "0x1.8000000000001p-52"),
    (4503599627370495, "0x1.0000000000000p-53"),
    (3887099832871283, "0x1.2d7e5ad35cfcap-3"),
    (3823804864582267, "0x1.4f1dc900fcb97p-3"),
    (412458837223071, "0x1.31fbc4b3fcbaep+1"),
    (1626057802918877, "0x1.04cabb3846cd0p+0"),
    (761488405119268, "0x1.c700e3ca3a6a7p+0"),
    (3643243529537400, "0x1.b22e6f4cebeb0p-3"),
    (3845330046251919, "0x1.439eb5816d366p-3"),
    (1133030875990008, "0x1.61466b4d9674cp+0"),
    (4503599627369875, "0x1.3640000000178p-43"),
    (4503599627147968, "0x1.b29fc0002e1e2p-35"),
    (4503598975822091, "0x1.36aeb91d0b9e6p-23"),
    (4502963818732427, "0x1.2817a5932c6afp-13"),
    (4492455556274570, "0x1.44bcb28e4f88dp-9"),
    (4018706410794442, "0x1.d29a8f832d51cp-4"),
]
WEIGHTS = {"a": 1.0, "b": 2.0, "c": 0.5, "d": 8.0, "e": 3.25}
ORDERS = ["edabc", "ecdba", "dabec", "abdec", "deabc", "ebdca", "edbca", "bdeac"]
ORDERS += ["adecb", "ebdac", "dbeac", "cdeba", "ecdba", "deabc", "edbac", "dbeac"]
EVEN_ORDERS = ["eabdc", "cedab", "adbce", "abced", "daecb", "ebcad", "ecbad", "bedac"]


def spread():
    """Places in [0, 2**52) at every scale from both ends, by a Weyl sequence; no generator needed."""
    for i in range(1, 6001):
        k = i * 0x9E3779B97F4A7C15 % 2**64 >> 12
        yield from (k, k >> i % 52, TOP - (k >> i % 52))


def bound(k, y):
    """Units: absolute. From the roundings of the last step (half an ulp of y) and of those before it, eps = 2**-53.

    Below sqrt(1/2): |ln m| <= 0.3466, the correction P = s * (f - r) <= 0.0676 carries at most 4.3 eps relative (s 2,
    f - r 1.3, product 1), its sum with c * low one more eps of at most 0.07, and f minus it is rounded once at a size
    under 0.5: 0.29 + 0.07 + 0.25 eps. Above, where c = 0 and y = P - f: P / y <= 0.155, at most 0.68 eps relative.
    """
    half = Decimal(math.ulp(y)) / 2
    if 2 * k + 1 < math.sqrt(0.5) * 2**53:
        return half + Decimal("0.62") * Decimal(2) ** -53
    return half + Decimal("0.69") * Decimal(y) * Decimal(2) ** -53


@pytest.mark.parametrize("log", LOGARITHMS)
def test_bits(log):
    assert [(k, log(k).hex()) for k, _ in BITS] == BITS


@pytest.mark.parametrize("log", LOGARITHMS)
def test_eighteen_thousand_more_bits(log):
    """One digest over places at every scale: where it differs, some last bit does."""
    bits = struct.pack("<18000d", *map(log, spread()))
    assert hashlib.sha256(bits).hexdigest() == "3380d9c5c881d1cf8ea87dba2a9b448108fe3869ad16da8f58696f72ab386b8b"


@pytest.mark.parametrize("log", LOGARITHMS)
def test_within_the_derived_bound_of_the_true_logarithm(log):
    for k in [k for k, _ in BITS] + list(spread())[::3]:
        y = log(k)
        assert abs(Decimal(y) - neg_log(k)) <= bound(k, y), k


@pytest.mark.parametrize("log", LOGARITHMS)
def test_close_to_the_platform_s(log):
    """Ours within 1.75 ulp, the platform's within 1 (what C libraries claim)."""
    for k in spread():
        y = log(k)
        near_one = -math.log1p(-(2 * (TOP - k) + 1) * 2.0**-53) if k > TOP // 2 else -math.log((2 * k + 1) * 2.0**-53)
        assert abs(y - near_one) <= 2.75 * math.ulp(max(y, near_one)), k


@pytest.mark.parametrize("log", LOGARITHMS)
def test_falls_from_each_place_to_the_next_and_never_below_one_minus_u(log):
    """The two facts that pruning and the even race stand on.

    Neighbours differ by 2**-52 / u, more than twice the bound above at every u, so this is a theorem; the sample looks
    where it is tightest (binades, sqrt(1/2), both ends) and everywhere else.
    """
    edges = [2**j for j in range(53)] + [int(math.sqrt(0.5) * 2**j) for j in range(2, 53)]
    places = {k + d for k in edges for d in range(-8, 8)} | set(spread())
    for k in sorted(k for k in places if 0 <= k < TOP):
        assert log(k) > log(k + 1), k
        assert log(k) >= (2 * (TOP - k) + 1) * 2.0**-53, k


def test_the_split_logarithm_of_two():
    """High part times 0..53 is exact: 47 bits and 6; the sum is ln 2."""
    assert plain.LN2_HIGH * 2**47 == int(plain.LN2_HIGH * 2**47) < 2**47
    assert abs(Decimal(plain.LN2_HIGH) + Decimal(plain.LN2_LOW) - Decimal(2).ln()) < Decimal(2) ** -90


def test_orders_of_preference():
    picker = lb.Rendezvous().build(WEIGHTS)
    even = lb.Rendezvous().build(list(WEIGHTS))
    assert ["".join(b.id for b in picker.walk(f"key-{i}")) for i in range(16)] == ORDERS
    assert ["".join(b.id for b in even.walk(f"key-{i}")) for i in range(8)] == EVEN_ORDERS


def test_orders_against_the_formula():
    weights = {f"10.0.0.{i}:80": 10.0 ** (i % 7 - 3) for i in range(40)}
    picker = lb.Rendezvous(seed=7).build(weights)
    even = lb.Rendezvous(seed=7).build(list(weights))
    for i in range(60):
        key = b"%d" % i
        assert [b.id for b in picker.walk(key)] == order(ticket(key, 7), weights)
        assert [b.id for b in even.walk(key)] == order(ticket(key, 7), dict.fromkeys(weights, 1.0))
