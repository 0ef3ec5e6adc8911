"""Confidence intervals of means, by Student's t; its quantiles without any other library.

For whole degrees of freedom the distribution is a finite sum, so a quantile is a bisection of something exact.

Costs: O(degrees of freedom) a step of the bisection, 60 steps.
Source: Student, Biometrika 6 (1908); Abramowitz and Stegun 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer, check_real


@dataclass(frozen=True)
class Interval:
    """A mean and how far the truth may be from it.

    Parameters
    ----------
    mean : of the values.
    half : half the width of the interval.
    confidence : the fraction of such intervals that contain the truth, if the values are independent and normal.
    n : how many values.

    Examples
    --------
    >>> band = interval([1.0, 2.0, 3.0], 0.95)
    >>> band.mean, round(band.half, 4), 2.5 in band
    (2.0, 2.4841, True)
    """

    mean: float
    half: float
    confidence: float
    n: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.half:.2g}"


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of independent values with its confidence interval.

    Parameters
    ----------
    values : at least two.
    confidence : in (0, 1).

    Raises
    ------
    ConfigError : there are fewer than two values, one is not finite, or confidence is out of its range.
    """
    if len(values) < 2:
        raise ConfigError("values", values, "must be at least two")
    for i, value in enumerate(values):
        check_real(f"values[{i}]", value)
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Interval(mean, t_quantile(_confidence(confidence), n - 1) * math.sqrt(variance / n), confidence, n)


def _confidence(confidence: float) -> float:
    check_real("confidence", confidence, low=0.0, high=1.0, open_low=True)
    if confidence == 1.0:
        raise ConfigError("confidence", confidence, "must be < 1")
    return confidence


@lru_cache(maxsize=256)
def t_quantile(confidence: float, freedom: int) -> float:
    """The t that the absolute value of a Student variable does not exceed with that probability.

    Examples
    --------
    >>> round(t_quantile(0.95, 9), 4), round(t_quantile(0.99, 1), 3)
    (2.2622, 63.657)
    """
    _confidence(confidence)
    check_integer("freedom", freedom, low=1)
    low, high = 0.0, math.pi / 2  # of the angle whose tangent is t / sqrt(freedom)
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return math.sqrt(freedom) * math.tan(low)
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle


def _within(angle: float, freedom: int) -> float:
    """P(|T| <= t), t given by its angle."""
    cosine, sine = math.cos(angle), math.sin(angle)
    term = total = 1.0 if freedom % 2 == 0 else cosine
    k = 1 if freedom % 2 == 0 else 2
    while k < freedom - 1:
        term *= cosine * cosine * k / (k + 1)
        total += term
        k += 2
    if freedom % 2 == 0:
        return sine * total
    return 2.0 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
