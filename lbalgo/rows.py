"""`Rows`: which stable row each incarnation of a backend has.

Loads and leases are kept by row, so that they outlive any number of rebuilds. A backend keeps its row while it is a
member and for `forget_after` seconds after it left: whoever returns in time finds what was known. After that it is
forgotten, an id that returns is a new incarnation with a row of its own, and the old row is given to somebody else as
soon as its last lease has ended. Values are immutable; a move that is refused later has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of members, of remembered leavers, and those nobody owns.

    Attributes
    ----------
    members : id to row, in listing order.
    left : id of a remembered leaver to its row and the time it left.
    ghosts : rows of forgotten incarnations that had leases open when last seen.
    free : rows that may be given away.
    names : for each row, the id that has or last had it.

    Examples
    --------
    >>> rows, _ = Rows().move(["a", "b"], 0.0, 60.0, lambda row: False)
    >>> rows, _ = rows.move(["b", "c"], 1.0, 60.0, lambda row: False)
    >>> rows.members, rows.left
    ({'b': 1, 'c': 2}, {'a': (0, 1.0)})
    """

    members: dict[str, int] = field(default_factory=dict)
    left: dict[str, tuple[int, float]] = field(default_factory=dict)
    ghosts: tuple[int, ...] = ()
    free: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def move(
        self, ids: Sequence[str], now: float, forget_after: float, busy: Callable[[int], bool]
    ) -> tuple[Rows, list[int]]:
        """The rows once `ids` are the members, and which of them were given away anew after another owner.

        Parameters
        ----------
        ids : the new members.
        now : seconds.
        forget_after : how long leavers keep their row, seconds.
        busy : whether a row has leases open. A row that is left now is never given away now.

        Cost: O(members, old and new, and leavers remembered).
        """
        left: dict[str, tuple[int, float]] = {}
        orphans = list(self.ghosts)
        for id, (row, since) in self.left.items():
            if now - since < forget_after:
                left[id] = row, since
            else:
                orphans.append(row)
        ghosts = tuple(row for row in orphans if busy(row))
        free = [*self.free, *(row for row in orphans if not busy(row))]
        names = list(self.names)
        members: dict[str, int] = {}
        reused: list[int] = []
        for id in ids:
            if id in self.members:
                members[id] = self.members[id]
            elif id in left:
                members[id] = left.pop(id)[0]
            elif free:
                members[id] = row = free.pop()
                names[row] = id
                reused.append(row)
            else:
                members[id] = len(names)
                names.append(id)
        for id, row in self.members.items():
            if id not in members:
                left[id] = row, now
        return Rows(members, left, ghosts, tuple(free), tuple(names)), reused
