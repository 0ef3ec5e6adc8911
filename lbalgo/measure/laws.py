"""Joint laws of two owners of one key, for algorithms that have one in closed form under an ideal hash.

*Jump.* Growing from n to m > n buckets, a key stays with probability n / m, wherever it is, and else goes to each new
bucket alike.

*Race* (rendezvous). Backend k finishes at E_k / w_k, E_k one exponential variable for all weights it ever has; the
first is the owner. With weights w before and w' after, i owns before and j after iff i finishes first at a time u and j
at a time v; every other k needs E_k > max(w_k u, w'_k v). Integrating over u with r = v / u left over gives

    P(i then j) = w_i w'_j * integral of dr / G(r)**2 for r from c_j to c_i,   G(r) = sum of max(w_k, r w'_k),

with c_k = w_k / w'_k, and 0 unless c_j < c_i: a key only moves to a backend that fell less, or rose more. G is
piecewise linear, so the integral is a sum of closed terms: exact for any change of any number of weights.
"""

from __future__ import annotations

import numpy as np

from lbalgo.types import F64, I64

_SAME = 1e-14  # ratios closer than this are one ratio that was rounded twice


def jump_flows(old: I64, new: I64) -> tuple[I64, I64, F64]:
    """Flows between backends when buckets are renumbered.

    Parameters
    ----------
    old, new : the backend each bucket stood for before, and stands for after.

    Returns (from, to, fraction of all keys), one row for each pair of different backends that keys move between.

    Examples
    --------
    >>> losers, gainers, amounts = jump_flows(np.array([0, 1]), np.array([0, 1, 2]))
    >>> losers.tolist(), gainers.tolist(), (amounts * 6).round(9).tolist()
    ([0, 1], [2, 2], [1.0, 1.0])
    """
    n, m = len(old), len(new)
    few, many = min(n, m), max(n, m)
    stay = np.arange(few)
    losers, gainers = [old[stay]], [new[stay]]
    amounts = [np.full(few, 1.0 / many)]
    if n < m:
        losers.append(np.repeat(old, m - n))
        gainers.append(np.tile(new[n:], n))
    elif m < n:
        losers.append(np.repeat(old[m:], m))
        gainers.append(np.tile(new, n - m))
    if n != m:
        amounts.append(np.full(few * (many - few), 1.0 / (few * many)))
    a, b, x = (np.concatenate(part) for part in (losers, gainers, amounts))
    moved = a != b
    return a[moved], b[moved], x[moved]


def race_flows(before: F64, after: F64) -> tuple[I64, I64, F64]:
    """Flows between backends when the weights of an exponential race change.

    Parameters
    ----------
    before, after : weight of each backend, 0 where it does not take part; on either side some weight is positive.

    Returns (from, to, fraction of all keys), one row for each pair that keys move between.

    Cost: O(N log N) and the flows, which are all pairs only if all weights change by different ratios.

    Examples
    --------
    >>> losers, gainers, amounts = race_flows(np.array([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0]))
    >>> losers.tolist(), gainers.tolist(), amounts.tolist()
    ([2, 2], [0, 1], [0.25, 0.25])
    """
    takes_part = np.flatnonzero((before > 0) | (after > 0))
    w, v = before[takes_part] / before.max(), after[takes_part] / after.max()
    with np.errstate(divide="ignore", over="ignore"):
        ratio = w / v
    order = np.argsort(ratio, kind="stable")
    steps = np.concatenate(([True], ~(ratio[order][1:] <= ratio[order][:-1] * (1.0 + _SAME))))
    knots = ratio[order][steps]
    step = np.empty(len(order), dtype=np.int64)
    step[order] = np.cumsum(steps) - 1
    fallen = np.bincount(step, weights=w, minlength=len(knots))
    risen = np.bincount(step, weights=v, minlength=len(knots))
    # between knots m and m + 1, G(r) = a[m] + b[m] r
    a = np.append(np.cumsum(fallen[::-1])[::-1][1:], 0.0)
    b = np.cumsum(risen)
    low, high = knots[:-1], knots[1:]
    with np.errstate(invalid="ignore"):
        inner = (high - low) / ((a[:-1] + b[:-1] * low) * (a[:-1] + b[:-1] * high))
    pieces = np.where(np.isinf(high), 1.0 / (b[:-1] * (a[:-1] + b[:-1] * low)), inner) if len(low) else inner
    integral = np.concatenate(([0.0], np.cumsum(pieces)))
    givers, takers = np.flatnonzero(step > 0), np.flatnonzero(step < len(knots) - 1)
    amounts = w[givers, None] * v[None, takers] * (integral[step[givers]][:, None] - integral[step[takers]][None, :])
    i, j = np.nonzero(amounts > 0.0)
    return takes_part[givers[i]], takes_part[takers[j]], amounts[i, j]
