from typing import Any, Self, final

from lbalgo.kernels.structure import Structure

@final
class AliasTable(Structure):
    def __new__(cls, owners: Any, counts: Any, salts: Any) -> Self: ...
    @property
    def size(self) -> int: ...
    def owned(self) -> list[int]: ...
