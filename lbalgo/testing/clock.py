"""`FakeClock`: time for tests, which passes when it is told to and never otherwise."""

from __future__ import annotations

from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_time


class FakeClock:
    """A clock in seconds that stands still between calls of `advance` and `set`; pass it wherever a clock is asked for.

    Parameters
    ----------
    now : the first reading, seconds of any origin.

    Raises
    ------
    ConfigError : a reading is not finite, a step is negative, or time would run backwards; the clock is then unmoved.

    Examples
    --------
    >>> clock = FakeClock(100.0)
    >>> clock.advance(2.5)
    102.5
    >>> clock()
    102.5
    """

    __slots__ = ("now",)

    def __init__(self, now: float = 0.0) -> None:
        self.now = check_time("now", now)

    def __call__(self) -> float:
        """The present reading, seconds."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Lets `seconds` (>= 0) pass; returns the new reading."""
        self.now = check_time("now", self.now + check_real("seconds", seconds, low=0.0))
        return self.now

    def set(self, now: float) -> float:
        """Moves to the reading `now`, which is not before the present one."""
        if check_time("now", now) < self.now:
            raise ConfigError("now", now, f"must not be before {self.now!r}")
        self.now = float(now)
        return self.now

    def __repr__(self) -> str:
        return f"FakeClock({self.now!r})"
