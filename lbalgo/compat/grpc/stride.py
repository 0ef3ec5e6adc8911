"""The static stride scheduler: how gRPC turns weights into a sequence, with a counter for all its state.

Weights become *strides*, integers up to K = 65535. Sequence number s belongs to endpoint s mod n in generation
s div n; endpoint i takes it if `(stride * generation + i * 32767) mod K >= K - stride`, else the next number is tried.
In K generations each endpoint is served exactly its stride times, evenly spread; the summand i * 32767 keeps
neighbours of equal weight from skipping together. The counter has 32 bits, wraps, and belongs to the policy: it goes on
when a new scheduler is made.

The three implementations scale alike and cap differently:

- C-core: weights above 10 times the mean count as 10 times the mean, those below a hundredth of the scaled mean as a
  hundredth of it. A weight of 0 (unknown) counts as the mean. No scheduler for fewer than two endpoints, or if all
  weights are 0: then plain round robin.
- Java: as C-core, but the lower cap is a tenth of the mean, rounded up, and plain round robin begins below two known
  weights.
- Go: no caps. Plain round robin if all but one weight are 0, or if all strides equal that of the mean.

C-core and Java keep weights as 32-bit floats, and divide K by the greatest of them in 32 bits; Go computes in doubles.

The proposal's own text (A58) describes another scheduler, earliest deadline first, that none of the three ships.

Costs: strides O(n); a turn at most n * K / greatest stride numbers, n * greatest / mean on average (at most 10 n under
the cap of 10). Described only: nothing here was replayed against a program.
Sources: gRPC A58; grpc-core, grpc-java and grpc-go (weighted round robin).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.spec import check_enum, check_real

K = 65535  # the greatest stride
HALF = K // 2  # 32767
COUNTER = 2**32  # the sequence number wraps here
MAX_RATIO = 10.0  # C-core and Java: most times the mean that a weight may count
EXTREME = 1e30  # weights up to it, and down to its inverse, are well within 32-bit floats
MIN_RATIO = {"CORE": 0.01, "JAVA": 0.1}


class Variant(enum.Enum):
    """Whose scheduler: C-core's (C++, Python, Ruby, …), Java's or Go's.

    Examples
    --------
    >>> Variant["GO"]
    <Variant.GO: 'go'>
    """

    CORE = "core"
    JAVA = "java"
    GO = "go"


def strides(weights: Sequence[float], variant: Variant = Variant.CORE) -> tuple[int, ...] | None:
    """Weights as strides, 1 to 65535; None stands for plain round robin.

    Parameters
    ----------
    weights : of the READY endpoints in order, from 1e-30 to 1e30; 0 is one that is not known.
    variant : whose rules.

    Raises
    ------
    ConfigError : a weight is out of that range, or `variant` is no `Variant`.

    Costs: O(n).
    Source: A58; the three implementations.

    Examples
    --------
    >>> strides([2.0, 1.0, 0.0])
    (65535, 32768, 49151)
    >>> strides([1.0] * 10 + [0.001]), strides([1.0] * 10 + [0.001], Variant.GO)  # doctest: +ELLIPSIS
    ((65535, ..., 596), (65535, ..., 66))
    """
    check_enum("variant", variant, Variant)
    given = [check_real(f"weights[{i}]", weight, low=0.0, high=EXTREME) for i, weight in enumerate(weights)]
    for i, weight in enumerate(given):
        if 0 < weight < 1 / EXTREME:
            raise ConfigError(f"weights[{i}]", weight, f"must be 0, or at least {1 / EXTREME:g}")
    return _double(given) if variant is Variant.GO else _single(given, variant)


def _double(weights: list[float]) -> tuple[int, ...] | None:
    known = sum(weight > 0 for weight in weights)
    if len(weights) < 2 or known <= 1:
        return None
    scale = K / max(weights)
    mean = nearest(scale * (left_sum(weights) / known))
    scaled = tuple(nearest(scale * weight) if weight else mean for weight in weights)
    return None if all(stride == mean for stride in scaled) else scaled


def _single(weights: list[float], variant: Variant) -> tuple[int, ...] | None:
    floats = [np.float32(weight) for weight in weights]
    known = sum(1 for weight in floats if weight > 0)
    if known == 0 or len(floats) < 2 or (variant is Variant.JAVA and known < 2):
        return None
    mean = left_sum([float(weight) for weight in floats]) / known
    top = max(floats)
    if float(top) > MAX_RATIO * mean:
        top = np.float32(MAX_RATIO * mean)
    scale = float(np.float32(K) / top)  # a 32-bit division
    middle = nearest(scale * mean)
    low = MIN_RATIO[variant.name]
    least = math.ceil(scale * mean * low) if variant is Variant.JAVA else max(1, nearest(middle * low))
    return tuple(max(nearest(float(min(weight, top)) * scale), least) if weight > 0 else middle for weight in floats)


def turn(strides: Sequence[int] | None, n: int, sequence: int) -> tuple[int, int]:
    """Who takes the next turn, and the sequence number after it.

    Parameters
    ----------
    strides : what `strides` made, or None for plain round robin.
    n : number of endpoints, at least 1.
    sequence : the next number, in [0, 2**32).

    Examples
    --------
    >>> turn((65535, 32768), 2, 0), turn((65535, 32768), 2, 1), turn((65535, 21845), 2, 1)
    ((0, 1), (1, 2), (0, 3))
    """
    while True:
        generation, i = divmod(sequence, n)
        sequence = (sequence + 1) % COUNTER
        if strides is None or (strides[i] * generation + i * HALF) % K >= K - strides[i]:
            return i, sequence


def nearest(x: float) -> int:
    """The nearest integer, halves away from zero, for x >= 0."""
    whole = math.floor(x)
    return whole + (x - whole >= 0.5)


def left_sum(values: Sequence[float]) -> float:
    """Their sum from left to right, rounded after each addition, as a loop does it."""
    total = 0.0
    for value in values:
        total += value
    return total
