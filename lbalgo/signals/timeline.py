"""A caller's clock as whole nanoseconds, so that intervals add up exactly and the latest instant is never lost.

The core is told the time (`now`, seconds, any monotone origin) and stores only how long after its own beginning things
happened. Whole numbers make three ticks of 10 s and one ejection of 30 s the same instant, and they survive a process:
a snapshot holds ages, and a new timeline that begins elsewhere continues them.
"""

from __future__ import annotations

import math

from lbalgo.errors import ConfigError
from lbalgo.spec import LIMIT, check_integer, check_real

NANOSECONDS = 10**9


def nanoseconds(seconds: float) -> int:
    """A duration as whole nanoseconds, to the nearest."""
    whole, part = divmod(seconds, 1.0)
    return int(whole) * NANOSECONDS + round(part * NANOSECONDS)


def check_instant(name: str, value: object) -> float:
    """An instant in seconds, at most 2**53 from zero; else ConfigError naming it."""
    return check_real(name, value, low=-LIMIT, high=LIMIT)


def check_duration(name: str, value: object, *, zero: bool = False) -> float:
    """A duration in seconds: at least one nanosecond, or zero where that makes sense; else ConfigError naming it."""
    seconds = check_real(name, value, low=0.0, high=LIMIT)
    if nanoseconds(seconds) == 0 and not (zero and seconds == 0.0):
        raise ConfigError(name, value, "must be " + ("0, or " if zero else "") + "at least one nanosecond")
    return seconds


class Timeline:
    """Nanoseconds since a beginning, and the latest of them seen.

    Parameters
    ----------
    origin : the instant in the caller's clock, in seconds, that is 0 here.

    Attributes
    ----------
    latest : the latest instant seen, in nanoseconds since the origin.
    now : the same in the caller's clock, in seconds.

    Examples
    --------
    >>> line = Timeline(100.0)
    >>> line.see(100.5), line.see(100.25), line.now
    (500000000, 500000000, 100.5)
    """

    __slots__ = ("latest", "now", "origin")

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self.now = origin
        self.latest = 0

    def see(self, now: float) -> int:
        """The latest instant, now that `now` was seen; an earlier one changes nothing."""
        if now > self.now:
            self.now = now
            self.latest = max(self.latest, nanoseconds(now - self.origin))
        return self.latest

    def at(self, instant: int) -> float:
        """An instant in the caller's clock: seeing it is enough for everything due by then."""
        seconds = self.origin + instant / NANOSECONDS
        while nanoseconds(seconds - self.origin) < instant:
            seconds = math.nextafter(seconds, math.inf)
        return seconds


def check_age(name: str, value: object, *, low: int | None = None) -> int:
    """An age out of a snapshot: whole nanoseconds; else ConfigError naming it."""
    return check_integer(name, value, low=low, high=int(LIMIT) * NANOSECONDS)
