"""How much work a request is: distributions of service, each a frozen specification with its mean known exactly.

Work is in units of which a server of speed 1 does one a second. What a distribution is drawn from is a `Stream` of its
own, so two studies with one seed give every request the same work, whatever else differs between them; drawing n values
at once or one by one gives the same values.

Costs: 10 to 40 ns a value.
Source: inversion throughout, but for normal deviates (see `lbalgo.reference.streams`); Crovella, Bestavros,
"Self-similarity in World Wide Web traffic", IEEE/ACM ToN 5 (1997), for Pareto sizes.
"""

from __future__ import annotations

import math
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


class Distribution(Protocol):
    """What work is drawn from; an own one needs no more than this."""

    @property
    def mean(self) -> float: ...  # noqa: D102
    def draw(self, stream: Stream, n: int) -> F64: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


def _positive(spec: Any, *names: str) -> None:
    for name in names:
        check_real(name, getattr(spec, name), low=0.0, open_low=True)


@dataclass(frozen=True)
class Exponential:
    """Exponentially distributed work: what is left of a request is as much as the whole, whenever one looks.

    Parameters
    ----------
    mean : units of work, > 0.

    Raises
    ------
    ConfigError : the mean is not finite and > 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> Exponential(2.0).draw(Stream(1), 3).round(3).tolist()
    [2.726, 4.853, 2.472]
    """

    mean: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "mean")

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values."""
        return self.mean * stream.exponentials(n)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Constant:
    """The same work for every request.

    Parameters
    ----------
    mean : units of work, > 0.

    Raises
    ------
    ConfigError : the mean is not finite and > 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> Constant(2.0).draw(Stream(1), 2).tolist()
    [2.0, 2.0]
    """

    mean: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "mean")

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values; the stream is not touched."""
        return np.full(n, float(self.mean))

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class LogNormal:
    """Work whose logarithm is normal: most requests small, a few many times the mean.

    Parameters
    ----------
    mean : units of work, > 0.
    sigma : standard deviation of the logarithm, > 0; the squared coefficient of variation is exp(sigma ** 2) - 1.

    Raises
    ------
    ConfigError : a parameter is not finite and > 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> bool(abs(LogNormal(2.0, 0.5).draw(Stream(1), 100_000).mean() - 2.0) < 0.02)
    True
    """

    mean: float = 1.0
    sigma: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "mean", "sigma")

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values."""
        drift = math.log(self.mean) - self.sigma**2 / 2
        return np.exp(self.sigma * stream.normals(n) + drift)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Pareto:
    """Work with a heavy tail: P(work > x) = (least / x) ** shape.

    Parameters
    ----------
    mean : units of work, > 0; the least is mean * (shape - 1) / shape.
    shape : > 1; the variance is infinite up to 2, and averages over runs settle slowly then.

    Raises
    ------
    ConfigError : mean is not finite and > 0, shape not finite and > 1.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> work = Pareto(1.0, 2.5).draw(Stream(1), 1000)
    >>> bool(work.min() >= 0.6)
    True
    """

    mean: float = 1.0
    shape: float = 2.5

    def __post_init__(self) -> None:
        _positive(self, "mean")
        check_real("shape", self.shape, low=1.0, open_low=True)

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values."""
        least = self.mean * (self.shape - 1.0) / self.shape
        return least * np.exp(stream.exponentials(n) / self.shape)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Bimodal:
    """Two kinds of requests, short and long, each always the same work.

    Parameters
    ----------
    short, long : units of work, > 0.
    share : fraction of the requests that are long, 0 to 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> Bimodal(1.0, 10.0, 0.1).mean, sorted(set(Bimodal(1.0, 10.0, 0.1).draw(Stream(1), 100).tolist()))
    (1.9, [1.0, 10.0])
    """

    short: float
    long: float
    share: float

    def __post_init__(self) -> None:
        _positive(self, "short", "long")
        check_real("share", self.share, low=0.0, high=1.0)

    @property
    def mean(self) -> float:
        """Units of work."""
        return (1.0 - self.share) * self.short + self.share * self.long

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values."""
        return np.where(stream.uniforms(n) < self.share, float(self.long), float(self.short))

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Sampled:
    """Work drawn from values that were measured, each as likely as any other.

    Parameters
    ----------
    values : units of work, >= 0, at least one > 0.

    Raises
    ------
    ConfigError : there are none, or one is not finite and >= 0, or all are 0.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> set(Sampled((1.0, 3.0)).draw(Stream(1), 100).tolist()) == {1.0, 3.0}, Sampled((1.0, 3.0)).mean
    (True, 2.0)
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        try:
            values = tuple(self.values)
        except TypeError:
            raise ConfigError("values", self.values, "must be numbers") from None
        values = tuple(check_real(f"values[{i}]", value, low=0.0) for i, value in enumerate(values))
        if not any(values):
            raise ConfigError("values", self.values, "must have one > 0")
        object.__setattr__(self, "values", values)

    @property
    def mean(self) -> float:
        """Units of work."""
        return math.fsum(self.values) / len(self.values)

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values."""
        places = (stream.uniforms(n) * len(self.values)).astype(np.int64)
        return np.asarray(self.values, dtype=np.float64)[np.minimum(places, len(self.values) - 1)]

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


def read_distribution(parameter: str, data: object) -> Distribution:
    """The distribution that plain data describes."""
    distribution: Distribution = named(parameter, data, (Exponential, Constant, LogNormal, Pareto, Bimodal, Sampled))
    return distribution
