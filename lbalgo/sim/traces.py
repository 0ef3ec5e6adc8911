"""Traces: requests that were recorded, one a line, as CSV with a header or as JSON objects.

The columns are `time` (or `timestamp`; seconds, from any origin), `key` and `cost`, in any order, the last two
optional; others are passed over. A trace becomes part of a scenario as three specifications: instants in order, keys in
order, costs in order.

Costs: some microseconds a line; memory about 100 bytes a line with keys.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lbalgo.active import Stream
from lbalgo.errors import ConfigError
from lbalgo.sim.keys import KeySequence
from lbalgo.spec import check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.types import F64

if TYPE_CHECKING:
    from lbalgo.sim.scenario import Scenario

TIMES = ("time", "timestamp")


@dataclass(frozen=True)
class Recorded:
    """Arrivals at instants that were recorded.

    Parameters
    ----------
    times : seconds, >= 0, none earlier than the one before.

    Raises
    ------
    ConfigError : there are none, or one is out of its range or order.

    Examples
    --------
    >>> [instants.tolist() for instants in Recorded((0.5, 0.7)).start(Stream(1))]
    [[0.5, 0.7]]
    """

    times: tuple[float, ...]

    def __post_init__(self) -> None:
        times = _numbers("times", self.times)
        for i in range(1, len(times)):
            if times[i] < times[i - 1]:
                raise ConfigError(f"times[{i}]", times[i], "must not be earlier than the one before")
        object.__setattr__(self, "times", times)

    def start(self, stream: Stream) -> Iterator[F64]:
        """The instants, in one block; the stream is not touched."""
        yield np.array(self.times, dtype=np.float64)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class InOrder:
    """Work or costs in the order in which they were recorded, again from the start when they are over.

    Parameters
    ----------
    values : >= 0, at least one.

    Raises
    ------
    ConfigError : there are none, or one is not finite and >= 0.

    Examples
    --------
    >>> take = InOrder((1.0, 3.0)).start(Stream(1))
    >>> take(1).tolist(), take(2).tolist(), InOrder((1.0, 3.0)).mean
    ([1.0], [3.0, 1.0], 2.0)
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _numbers("values", self.values))

    @property
    def mean(self) -> float:
        """Units of work."""
        return float(np.mean(self.values))

    def start(self, stream: Stream) -> Callable[[int], F64]:
        """What gives the values of the next requests."""
        values, at = np.array(self.values, dtype=np.float64), 0

        def take(n: int) -> F64:
            nonlocal at
            places = np.arange(at, at + n) % len(values)
            at = (at + n) % len(values)
            return np.asarray(values[places], dtype=np.float64)

        return take

    def draw(self, stream: Stream, n: int) -> F64:
        """So many values, any of them as likely as another: work for a copy, which nobody has recorded."""
        places = (stream.uniforms(n) * len(self.values)).astype(np.int64)
        return np.asarray(np.array(self.values, dtype=np.float64)[places], dtype=np.float64)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    try:
        found = tuple(check_real(f"{name}[{i}]", value, low=0.0) for i, value in enumerate(values))
    except TypeError:
        raise ConfigError(name, values, "must be numbers") from None
    if not found:
        raise ConfigError(name, values, "must not be empty")
    return found


@dataclass(frozen=True)
class Trace:
    """Recorded requests.

    Parameters
    ----------
    times : seconds from the first one on.
    keys, costs : one for each, or None.

    Examples
    --------
    >>> read_trace("time,key\\n1700000000.5,a\\n1700000002.0,b\\n").times
    (0.0, 1.5)
    """

    times: tuple[float, ...]
    keys: tuple[str, ...] | None
    costs: tuple[float, ...] | None

    def into(self, scenario: Scenario) -> Scenario:
        """The scenario with these requests: cost is what balancers are told, and the work that servers have with it."""
        changes: dict[str, Any] = {"arrivals": Recorded(self.times)}
        if self.keys is not None:
            changes["keys"] = KeySequence(self.keys)
        if self.costs is not None:
            changes["costs"] = changes["service"] = InOrder(self.costs)
        return scenario.but(**changes)


def read_trace(text: str) -> Trace:
    """The trace in a text: CSV with a header, or JSON objects, one a line. Requests are sorted by time.

    Raises
    ------
    ConfigError : a line cannot be read, lacks what others have, or there is none; the parameter says which line.
    """
    lines = text.splitlines()
    start = next((line.lstrip() for line in lines if line.strip()), "")
    rows = list(_json(lines) if start.startswith("{") else _csv(text))
    if not rows:
        raise ConfigError("trace", text[:60], "must have a request")
    time = next((name for name in TIMES if name in rows[0][1]), "time")
    wanted = [time, *(name for name in ("key", "cost") if name in rows[0][1])]
    found: list[tuple[float, Any, Any]] = []
    for number, row in rows:
        for name in wanted:
            if row.get(name) in (None, ""):
                raise ConfigError(f"trace line {number}", row, f"must have {name}")
        cost = check_real(f"trace line {number}: cost", _number(row["cost"]), low=0.0) if "cost" in wanted else None
        key = str(row["key"]) if "key" in wanted else None
        found.append((check_real(f"trace line {number}: {time}", _number(row[time])), key, cost))
    found.sort(key=lambda row: row[0])
    first = found[0][0]
    return Trace(
        tuple(row[0] - first for row in found),
        tuple(row[1] for row in found) if "key" in wanted else None,
        tuple(row[2] for row in found) if "cost" in wanted else None,
    )


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _csv(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ConfigError(f"trace line {reader.line_num}", text[:60], f"must be CSV: {error}") from None


def _json(lines: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"trace line {number}", line[:60], f"must be JSON: {error}") from None
            if not isinstance(row, Mapping):
                raise ConfigError(f"trace line {number}", line[:60], "must be an object")
            yield number, row
