from typing import Any, Self, final

from lbalgo.kernels.structure import Structure

def jump(ticket: int, buckets: int) -> int: ...

@final
class JumpBuckets(Structure):
    def __new__(cls, mask: Any) -> Self: ...
