"""The protocols, the two vocabularies (`Outcome`, `State`) and the array aliases everything else is written in.

Nothing here decides anything. Data flows one way: members, outcomes and time go into signals, signals make a `View`,
a policy builds a picker from the view, the picker chooses, a lease reports how it went.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lbalgo.errors import ConfigError

if TYPE_CHECKING:
    from lbalgo.view import View

F64: TypeAlias = NDArray[np.float64]
U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]
I64: TypeAlias = NDArray[np.int64]
I32: TypeAlias = NDArray[np.int32]
U8: TypeAlias = NDArray[np.uint8]
Bool: TypeAlias = NDArray[np.bool_]
Key: TypeAlias = bytes | bytearray | memoryview | str | int


class State(enum.IntEnum):
    """What is known of a backend; worse is larger, and signals can only worsen it.

    Eligible means weight > 0 and `HEALTHY`; in panic `DEGRADED` and `UNHEALTHY` are eligible too, `DRAINING` never.

    Examples
    --------
    >>> max(State.HEALTHY, State.UNHEALTHY)
    <State.UNHEALTHY: 2>
    """

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2
    DRAINING = 3


class Outcome(enum.Enum):
    """How a request ended, as far as the chosen backend is concerned.

    Examples
    --------
    >>> Outcome.from_http(503), Outcome.from_http(404)
    (<Outcome.GATEWAY_ERROR: 'gateway_error'>, <Outcome.SUCCESS: 'success'>)
    """

    SUCCESS = "success"
    SERVER_ERROR = "server_error"
    GATEWAY_ERROR = "gateway_error"
    OVERLOADED = "overloaded"
    LOCAL_ERROR = "local_error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @classmethod
    def from_http(cls, status: int) -> Outcome:
        """The outcome an HTTP status stands for: 502, 503, 504 gateway, other 5xx server error, 429 overloaded.

        Parameters
        ----------
        status : HTTP status code, 100 to 599.

        Raises
        ------
        ConfigError : the status is no integer from 100 to 599.

        Source: Envoy counts 5xx as errors and 502, 503, 504 as gateway failures (outlier detection).
        """
        if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
            raise ConfigError("status", status, "must be an HTTP status from 100 to 599")
        if status in (502, 503, 504):
            return cls.GATEWAY_ERROR
        if status >= 500:
            return cls.SERVER_ERROR
        return cls.OVERLOADED if status == 429 else cls.SUCCESS


@runtime_checkable
class Backend(Protocol):
    """What a pool is made of: anything with an id, unique in its pool, and a weight (finite, >= 0)."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def weight(self) -> float: ...  # noqa: D102


B = TypeVar("B", bound=Backend)
B_co = TypeVar("B_co", bound=Backend, covariant=True)


Ids: TypeAlias = Iterable[str] | Mapping[str, float]  # ids, or ids and weights: both become `Endpoint`s
Pool: TypeAlias = "View[B] | Iterable[B | str] | Mapping[str, float]"  # all that a policy builds from


class Picker(Protocol[B_co]):
    """A snapshot that chooses; built by a `Policy`, unchanged by picking but for one cursor."""

    @property
    def backends(self) -> Sequence[B_co]: ...  # noqa: D102
    def pick(self, key: Key | None = None, *, exclude: Container[str] = ()) -> B_co: ...  # noqa: D102
    def walk(self, key: Key | None = None) -> Iterator[B_co]: ...  # noqa: D102


@runtime_checkable
class TicketDecided(Protocol):
    """A picker whose decision is a function of a 64-bit ticket alone, and so can be run in bulk and replayed."""

    def tickets(self, keys: Any) -> U64: ...  # noqa: D102
    def slot(self, ticket: int) -> int: ...  # noqa: D102
    def pick_many(self, tickets: U64) -> I32: ...  # noqa: D102
    def shares(self) -> F64: ...  # noqa: D102
    def fingerprint(self) -> int: ...  # noqa: D102


class Policy(Protocol):
    """A frozen specification that builds pickers."""

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> Picker[B]: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


class Signal(Protocol):
    """A sans-IO state machine over slots that contributes a factor and a state to the view."""

    version: int
    deadline: float | None

    def sync(self, ids: Sequence[str], now: float) -> None: ...  # noqa: D102
    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None: ...  # noqa: D102
    def changed(self, slot: int, old: State, new: State, now: float) -> None: ...  # noqa: D102
    def advance(self, now: float) -> None: ...  # noqa: D102
    def apply(self, factors: F64, states: U8) -> None: ...  # noqa: D102
    def snapshot(self) -> dict[str, Any]: ...  # noqa: D102
    def restore(self, state: Mapping[str, Any], now: float) -> None: ...  # noqa: D102


class Load(Protocol):
    """Fast state that changes with every request, kept by row and read live at pick time.

    A request ends with the cost it began with, so that nothing need be kept of each.
    """

    def started(self, row: int, cost: float, now: float) -> None: ...  # noqa: D102
    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None: ...  # noqa: D102
    def advance(self, now: float) -> None: ...  # noqa: D102
    def at(self, row: int) -> float: ...  # noqa: D102


class LoadSpec(Protocol):
    """A frozen specification of a load; a policy holds one, `start()` makes the state."""

    def start(self) -> Load: ...  # noqa: D102
    def to_dict(self) -> dict[str, object]: ...  # noqa: D102


OUTCOME_CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(Outcome)}  # small ints for kernels
