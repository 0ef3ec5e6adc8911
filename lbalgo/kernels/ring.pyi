from typing import Any, Self, final

from lbalgo.kernels.structure import Structure
from lbalgo.types import F64, I32, U64

@final
class Ring(Structure):
    def __new__(
        cls,
        points: Any,
        owners: Any,
        slots: int,
        nearest: bool = False,
        before: Ring | None = None,
        places: Any = None,
    ) -> Self: ...
    @property
    def size(self) -> int: ...
    @property
    def members(self) -> int: ...
    @property
    def nearest(self) -> bool: ...
    @property
    def ties(self) -> bool: ...
    def points(self) -> U64: ...
    def owners(self) -> I32: ...

def moves(
    ids: tuple[str, ...], weights: F64, ids_now: tuple[str, ...], weights_now: F64
) -> tuple[I32, list[int], list[float], list[float]]: ...
