"""Redis Cluster: 16384 slots, each served by one node.

A key's slot is the CRC-16 (XMODEM) of its hash tag modulo 16384; the tag is what stands between the first "{" and the
next "}", if anything does, else the whole key. Which node serves which slots is no function of the nodes but part of
their configuration: it moves when slots are migrated, or when a replica takes over, and at no other time. So health
plays no part here: a client goes on asking the owner of a slot until it is told of another. A failover is an update, in
which the replica has the slots of its master.

With cluster-require-full-coverage, which is Redis' default, a cluster with an unserved slot serves none at all.

Source: Redis Cluster specification, "Key distribution model" and "Hash tags"; slots captured from redis-server 7.0.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from lbalgo.active import MaglevTable, TicketPicker
from lbalgo.compat.structures import (
    dialect_picker,
    raw_hasher,
    salts_of,
    structure_check,
    structure_content,
    structure_shares,
)
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, counted, hash_step
from lbalgo.reference.hashing import key_bytes
from lbalgo.spec import check_id, check_integer, check_weight, from_dict, to_dict
from lbalgo.types import I32, Backend, Key, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

SLOTS = 16384

__all__ = ["SLOTS", "Cluster", "Node", "slot"]


def tagged(key: bytes) -> bytes:
    """The part of a key that decides its slot.

    Examples
    --------
    >>> tagged(b"{user1000}.following"), tagged(b"foo{}{bar}"), tagged(b"foo{{bar}}zap")
    (b'user1000', b'foo{}{bar}', b'{bar')
    """
    first = key.find(b"{")
    if first >= 0:
        last = key.find(b"}", first + 1)
        if last > first + 1:
            return key[first + 1 : last]
    return key


def slot(key: Key) -> int:
    """The slot of a key, as CLUSTER KEYSLOT gives it.

    Raises
    ------
    ConfigError : a str without UTF-8 form; TypeError : no key at all.

    Cost: O(length). Source: Redis Cluster specification, "Hash tags".

    Examples
    --------
    >>> slot("foo"), slot("{user1000}.following") == slot("{user1000}.followers")
    (12182, True)
    """
    return _slot(key_bytes(key))


def _slot(key: bytes) -> int:
    return binascii.crc_hqx(tagged(key), 0) & (SLOTS - 1)


@dataclass(frozen=True, slots=True)
class Node:
    """A master and the slots it serves.

    Parameters
    ----------
    id : name or address.
    slots : ranges (first, last), both included, as CLUSTER SLOTS and CLUSTER ADDSLOTSRANGE have them; none: it serves
        nothing.
    weight : for what else a pool may be asked; slots alone decide here.

    Raises
    ------
    ConfigError : a range is no pair of slots in order.

    Examples
    --------
    >>> Node("a", ((0, 5460),)).slots
    ((0, 5460),)
    """

    id: str
    slots: tuple[tuple[int, int], ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_id(self.id)
        check_weight("weight", self.weight)
        _check_ranges("slots", self.slots)


def _check_ranges(name: str, ranges: Any) -> None:
    if not isinstance(ranges, tuple) or not all(isinstance(r, tuple) and len(r) == 2 for r in ranges):
        raise ConfigError(name, ranges, "must be a tuple of pairs (first, last)")
    for first, last in ranges:
        check_integer(name, first, low=0, high=SLOTS - 1)
        check_integer(name, last, low=first, high=SLOTS - 1)


@dataclass(frozen=True)
class Cluster:
    """Picks the node that serves a key's slot.

    Raises
    ------
    ConfigError : at build, two nodes claim one slot, or a backend's slots are invalid.

    Backends: `Node`, or anything with `slots`; a backend without serves nothing, as a node that has just joined. If
    any slot is unserved nobody is eligible (cluster-require-full-coverage yes; its no is not offered). States and
    weights do not matter. Walks go on to the owners of the following slots: that is ours, Redis has no second choice.

    Costs: build O(16384), pick O(1) and the CRC; memory 32 KB; a migration moves the keys of the migrated slots.
    `shares` is exact: slots / 16384.
    Source: Redis Cluster specification, "Key distribution model".

    Examples
    --------
    >>> picker = Cluster().build([Node("a", ((0, 8191),)), Node("b", ((8192, 16383),)), Node("c")])
    >>> picker.pick("foo").id, picker.shares().tolist()
    ('b', [0.5, 0.5, 0.0])
    """

    position_name: ClassVar[str] = "slot"

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view."""
        view = view_of(view)
        owners = owners_of(view)
        usable = np.bincount(owners[owners >= 0], minlength=len(view)) > 0
        if (owners < 0).any():
            usable[:] = False
        # 16384 divides nothing but itself: the slot is the ticket, and the table is read at ticket mod 16384
        return dialect_picker(
            self, view, previous, usable, lambda: MaglevTable(owners, salts_of(view)), raw_hasher(_slot)
        )

    def explain_key(self, data: bytes) -> Steps:
        """The hash tag, and its CRC-16."""
        tag = tagged(data)
        return [("tag", counted(tag)), hash_step(binascii.crc_hqx(tag, 0), "CRC-16/XMODEM", 16)]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Cluster:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


def owners_of(view: View[Any]) -> I32:
    """The view's slot of each cluster slot's owner, -1 for those that nobody serves.

    Raises
    ------
    ConfigError : two backends claim one slot, or ranges are invalid.
    """
    owners = np.full(SLOTS, -1, dtype=np.int32)
    for place, backend in enumerate(view.backends):
        name = f"slots[{backend.id!r}]"
        ranges = getattr(backend, "slots", ())
        _check_ranges(name, ranges)
        for first, last in ranges:
            taken = np.flatnonzero(owners[first : last + 1] >= 0)
            if len(taken):
                other = view.ids[owners[first + int(taken[0])]]
                raise ConfigError(name, (first, last), f"slot {first + int(taken[0])} is already served by {other!r}")
            owners[first : last + 1] = place
    return owners
