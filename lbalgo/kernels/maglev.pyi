from collections.abc import Sequence
from typing import Any, final

from lbalgo.kernels.structure import Structure
from lbalgo.types import I32

def fill(turns: Sequence[int] | I32, offset: Any, skip: Any, size: int) -> I32: ...

@final
class MaglevTable(Structure):
    def __init__(self, table: Any, salts: Any) -> None: ...
    @property
    def size(self) -> int: ...
    def table(self) -> I32: ...
