"""How much a Maglev table moves beyond the minimum when one of N equal backends leaves, and which size keeps it small.

Why there is excess. Fill two tables turn by turn, one without the leaver. At the fraction f of the first one filled the
second has f M / N holes: positions the leaver took. A turn probes positions until it finds one free, and ends in a
hole, not in the position it takes in the first table, with probability (f / N) / (1 - f + f / N). Whoever does leaves
a hole of its own behind, which it fills one turn late unless somebody comes first: that position changes owner for
nothing. Integrated over f, the holes found are (ln N - 1) / N of the table, and that is the excess of a small table.
In a large one (M well above N**2 / ln N) most backends are late by several turns alike, and only who is less late can
find another's hole: the excess falls off like the inverse root of M.

So the excess over (ln N - 1) / N is, nearly, a function of y = M ln N / N**2 alone. Measured over N from 3 to 5000 and
M from 101 to 10**7 (random offsets and skips, 8 to 200 removals a cell), the means for 10 backends or more lie within a
factor of 1.5 below `_CURVE`. The plateau's constants 1.05 and 1.1 / N are fitted.
"""

from __future__ import annotations

import math

from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer, check_real, is_prime

_CURVE = (  # y, upper side of the measured excess in units of the plateau; log-log linear between, y**-0.5 beyond
    (0.8, 1.02),
    (1.5, 0.92),
    (3.5, 0.74),
    (7.0, 0.42),
    (20.0, 0.22),
    (100.0, 0.089),
    (1000.0, 0.026),
)
_LARGEST = 2**31 - 1  # positions; 4 GiB of table


def maglev_excess(backends: int, table_size: int) -> float:
    """The expected excess, a fraction of the keys, when one of N backends of equal weight leaves: a measured upper law.

    Parameters
    ----------
    backends : N before the loss, >= 2.
    table_size : positions M, >= N.

    Raises
    ------
    ConfigError : an argument is out of range.

    The mean over ids is at most this, and at least two thirds of it for N >= 10; single pools scatter around it.
    Pools of unequal weights move somewhat differently: measure them with `disruption`.

    Examples
    --------
    >>> round(maglev_excess(100, 65537), 4), round(maglev_excess(1000, 655373), 4)
    (0.0062, 0.0035)
    """
    n = check_integer("backends", backends, low=2)
    y = check_integer("table_size", table_size, low=n) * math.log(n) / n**2
    return _plateau(n) * _curve(y)


def maglev_size_for(backends: int, max_excess: float) -> int:
    """The smallest prime table size whose expected excess on the loss of one backend, `maglev_excess`, is small enough.

    Parameters
    ----------
    backends : N before the loss, >= 2.
    max_excess : fraction of the keys that may move for nothing, > 0. The minimum, 1 / N, comes on top.

    Raises
    ------
    ConfigError : an argument is out of range, or the size would be 2**31 or more.

    It looks at movement alone; for shares within 1 % of the weights a table wants 100 positions a backend besides.

    Examples
    --------
    >>> maglev_size_for(100, 0.005)
    96779
    """
    n = check_integer("backends", backends, low=2)
    allowed = check_real("max_excess", max_excess, low=0.0, open_low=True)
    top = _plateau(n) * _CURVE[0][1]
    size = n if allowed >= top else max(n, math.ceil(_inverse(allowed / _plateau(n)) * n**2 / math.log(n)))
    if size > _LARGEST:
        raise ConfigError(
            "max_excess", max_excess, f"asks for a table of about {size:.2g} positions; 2**31 is too many"
        )
    while not is_prime(size):
        size += 1
    return size


def _plateau(n: int) -> float:
    return (math.log(n) - 1.05 + 1.1 / n) / n if n > 2 else 0.0


def _curve(y: float) -> float:
    (x0, g0), *rest = _CURVE
    if y <= x0:
        return g0
    for x1, g1 in rest:
        if y <= x1:
            return float(g0 * (y / x0) ** (math.log(g1 / g0) / math.log(x1 / x0)))
        x0, g0 = x1, g1
    return g0 * math.sqrt(x0 / y)


def _inverse(g: float) -> float:
    """The y at which the curve falls to g, below its top."""
    (x0, g0), *rest = _CURVE
    for x1, g1 in rest:
        if g >= g1:
            return float(x0 * (g / g0) ** (math.log(x1 / x0) / math.log(g1 / g0)))
        x0, g0 = x1, g1
    return x0 * (g0 / g) ** 2
