"""Endpoint weights out of a locality tree: raw products (A42), or products of normalised weights (A113).

EDS weighs localities within a priority and endpoints within a locality. ring_hash and the weighted shuffle want one
integer an endpoint. A42 multiplies the two as they are, so that a locality's share grows with the weights of its
endpoints; A113 normalises both first, in fixed point with 31 fractional bits, so that it does not.

Costs: O(N). Described only. Sources: gRPC A42, A113.
"""

from __future__ import annotations

from collections.abc import Sequence

from lbalgo.compat.grpc.endpoint import MAX_WEIGHT
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer

ONE = 1 << 31  # 1.0 in UQ1.31


def raw_weights(localities: Sequence[tuple[int, Sequence[int]]]) -> list[list[int]]:
    """Locality weight times endpoint weight, for each locality's endpoints (A42).

    Parameters
    ----------
    localities : of one priority: its weight and the weights of its endpoints, all of them uint32 >= 1.

    Raises
    ------
    ConfigError : a weight is out of range.

    Examples
    --------
    >>> raw_weights([(1, [1, 1]), (2, [10])])
    [[1, 1], [20]]
    """
    _check(localities)
    return [[weight * each for each in endpoints] for weight, endpoints in localities]


def normalized_weights(localities: Sequence[tuple[int, Sequence[int]]]) -> list[list[int]]:
    """Products of normalised weights in UQ1.31, rounded down but at least 1, for each locality's endpoints (A113).

    Parameters
    ----------
    localities : as for `raw_weights`; within a locality, and over the localities, weights sum to a uint32 at most.

    Raises
    ------
    ConfigError : a weight or a sum is out of range.

    Examples
    --------
    >>> normalized_weights([(1, [1, 1]), (1, [10])])
    [[536870912, 536870912], [1073741824]]
    """
    _check(localities)
    total = _sum("localities", [weight for weight, _ in localities])
    normalized = []
    for at, (weight, endpoints) in enumerate(localities):
        share, inner = weight * ONE // total, _sum(f"localities[{at}]", endpoints)
        normalized.append([max(1, share * (each * ONE // inner) >> 31) for each in endpoints])
    return normalized


def _check(localities: Sequence[tuple[int, Sequence[int]]]) -> None:
    for at, (weight, endpoints) in enumerate(localities):
        check_integer(f"localities[{at}].weight", weight, low=1, high=MAX_WEIGHT)
        for i, each in enumerate(endpoints):
            check_integer(f"localities[{at}].endpoints[{i}]", each, low=1, high=MAX_WEIGHT)


def _sum(name: str, weights: Sequence[int]) -> int:
    total = sum(weights)
    if total > MAX_WEIGHT:
        raise ConfigError(name, total, f"weights must sum to {MAX_WEIGHT} at most")
    return total
