"""When requests arrive: processes that give instants in order, without end or until a trace is over.

All but a trace and an even pace are Poisson processes whose rate changes, made from one of rate 1 by inversion: the
n-th request comes when the integral of the rate reaches the n-th instant of the latter. So the same seed gives the same
pattern at every rate, only faster or slower, which takes most of the noise out of comparisons.

Costs: 10 to 50 ns an instant.
Source: Cinlar, *Introduction to Stochastic Processes*, 4.7, for inversion; Fischer, Meier-Hellstern, "The
Markov-modulated Poisson process (MMPP) cookbook", Performance Evaluation 18 (1993).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from lbalgo.active import Stream
from lbalgo.errors import ConfigError
from lbalgo.sim.named import named
from lbalgo.spec import check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.types import F64

BLOCK = 1 << 12  # instants made at a time: few enough to stay in the cache, enough for NumPy's calls not to show


class Arrivals(Protocol):
    """What gives the instants (seconds) of requests in order, in blocks; an own one needs no more than this."""

    def start(self, stream: Stream) -> Iterator[F64]: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


def _unit(stream: Stream) -> Iterator[F64]:
    """Instants of a Poisson process of rate 1."""
    now = 0.0
    while True:
        gaps = stream.exponentials(BLOCK)
        gaps[0] += now
        instants = np.cumsum(gaps)
        now = float(instants[-1])
        yield instants


@dataclass(frozen=True)
class Poisson:
    """Requests that know nothing of each other, at a constant rate.

    Parameters
    ----------
    rate : requests a second, > 0.

    Raises
    ------
    ConfigError : the rate is not finite and > 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> next(Poisson(10.0).start(Stream(1)))[:3].round(3).tolist()
    [0.136, 0.379, 0.503]
    """

    rate: float

    def __post_init__(self) -> None:
        check_real("rate", self.rate, low=0.0, open_low=True)

    def start(self, stream: Stream) -> Iterator[F64]:
        """The instants, in blocks."""
        for instants in _unit(stream):
            yield instants / self.rate

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Paced:
    """Requests at equal distances, the first after one of them.

    Parameters
    ----------
    rate : requests a second, > 0.

    Raises
    ------
    ConfigError : the rate is not finite and > 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> next(Paced(10.0).start(Stream(1)))[:3].tolist()
    [0.1, 0.2, 0.3]
    """

    rate: float

    def __post_init__(self) -> None:
        check_real("rate", self.rate, low=0.0, open_low=True)

    def start(self, stream: Stream) -> Iterator[F64]:
        """The instants, in blocks; the stream is not touched."""
        first = 1
        while True:
            yield np.arange(first, first + BLOCK) / self.rate
            first += BLOCK

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Bursts:
    """A Poisson process whose rate goes round through several values, each for an exponentially distributed time.

    Parameters
    ----------
    rates : requests a second, each >= 0, at least one > 0.
    stays : mean seconds each rate lasts, > 0.

    Raises
    ------
    ConfigError : a rate or a stay is out of its range, or there are not as many of one as of the other.

    Examples
    --------
    >>> Bursts((1.0, 19.0), (8.0, 2.0)).mean_rate
    4.6
    """

    rates: tuple[float, ...]
    stays: tuple[float, ...]

    def __post_init__(self) -> None:
        _columns(self, "rates", "stays")
        for i, stay in enumerate(self.stays):
            check_real(f"stays[{i}]", stay, low=0.0, open_low=True)

    @property
    def mean_rate(self) -> float:
        """Requests a second in the long run."""
        return sum(r * s for r, s in zip(self.rates, self.stays, strict=True)) / sum(self.stays)

    def start(self, stream: Stream) -> Iterator[F64]:
        """The instants, in blocks."""
        lengths = Stream(stream.next())
        phase, begins, mass = 0, 0.0, 0.0  # this phase began at that instant, when that many requests had been due
        ends = begins + self.stays[0] * float(lengths.exponentials(1)[0])
        for due in _unit(stream):
            out = np.empty(len(due))
            done = 0
            while done < len(due):
                rate = self.rates[phase]
                full = mass + rate * (ends - begins)
                upto = done + int(np.searchsorted(due[done:], full, side="left"))
                if upto > done:
                    out[done:upto] = np.minimum(begins + (due[done:upto] - mass) / rate, ends)
                done = upto
                if done < len(due):
                    mass, begins, phase = full, ends, (phase + 1) % len(self.rates)
                    ends = begins + self.stays[phase] * float(lengths.exponentials(1)[0])
            yield out

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Ramp:
    """A Poisson process whose rate goes in straight lines from one value to the next, and keeps the last one.

    Parameters
    ----------
    times : seconds at which the rates are given: the first 0, each later than the one before.
    rates : requests a second at those instants, >= 0, at least one > 0; after a last rate of 0 nobody comes.

    Raises
    ------
    ConfigError : a time or rate is out of its range, or there are not as many of one as of the other.

    Examples
    --------
    >>> Ramp((0.0, 10.0, 10.001), (0.0, 100.0, 0.0)).to_dict()["rates"]
    [0.0, 100.0, 0.0]
    """

    times: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        _columns(self, "rates", "times")
        if self.times[0] != 0.0:
            raise ConfigError("times[0]", self.times[0], "must be 0")
        for i in range(1, len(self.times)):
            if not self.times[i] > self.times[i - 1]:
                raise ConfigError(f"times[{i}]", self.times[i], "must be later than the one before")

    def start(self, stream: Stream) -> Iterator[F64]:
        """The instants, in blocks."""
        times, rates = np.array(self.times), np.array(self.rates)
        masses = np.concatenate([[0.0], np.cumsum(np.diff(times) * (rates[1:] + rates[:-1]) / 2)])
        slopes = np.append(np.diff(rates) / np.diff(times), 0.0)
        for due in _unit(stream):
            if rates[-1] == 0.0:
                due = due[due < masses[-1]]
            at = np.searchsorted(masses, due, side="right") - 1
            rest = due - masses[at]
            root = np.sqrt(np.maximum(rates[at] ** 2 + 2.0 * slopes[at] * rest, 0.0))
            out = times[at] + 2.0 * rest / (rates[at] + root)  # the quadratic's root that stays good as slopes vanish
            if len(out):
                yield np.maximum.accumulate(out)
            if len(due) < BLOCK:
                return

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


def _columns(spec: Any, rates: str, other: str) -> None:
    """Two columns of numbers, of one length, as tuples; the first are rates."""
    for name in (rates, other):
        values = getattr(spec, name)
        try:
            values = tuple(check_real(f"{name}[{i}]", value, low=0.0) for i, value in enumerate(values))
        except TypeError:
            raise ConfigError(name, values, "must be numbers") from None
        object.__setattr__(spec, name, values)
    if not any(getattr(spec, rates)):
        raise ConfigError(rates, getattr(spec, rates), "must have one > 0")
    if len(getattr(spec, rates)) != len(getattr(spec, other)):
        raise ConfigError(other, getattr(spec, other), f"must be as many as {rates}")


def read_arrivals(parameter: str, data: object) -> Arrivals:
    """The arrivals that plain data describes."""
    arrivals: Arrivals = named(parameter, data, (Poisson, Paced, Bursts, Ramp))
    return arrivals
