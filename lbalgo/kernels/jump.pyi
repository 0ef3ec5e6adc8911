from typing import Any, final

from lbalgo.kernels.structure import Structure

def jump(ticket: int, buckets: int) -> int: ...

@final
class JumpBuckets(Structure):
    def __init__(self, mask: Any) -> None: ...
