"""How surprising a count is: the exact upper tail of the binomial distribution, and the threshold it makes.

P(Bin(n, p) >= k) is summed term by term from the first, which logarithms of the gamma function give, on the side of
the mean where the terms fall; so nothing is approximated, and the relative error is that of the first term, about
n * 1e-15.

Costs: O(sqrt(n)) terms where k is near n * p, fewer beyond.
"""

from __future__ import annotations

import math

from lbalgo.spec import check_integer, check_real


def binomial_tail(k: int, n: int, p: float) -> float:
    """The chance that at least `k` of `n` independent trials of probability `p` succeed.

    Raises
    ------
    ConfigError : n is negative, k no integer, or p not in [0, 1].

    Costs: O(sqrt(n)) near the mean, fewer beyond.

    Examples
    --------
    >>> binomial_tail(1, 2, 0.5), round(binomial_tail(3, 10, 0.01), 9)
    (0.75, 0.000113849)
    """
    check_integer("k", k)
    check_integer("n", n, low=0)
    check_real("p", p, low=0.0, high=1.0)
    if k <= 0:
        return 1.0
    if k > n or p == 0.0:
        return 0.0
    if p == 1.0:
        return 1.0
    if k <= n * p:  # the other tail is the short one: at least n - k + 1 failures
        return max(0.0, 1.0 - _tail(n - k + 1, n, 1.0 - p, p))
    return min(1.0, _tail(k, n, p, 1.0 - p))


def _tail(k: int, n: int, p: float, q: float) -> float:
    """P(Bin(n, p) >= k) for k above the mean, where every term is smaller than the one before; q = 1 - p."""
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(choose + k * math.log(p) + (n - k) * math.log(q))
    total = 0.0
    while term > total * 1e-17:
        total += term
        term *= (n - k) * p / ((k + 1) * q)
        k += 1
    return total


def binomial_threshold(n: int, p: float, alpha: float) -> int:
    """The least `k` with P(Bin(n, p) >= k) <= alpha; n + 1 if even n of n is not that surprising.

    Raises
    ------
    ConfigError : as `binomial_tail`, or alpha is not in (0, 1].

    Costs: O(log n) tails.

    Examples
    --------
    >>> binomial_threshold(100, 0.01, 1e-3), binomial_threshold(100, 0.01, 1e-6)
    (6, 9)
    """
    check_real("alpha", alpha, low=0.0, high=1.0, open_low=True)
    low, high = 0, check_integer("n", n, low=0) + 1
    while low < high:
        middle = (low + high) // 2
        if binomial_tail(middle, n, p) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low
