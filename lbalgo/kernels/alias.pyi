from typing import Any, final

from lbalgo.kernels.structure import Structure

@final
class AliasTable(Structure):
    def __init__(self, owners: Any, counts: Any, salts: Any) -> None: ...
    @property
    def size(self) -> int: ...
    def owned(self) -> list[int]: ...
