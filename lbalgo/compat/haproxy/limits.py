"""Limits that move: ``maxconn`` between ``minconn`` and ``fullconn``, and during a slow start.

Both are integers, computed anew for every decision.
"""

from __future__ import annotations

from math import ceil


def slowstart_seconds(slowstart: float) -> int:
    """The length of a slow start in the whole seconds it is compared in; milliseconds are rounded up.

    Examples
    --------
    >>> slowstart_seconds(10), slowstart_seconds(2.001)
    (10, 3)
    """
    return ceil(round(slowstart * 1000) / 1000)


def slowstart_step(age: float, slowstart: float) -> int:
    """The sixteenths of its weight that a server has, `age` seconds after it came up: 1 to 16.

    Parameters
    ----------
    age : seconds, of which whole ones count.
    slowstart : seconds.

    Source: HAProxy Configuration Manual, "slowstart".

    Examples
    --------
    >>> [slowstart_step(t, 10) for t in (0, 1, 5, 9.99, 10)]
    [1, 2, 9, 15, 16]
    """
    seconds, whole = slowstart_seconds(slowstart), int(age)
    return 16 if whole >= seconds else max((16 * whole + seconds) // seconds, 1)


def slowstart_maxconn(maxconn: int, age: float, slowstart: float) -> int:
    """The limit of a server `age` seconds after it came up: the same part of it as of the slow start, in per cent.

    Examples
    --------
    >>> [slowstart_maxconn(50, t, 10) for t in (0, 1, 5, 10)]
    [1, 5, 25, 50]
    >>> slowstart_maxconn(0, 1, 10)
    0
    """
    seconds, whole = slowstart_seconds(slowstart), int(age)
    if maxconn == 0 or whole >= seconds:
        return maxconn
    return max(maxconn * (100 * whole // seconds) // 100, 1)


def dynamic_maxconn(maxconn: int, minconn: int, fullconn: int, conns: int) -> int:
    """The limit of a server while the backend has `conns` connections.

    Parameters
    ----------
    maxconn, minconn : of the server, 0 where not set; a minconn above maxconn raises it.
    fullconn : connections of the backend at which the limit is maxconn.
    conns : connections of the backend at present.

    Source: HAProxy Configuration Manual, "minconn", "fullconn".

    Examples
    --------
    >>> [dynamic_maxconn(100, 10, 1000, conns) for conns in (0, 50, 500, 1000)]
    [10, 10, 50, 100]
    """
    most = max(maxconn, minconn)
    if minconn == 0 or minconn >= most or conns >= fullconn:
        return most
    return max(minconn, conns * most // fullconn)


def shown_weight(effective: int) -> int:
    """The weight that the statistics show: sixteenths, rounded up.

    Examples
    --------
    >>> [shown_weight(100 * slowstart_step(t, 10)) for t in (0, 1, 10)]
    [7, 13, 100]
    """
    return (effective + 15) // 16
