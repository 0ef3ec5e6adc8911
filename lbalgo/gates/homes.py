"""Sessions and their homes: the 32 bytes a cookie holds, and the backends of the moment by the mark they have there.

A home is named by a mark, the first 8 bytes of SHA-256 of its id, so that cookies have one length whatever ids have.
Two ids of one mark (chance N**2 / 2**65; somebody who names backends could find such a pair, at the cost of 2**32
hashes) are nobody's home: better no stickiness than the wrong home.

A session that is away from home has an order of all eligible backends of its own: weighted rendezvous by its number.

Costs: one SHA-256 for each id not met before, O(N) for each rebuilt picker; the order O(N log N) once, then O(N) each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any

from lbalgo.gates.members import Members, Standing
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.types import State
from lbalgo.view import View

FIELDS = Struct(">QQQ8s")


@dataclass(frozen=True)
class Session:
    """What a cookie says: milliseconds of the Unix epoch, the session's number, the mark of its home."""

    issued: int
    renewed: int
    number: int
    home: bytes

    def packed(self) -> bytes:
        """32 bytes."""
        return FIELDS.pack(self.issued, self.renewed, self.number, self.home)

    @classmethod
    def unpacked(cls, raw: bytes) -> Session:
        """The session of 32 bytes."""
        return cls(*FIELDS.unpack(raw))


class Homes:
    """The members of a picker, by mark, and a session's own order of them.

    Parameters
    ----------
    members : those of the picker of the moment.
    before : the homes of the picker before it, whose marks are used again.
    """

    __slots__ = ("_order", "homes", "marks", "members")

    def __init__(self, members: Members, before: Homes | None) -> None:
        self.members = members
        old = {} if before is None else before.marks
        self.marks: dict[str, bytes] = {
            id: old.get(id) or hashlib.sha256(id.encode()).digest()[:8] for id in members.slots
        }
        self.homes: dict[bytes, int | None] = {}
        for id, slot in members.slots.items():
            mark = self.marks[id]
            self.homes[mark] = None if mark in self.homes else slot
        self._order: Any = None

    def order(self, number: int) -> Iterator[int]:
        """Slots of the eligible backends as the session of this number prefers them."""
        if self._order is None:
            view = getattr(self.members.picker, "view", None)
            if view is None or tuple(view.ids) != tuple(self.members.slots):
                able = zip(self.members.slots, self.members.standings, strict=True)
                view = View.of(
                    self.members.backends,
                    states={id: State.UNHEALTHY for id, standing in able if standing is not Standing.ELIGIBLE},
                    panic_below=0.0,
                )
            self._order = Rendezvous().build(view)
        return (self.members.slots[backend.id] for backend in self._order.walk(number))
