"""What backends are thought to have in their prefix caches: by backend, the blocks lately sent there.

A prefix is a sequence of block hashes, each of which stands for its block *and all before it*, as the caches of
language-model servers make them; so a block that is known implies the prefix before it, and the longest match is the
last known block. `prefix_blocks` makes such hashes of tokens.

The router never sees the caches. It adds what it sends, and takes away the oldest when a backend's list is full, as
that does: an estimate, which errs where a cache is smaller than thought, or cleared.

Costs: add O(blocks); match O(matched blocks); memory about 100 bytes a block, at most `capacity` a backend.
Source: Gateway API inference extension (approximate prefix index, LRU a server).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.active import mix64, xxh64
from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.spec import check_id, check_integer

CAPACITY = 32_768  # blocks a backend: half a million tokens of 16; ours
BLOCK = 16  # tokens; vLLM's default block size


class PrefixIndex:
    """Block hashes by backend, the least lately sent dropped first.

    Parameters
    ----------
    capacity : blocks kept for each backend, >= 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: add O(blocks), match O(matched).
    Source: Gateway API inference extension.

    Examples
    --------
    >>> index = PrefixIndex()
    >>> index.add("a", prefix_blocks([1, 2, 3, 4, 5, 6], block=2))
    >>> index.match("a", prefix_blocks([1, 2, 3, 4, 9, 9], block=2)), index.match("b", [7])
    (2, 0)
    """

    __slots__ = ("_known", "capacity")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = check_integer("capacity", capacity, low=1)
        self._known: dict[str, dict[int, None]] = {}

    def add(self, id: str, blocks: Sequence[int]) -> None:
        """This prefix was sent to this backend."""
        known = self._known.setdefault(check_id(id), {})
        for block in reversed(blocks):  # the beginning of a prefix is dropped last
            known.pop(block, None)
            known[block] = None
        while len(known) > self.capacity:
            del known[next(iter(known))]

    def match(self, id: str, blocks: Sequence[int]) -> int:
        """How many leading blocks the backend is thought to have."""
        known = self._known.get(id)
        if known is None:
            return 0
        for at, block in enumerate(blocks):
            if block not in known:
                return at
        return len(blocks)

    def forget(self, id: str) -> None:
        """The backend has nothing any more: it has left, or begun anew."""
        self._known.pop(id, None)

    def size(self, id: str) -> int:
        """Blocks kept for a backend."""
        return len(self._known.get(id, ()))

    def merge(self, other: PrefixIndex) -> None:
        """Adds what another router of the same backends has sent; its blocks count as sent last."""
        if not isinstance(other, PrefixIndex):
            raise ConfigError("other", other, "must be a PrefixIndex")
        for id, blocks in other._known.items():
            self.add(id, list(reversed(list(blocks))))

    def snapshot(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {"type": "PrefixIndex", "known": {id: list(blocks) for id, blocks in self._known.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot; nothing has changed if it is refused.

        Raises
        ------
        ConfigError : it is no snapshot of an index.
        """
        known = check_state("PrefixIndex", state, "known")["known"]
        good = isinstance(known, Mapping) and all(
            isinstance(id, str)
            and id
            and isinstance(blocks, list)
            and all(type(block) is int for block in blocks)
            and len(set(blocks)) == len(blocks) <= self.capacity
            for id, blocks in known.items()
        )
        if not good:
            raise ConfigError("state['known']", known, f"must be lists of at most {self.capacity} blocks by id")
        self._known = {id: dict.fromkeys(blocks) for id, blocks in known.items()}

    def __repr__(self) -> str:
        return f"PrefixIndex({self.capacity})"


def prefix_blocks(tokens: Sequence[int], block: int = BLOCK, seed: int = 0) -> list[int]:
    """Hashes of the whole blocks of a prompt, each of its block and all before it.

    Parameters
    ----------
    tokens : token numbers, integers in [0, 2**64).
    block : tokens of a block, >= 1; a last block that is not full is left out.
    seed : of the first block, as a model's or an adapter's number; integer in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> one, other = prefix_blocks([1, 2, 3, 4], block=2), prefix_blocks([1, 2, 9, 4, 5], block=2)
    >>> one[0] == other[0], one[1] == other[1], len(other)
    (True, False, 2)
    """
    check_integer("block", block, low=1)
    check_integer("seed", seed, low=0, high=2**64 - 1)
    try:
        data = np.asarray(tokens, dtype=np.uint64) if len(tokens) else np.zeros(0, dtype=np.uint64)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError("tokens", tokens, "must be integers from 0 to 2**64 - 1") from None
    made, before = [], mix64(seed)
    for at in range(0, len(data) - block + 1, block):
        before = xxh64(data[at : at + block].tobytes(), before)
        made.append(before)
    return made
