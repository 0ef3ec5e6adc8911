"""Which keys requests have: numbers drawn for the instants at which they arrive, and the keys behind the numbers.

Costs: uniform 5 ns a key, Zipf a binary search (20 ns at 10**3 keys, 100 at 10**6); memory 8 bytes a key for Zipf.
Source: Breslau, Cao, Fan, Phillips, Shenker, "Web caching and Zipf-like distributions", INFOCOM 1999.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from lbalgo.active import Stream
from lbalgo.errors import ConfigError
from lbalgo.sim.named import named
from lbalgo.spec import check_integer, check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.types import F64, I64, Key

Drawing: TypeAlias = Callable[[F64], I64]


class Keys(Protocol):
    """What gives requests their keys: how many there are, how they are drawn, and what number i stands for."""

    @property
    def count(self) -> int: ...  # noqa: D102
    def start(self, stream: Stream) -> Drawing: ...  # noqa: D102
    def names(self) -> list[Any] | None: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


@dataclass(frozen=True)
class UniformKeys:
    """The integers below `count`, each as likely as any other.

    Parameters
    ----------
    count : how many keys, >= 1.

    Raises
    ------
    ConfigError : count is no integer >= 1.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> UniformKeys(100).start(Stream(1))(np.zeros(4)).tolist()
    [25, 8, 29, 56]
    """

    count: int

    def __post_init__(self) -> None:
        check_integer("count", self.count, low=1, high=2**31)

    def start(self, stream: Stream) -> Drawing:
        """What draws the keys of requests at these instants."""
        return lambda instants: (stream.uniforms(len(instants)) * self.count).astype(np.int64)

    def names(self) -> list[Any] | None:
        """None: the numbers are the keys."""
        return None

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class ZipfKeys:
    """The integers below `count`, key i in proportion to (i + 1) ** -exponent.

    Parameters
    ----------
    count : how many keys, >= 1.
    exponent : >= 0; web traffic has 0.6 to 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> numbers = ZipfKeys(1000, 1.0).start(Stream(1))(np.zeros(10_000))
    >>> round(float((numbers == 0).mean()), 2)  # 1 / (1 + 1/2 + ... + 1/1000) = 0.134
    0.13
    """

    count: int
    exponent: float = 1.0

    def __post_init__(self) -> None:
        check_integer("count", self.count, low=1, high=2**31)
        check_real("exponent", self.exponent, low=0.0)

    def start(self, stream: Stream) -> Drawing:
        """What draws the keys of requests at these instants."""
        steps = np.cumsum(np.arange(1.0, self.count + 1.0) ** -self.exponent)

        def draw(instants: F64) -> I64:
            found = np.searchsorted(steps, stream.uniforms(len(instants)) * steps[-1], side="right")
            return np.asarray(np.minimum(found, self.count - 1), dtype=np.int64)

        return draw

    def names(self) -> list[Any] | None:
        """None: the numbers are the keys."""
        return None

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class HotKey:
    """Other keys, of which one becomes hot for a while.

    Parameters
    ----------
    keys : what all other requests have.
    number : the number of the hot key, below `keys.count`.
    share : fraction of the requests that have it, 0 to 1, beside those it has anyway.
    begins, ends : seconds.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> hot = HotKey(UniformKeys(1000), 7, 1.0, begins=5.0, ends=6.0)
    >>> hot.start(Stream(1))(np.array([5.0, 5.9, 5.99])).tolist()
    [7, 7, 7]
    """

    keys: Keys
    number: int
    share: float
    begins: float
    ends: float

    def __post_init__(self) -> None:
        if not all(hasattr(self.keys, name) for name in ("count", "start", "names")):
            raise ConfigError("keys", self.keys, "must be keys, such as UniformKeys(1000)")
        check_integer("number", self.number, low=0, high=self.keys.count - 1)
        check_real("share", self.share, low=0.0, high=1.0)
        check_real("begins", self.begins, low=0.0)
        check_real("ends", self.ends, low=self.begins)

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self.keys.count

    def start(self, stream: Stream) -> Drawing:
        """What draws the keys of requests at these instants."""
        coins = Stream(stream.next())
        draw = self.keys.start(stream)

        def drawn(instants: F64) -> I64:
            hot = (instants >= self.begins) & (instants < self.ends)
            hot &= coins.uniforms(len(instants)) < self.share
            return np.where(hot, self.number, draw(instants))

        return drawn

    def names(self) -> list[Any] | None:
        """Those of the other keys."""
        return self.keys.names()

    to_dict = plain

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> HotKey:
        """The keys `to_dict` described."""
        return parsed(cls, data, {"keys": partial(read_keys, "keys")})


@dataclass(frozen=True)
class KeySequence:
    """Keys in the order in which they were recorded, again from the start when they are over.

    Parameters
    ----------
    keys : str, bytes or int, at least one.

    Raises
    ------
    ConfigError : there are none, or one is no key.

    Examples
    --------
    >>> from lbalgo.sim import Stream
    >>> keys = KeySequence(("a", "b", "a"))
    >>> [keys.names()[i] for i in keys.start(Stream(1))(np.zeros(5))]
    ['a', 'b', 'a', 'a', 'b']
    """

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if isinstance(self.keys, (str, bytes)):
            raise ConfigError("keys", self.keys, "must be a sequence of keys, not one")
        try:
            keys = tuple(self.keys)
        except TypeError:
            raise ConfigError("keys", self.keys, "must be a sequence of keys") from None
        if not keys:
            raise ConfigError("keys", keys, "must not be empty")
        for i, key in enumerate(keys):
            whole = isinstance(key, int) and not isinstance(key, bool) and 0 <= key < 2**64
            if not whole and not isinstance(key, (str, bytes)):
                raise ConfigError(f"keys[{i}]", key, "must be str, bytes or an int in [0, 2**64)")
        object.__setattr__(self, "keys", keys)

    @property
    def count(self) -> int:
        """How many different keys there are."""
        return len(dict.fromkeys(self.keys))

    def start(self, stream: Stream) -> Drawing:
        """What gives the keys of the next requests; the stream is not touched."""
        place = {key: number for number, key in enumerate(dict.fromkeys(self.keys))}
        numbers = np.array([place[key] for key in self.keys], dtype=np.int64)
        at = 0

        def draw(instants: F64) -> I64:
            nonlocal at
            places = np.arange(at, at + len(instants)) % len(numbers)
            at = (at + len(instants)) % len(numbers)
            return numbers[places]

        return draw

    def names(self) -> list[Any] | None:
        """The different keys, in order of first appearance."""
        return list(dict.fromkeys(self.keys))

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


def read_keys(parameter: str, data: object) -> Keys:
    """The keys that plain data describes."""
    keys: Keys = named(parameter, data, (UniformKeys, ZipfKeys, HotKey, KeySequence))
    return keys
