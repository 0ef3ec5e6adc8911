"""The one distribution the measurements need at run time, so that they do not need scipy."""

from __future__ import annotations

import math

from lbalgo.spec import check_integer, check_real

_EPSILON = 2.0**-53
_TINY = 1e-300  # keeps Lentz's recurrence away from a division by zero
_STEPS = 100_000  # both expansions need about 8 sqrt(a) terms at their worst: enough up to a = 10**8


def gamma_q(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x).

    Parameters
    ----------
    a : shape, > 0.
    x : lower end of the integral, >= 0.

    Raises
    ------
    ConfigError : an argument is out of range.

    The power series of 1 - Q below x = a + 1, Legendre's continued fraction (by Lentz's recurrence) above; relative
    error about 1e-12 for a up to 10**4, growing with the rounding of x**a e**-x. Cost: O(sqrt(a)) terms.
    Source: Abramowitz and Stegun 6.5.29 and 6.5.31.

    Examples
    --------
    >>> round(gamma_q(1.0, 2.0), 12) == round(math.exp(-2.0), 12)
    True
    """
    check_real("a", a, low=0.0, open_low=True)
    check_real("x", x, low=0.0)
    if x == 0.0:
        return 1.0
    front = math.exp(_log_front(a, x))
    return 1.0 - front * _series(a, x) if x < a + 1.0 else front * _fraction(a, x)


def chi2_sf(statistic: float, freedom: int) -> float:
    """The chance that a chi-square variable exceeds `statistic`.

    Parameters
    ----------
    statistic : the observed value, >= 0.
    freedom : degrees of freedom, >= 1.

    Raises
    ------
    ConfigError : an argument is out of range.

    Examples
    --------
    >>> round(chi2_sf(3.841458820694124, 1), 12)
    0.05
    """
    return gamma_q(check_integer("freedom", freedom, low=1) / 2, check_real("statistic", statistic, low=0.0) / 2)


def _log_front(a: float, x: float) -> float:
    """log(x**a e**-x / Gamma(a)); for large a by Stirling's series, where the plain terms would cancel."""
    if a < 20.0:
        return a * math.log(x) - x - math.lgamma(a)
    ratio = (x - a) / a
    deviance = math.log1p(ratio) - ratio if abs(ratio) > 0.1 else _log1p_minus(ratio)
    correction = 1 / (12 * a) - 1 / (360 * a**3) + 1 / (1260 * a**5) - 1 / (1680 * a**7)
    return a * deviance + 0.5 * math.log(a / (2 * math.pi)) - correction


def _log1p_minus(y: float) -> float:
    """log(1 + y) - y for small y, without the cancellation."""
    total, power, k = 0.0, -y, 1
    while True:
        k += 1
        power *= -y
        term = power / k
        total -= term
        if abs(term) <= _EPSILON * abs(total):
            return total


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for k in range(1, _STEPS):
        term *= x / (a + k)
        total += term
        if term < total * _EPSILON:
            break
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    value = d
    for k in range(1, _STEPS):
        numerator = -k * (k - a)
        b += 2.0
        d = 1.0 / _away(numerator * d + b)
        c = _away(b + numerator / c)
        value *= c * d
        if abs(c * d - 1.0) < 4 * _EPSILON:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
