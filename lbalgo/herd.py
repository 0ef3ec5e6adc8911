"""Thundering herds: clients that do the same thing at the same time, and instants at which they do not.

A backend comes back, or a configuration is pushed, and everybody who waited for it connects in the same second; what
was just restored falls over again. Refreshes with a common period stay together for ever once they have begun together,
as after a deploy. The cure for both is to give each client an instant of its own:

- `rejoin`: a delay within `spread` seconds after an event, another one at each event;
- `refresh`: the k-th refresh of a client, at a phase that is its own, however often it is restarted;
- `spread_for`: how long a spread has to be for a given rate of arrivals;
- `peak`: the most arrivals within any window, counted exactly, to see what a plan comes to.

The instants are functions of the client's id, a number and a seed: nothing is stored, and a test can count them. With n
clients over s seconds the mean within a window of w is n * w / s; the fullest window has some standard deviations more,
as many as chance gives it, so plan with headroom, and do not take the mean for the peak.

Costs: O(1) an instant, O(n log n) the peak.
Source: ours; the phase by hash is how cron systems spread jobs that have the same schedule.
"""

from __future__ import annotations

from collections.abc import Iterable

from lbalgo.active import mix64
from lbalgo.errors import ConfigError
from lbalgo.hashing import hash_key
from lbalgo.spec import LIMIT, check_id, check_integer, check_real

GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment


def rejoin(id: str, spread: float, event: int = 0, seed: int = 0) -> float:
    """The seconds a client waits after an event before it connects.

    Parameters
    ----------
    id : the client, or the connection.
    spread : seconds; waits are uniform in [0, spread).
    event : number of the event, >= 0: who was last this time is not so the next.
    seed : in [0, 2**64), the same for all clients.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> all(0 <= rejoin(f"client-{k}", 30.0) < 30 for k in range(100))
    True
    >>> rejoin("a", 30.0, event=1) == rejoin("a", 30.0, event=2)
    False
    """
    check_real("spread", spread, low=0.0, high=LIMIT)
    return _part(id, check_integer("event", event, low=0), seed) * spread


def refresh(id: str, k: int, period: float, jitter: float = 0.0, seed: int = 0) -> float:
    """The instant of a client's k-th refresh, in seconds since a beginning that all clients share, as an epoch.

    Parameters
    ----------
    id : the client.
    k : which refresh, >= 0.
    period : seconds from one to the next; the first lies in [0, period).
    jitter : share of a period by which each may be later, 0 to 1; delays do not add up.
    seed : in [0, 2**64), the same for all clients.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> first = refresh("a", 0, period=60.0)
    >>> 0 <= first < 60 and abs(refresh("a", 5, period=60.0) - first - 300) < 1e-9
    True
    """
    check_real("period", period, low=0.0, high=LIMIT, open_low=True)
    check_real("jitter", jitter, low=0.0, high=1.0)
    check_integer("k", k, low=0, high=2**53)
    return (_part(id, 0, seed) + k + (jitter * _part(id, k + 1, seed) if jitter else 0.0)) * period


def spread_for(clients: int, rate: float) -> float:
    """The spread in seconds that lets `clients` come back at `rate` a second in the mean.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> spread_for(6000, rate=200.0)
    30.0
    """
    return check_integer("clients", clients, low=0) / check_real("rate", rate, low=0.0, open_low=True)


def peak(instants: Iterable[float], window: float = 1.0) -> int:
    """The most arrivals within any window [t, t + window), in seconds.

    Raises
    ------
    ConfigError : an instant is no finite number, or the window is not positive.

    Examples
    --------
    >>> peak([0.0, 0.4, 1.0, 1.3, 5.0])
    3
    """
    check_real("window", window, low=0.0, open_low=True)
    if isinstance(instants, (str, bytes)) or not isinstance(instants, Iterable):
        raise ConfigError("instants", instants, "must be a collection of numbers")
    sorted_ = sorted(check_real("instants", instant) for instant in instants)
    most = first = 0
    for last, instant in enumerate(sorted_):
        while instant - sorted_[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def _part(id: str, number: int, seed: int) -> float:
    """A number in [0, 1) of 53 bits."""
    base = mix64(hash_key(check_id(id), seed=check_integer("seed", seed, low=0, high=2**64 - 1)))
    return (mix64((base + number * GAMMA) & (2**64 - 1)) >> 11) * 2.0**-53
