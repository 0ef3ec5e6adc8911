from collections.abc import Sequence
from typing import Any, Self, final

from lbalgo.kernels.structure import Structure
from lbalgo.types import I32

def fill(turns: Sequence[int] | I32, offset: Any, skip: Any, size: int) -> I32: ...

@final
class MaglevTable(Structure):
    def __new__(cls, table: Any, salts: Any) -> Self: ...
    @property
    def size(self) -> int: ...
    def table(self) -> I32: ...
