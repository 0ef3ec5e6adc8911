"""HAProxy's random generator, and the request rate that breaks ties since 3.4."""

from __future__ import annotations

SEED = 2463534242  # where thread 0 of 2.6 starts in every process
U32 = 0xFFFFFFFF


class Xorshift32:
    """Marsaglia's 32-bit xorshift with shifts 13, 17, 5.

    Parameters
    ----------
    state : 1 to 2**32 - 1, or None for `SEED` and leave to be seeded otherwise.

    Examples
    --------
    >>> draw = Xorshift32(SEED)
    >>> draw(), draw()
    (723471715, 2497366906)
    """

    __slots__ = ("open", "state")

    def __init__(self, state: int | None) -> None:
        self.open = state is None
        self.state = SEED if state is None else state

    def __call__(self) -> int:
        """The next 32 bits."""
        x = self.state
        x ^= x << 13 & U32
        x ^= x >> 17
        x ^= x << 5 & U32
        self.state = x
        return x

    def reseed(self, seed: int) -> None:
        """Starts anew from 64 bits of entropy, unless the state was given."""
        if self.open:
            self.state = (seed ^ seed >> 32) & U32 or SEED


class Rate:
    """Events of about the last second: those of this second, and the part of the last one's that is not past yet.

    Examples
    --------
    >>> rate = Rate()
    >>> for now in (0.0, 0.5, 1.0): rate.add(now)
    >>> rate.at(1.25)
    2.5
    """

    __slots__ = ("current", "previous", "second")

    def __init__(self) -> None:
        self.second, self.current, self.previous = 0, 0, 0

    def add(self, now: float) -> None:
        """Something happened at `now`, in seconds."""
        self._turn(now)
        self.current += 1

    def at(self, now: float) -> float:
        """Events a second at `now`."""
        self._turn(now)
        return self.current + self.previous * (1 - (now - self.second))

    def _turn(self, now: float) -> None:
        second = int(now // 1)
        if second > self.second:
            self.previous = self.current if second == self.second + 1 else 0
            self.second, self.current = second, 0
