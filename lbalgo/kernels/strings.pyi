from typing import Any

from lbalgo.kernels.hashing import KeyHasher
from lbalgo.types import U64

def hash_strings(hasher: KeyHasher, keys: Any, out: U64) -> None: ...
