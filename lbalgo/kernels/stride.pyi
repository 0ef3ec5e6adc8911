from typing import Any, Self, final

from lbalgo.kernels.structure import Structure

@final
class Stride(Structure):
    def __new__(cls, owners: Any, strides: Any, slots: int) -> Self: ...
    @property
    def size(self) -> int: ...
    def strides(self) -> list[tuple[int, int]]: ...
