from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, final, overload

from lbalgo.endpoint import Endpoint
from lbalgo.events import Event, Stats
from lbalgo.kernels.front import Front
from lbalgo.types import Backend, Ids, Policy, Signal

_B = TypeVar("_B", bound=Backend)

@final
class Balancer(Front[_B]):
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
    @property
    def policy(self) -> Policy: ...
    @property
    def next_deadline(self) -> float | None: ...
    def update(self, backends: Iterable[_B | str] | Mapping[str, float]) -> None: ...
    def advance(self, now: float | None = None) -> float | None: ...
    def report(self, id: str, report: Any) -> None: ...
    def stats(self) -> Stats: ...
    def snapshot(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...
