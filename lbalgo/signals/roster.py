"""Who is in the pool and who left it lately: the membership half of every signal.

Survivors keep their record, leavers keep theirs until they are forgotten: flapping discovery must not erase what is
known. A record is the signal's own mutable object; a roster only says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from lbalgo.errors import ConfigError, DuplicateBackend
from lbalgo.spec import check_id, check_integer

R = TypeVar("R")


class Roster(Generic[R]):
    """Records of the members, in slot order, and of those who left, with the instant they left.

    Attributes
    ----------
    members : id to record, in slot order.
    away : id to (instant of leaving in nanoseconds, record), in the order of leaving.
    """

    __slots__ = ("away", "members")

    def __init__(self) -> None:
        self.members: dict[str, R] = {}
        self.away: dict[str, tuple[int, R]] = {}

    def forget(self, before: int) -> list[R]:
        """Drop, and return, the records of those who left at or before an instant."""
        gone = [id for id, (left, _) in self.away.items() if left <= before]
        return [self.away.pop(id)[1] for id in gone]

    def sync(self, ids: tuple[str, ...], instant: int, fresh: Callable[[str], R]) -> tuple[list[R], list[R]]:
        """Make `ids` the members; `fresh` makes the record of an id nobody remembers.

        Returns
        -------
        the records of those who left, in slot order, and of those who returned, in the new slot order.
        """
        before, wanted = self.members, set(ids)
        back = {id: self.away.pop(id)[1] for id in ids if id in self.away}
        left = {id: (instant, record) for id, record in before.items() if id not in wanted}
        known = {**before, **back}
        self.members = {id: known[id] if id in known else fresh(id) for id in ids}
        self.away.update(left)
        return [record for _, record in left.values()], list(back.values())


def check_ids(ids: Any) -> tuple[str, ...]:
    """Distinct, non-empty ids; else ConfigError or DuplicateBackend."""
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise ConfigError("ids", ids, "must be a sequence of ids")
    members = tuple(check_id(id, "ids") for id in ids)
    seen: set[str] = set()
    for id in members:
        if id in seen:
            raise DuplicateBackend(id)
        seen.add(id)
    return members


def check_slot(slot: object, size: int) -> int:
    """A slot of a pool of `size`; else ConfigError."""
    if size == 0:
        raise ConfigError("slot", slot, "the pool has no backends")
    return check_integer("slot", slot, low=0, high=size - 1)
