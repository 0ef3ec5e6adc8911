from collections.abc import Callable, Collection, Container, Iterable, Mapping
from types import GenericAlias
from typing import Any, Generic, TypeVar, final, overload

from lbalgo.attempts import Attempts
from lbalgo.endpoint import Endpoint
from lbalgo.events import Event, Stats
from lbalgo.kernels.lease import Desk, Lease
from lbalgo.request import Request
from lbalgo.types import Backend, Ids, Key, Outcome, Picker, Policy, Signal
from lbalgo.view import View

_B = TypeVar("_B", bound=Backend)

LIMIT: float
RETRIED: frozenset[Outcome]
OUTCOME_CODES: dict[Outcome, int]

@final
class Balancer(Desk, Generic[_B]):
    @overload
    def __init__(
        self: Balancer[Endpoint[Any]],
        policy: Policy,
        backends: Ids,
        *,
        signals: Iterable[Signal] = (),
        gates: Iterable[Any] = (),
        clock: Callable[[], float] = ...,
        seed: int | None = None,
        panic_below: float = 0.5,
        forget_after: float = 300.0,
        on_event: Callable[[Event], object] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        policy: Policy,
        backends: Iterable[_B | str] | Mapping[str, float],
        *,
        signals: Iterable[Signal] = (),
        gates: Iterable[Any] = (),
        clock: Callable[[], float] = ...,
        seed: int | None = None,
        panic_below: float = 0.5,
        forget_after: float = 300.0,
        on_event: Callable[[Event], object] | None = None,
    ) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def picker(self) -> Picker[_B]: ...
    @property
    def view(self) -> View[_B]: ...
    @property
    def next_deadline(self) -> float | None: ...
    def update(self, backends: Iterable[_B | str] | Mapping[str, float]) -> None: ...
    def advance(self, now: float | None = None) -> float | None: ...
    def acquire(
        self,
        key: Key | None = None,
        *,
        exclude: Container[str] = (),
        cost: float = 1.0,
        session: str | bytes | None = None,
        request: Request = ...,
        context: Any = None,
    ) -> Lease[_B]: ...
    def attempts(
        self,
        key: Key | None = None,
        *,
        limit: int = 3,
        budget: Any = None,
        on: Collection[Outcome] = ...,
        exclude: Container[str] = (),
        cost: float = 1.0,
        session: str | bytes | None = None,
        request: Request = ...,
        context: Any = None,
    ) -> Attempts[_B]: ...
    def attempt_(self, course: Attempts[_B]) -> Lease[_B]: ...
    def report(self, id: str, report: Any) -> None: ...
    def stats(self) -> Stats: ...
    def snapshot(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...
