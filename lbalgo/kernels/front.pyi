from collections.abc import Collection, Container
from types import GenericAlias
from typing import Any, Generic, TypeVar

from lbalgo.attempts import Attempts
from lbalgo.kernels.lease import Desk, Lease
from lbalgo.request import Request
from lbalgo.types import Backend, Key, Outcome, Picker
from lbalgo.view import View

_B = TypeVar("_B", bound=Backend)

LIMIT: float
RETRIED: frozenset[Outcome]
OUTCOME_CODES: dict[Outcome, int]

class Front(Desk, Generic[_B]):
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    @property
    def picker(self) -> Picker[_B]: ...
    @property
    def view(self) -> View[_B]: ...
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
