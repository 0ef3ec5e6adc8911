"""``balance roundrobin``: fast weighted round robin, in which weights may change while it runs.

Servers wait in three ordered sets. INIT: those that have not been served in the current window. CURR: those that have,
in the order of the position at which each is due next. NEXT: those that are due only in the next window. A server that
is taken moves on by W / ew positions, where W is the sum of all effective weights and the remainder is carried. When
INIT and CURR have run out, NEXT becomes INIT and a window begins.

From 3.2 on a change of weight has another effect: a field that the code asks is no longer set, so that every change is
handled as if the server had just come up.

Costs: pick O(log N) comparisons and O(N) moves of words in a list; memory O(N); state moves with every pick.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Container, Mapping
from typing import Any

from lbalgo.compat.haproxy.farm import Farm, Standing, refusal
from lbalgo.compat.haproxy.server import Version
from lbalgo.explaining import Steps, listing

MAX_EW = 4096  # 16 x the greatest weight
Entry = tuple[int, int, int]  # key, number of the insertion, row: equal keys keep the order of insertion


class Turn:
    """A server's place in its group."""

    __slots__ = ("entry", "ew", "last", "position", "rest", "row", "tree")

    def __init__(self, row: int, ew: int) -> None:
        self.row, self.ew = row, ew
        self.position = self.last = self.rest = 0
        self.tree: list[Entry] | None = None
        self.entry: Entry = (0, 0, row)


class Group:
    """The servers that take turns with each other: the active ones, or the backups."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.turns: dict[int, Turn] = {}
        self.init: list[Entry] = []
        self.next: list[Entry] = []
        self.curr: list[Entry] = []
        self.weight = self.next_weight = self.position = 0
        self._inserted = 0

    def start(self, servers: list[Standing]) -> None:
        """The first servers, all of which wait in INIT."""
        for server in servers:
            turn = self.turns[server.row] = Turn(server.row, server.ew)
            self._insert(turn, self.init, MAX_EW - turn.ew)
        self.weight = self.next_weight = self.position = sum(s.ew for s in servers)

    def up(self, row: int, ew: int) -> None:
        """A server came up, or its weight rose from 0."""
        turn = self.turns.setdefault(row, Turn(row, ew))
        turn.ew = ew
        self.next_weight += ew
        turn.position = self.position + (self.next_weight + self.weight - self.position) // ew
        self._requeue(turn)

    def down(self, row: int) -> None:
        """A server went down, or its weight fell to 0."""
        turn = self.turns[row]
        self.next_weight -= turn.ew
        self._remove(turn)

    def reweigh(self, row: int, ew: int) -> None:
        """The weight of a usable server changed."""
        turn = self.turns[row]
        self.next_weight += ew - turn.ew
        turn.ew = ew
        tree = turn.tree
        self._remove(turn)
        if self.version.since(Version.V3_2):
            turn.position = self.position + (self.next_weight + self.weight - self.position) // ew
        elif tree is self.init:
            self._insert(turn, self.init, MAX_EW - ew)
            return
        else:
            if tree is self.next:
                turn.position += self.weight
            step = self.next_weight // ew
            due = min(turn.last + step, turn.position)
            turn.position = self.position + step if due < self.position + 2 else due
            turn.rest = 0
        self._requeue(turn)

    def choose(self, farm: Farm, skip: Container[int]) -> int:
        """The row whose turn it is; those that are saturated or were tried lose theirs."""
        aside: list[Turn] = []
        switched, found = False, -1
        while found < 0:
            turn = self._first()
            if turn is None:
                if switched:
                    break
                switched = True
                self.init, self.next = self.next, self.init
                self.weight = self.position = self.next_weight
                continue
            self._serve(turn)
            if turn.row in skip or farm.saturated(turn.row):
                aside.append(turn)
                continue
            self._requeue(turn)
            found = turn.row
        for turn in reversed(aside):
            if switched:
                self._insert(turn, self.init, MAX_EW - turn.ew)
            else:
                self._requeue(turn)
        return found

    def _first(self) -> Turn | None:
        """Who is due at this position, else who has not been served yet, else who is due soonest."""
        current = self.turns[self.curr[0][2]] if self.curr else None
        if current is not None and current.position <= self.position:
            return current
        if self.init:
            turn = self.turns[self.init[0][2]]
            turn.position = turn.rest = 0
            return turn
        return current

    def _serve(self, turn: Turn) -> None:
        if turn.position == 0:
            turn.position = self.position
        turn.last = turn.position
        turn.position += self.next_weight // turn.ew
        turn.rest += self.next_weight % turn.ew
        if turn.rest >= turn.ew:
            turn.rest -= turn.ew
            turn.position += 1
        self._remove(turn)
        self.position += 1

    def _requeue(self, turn: Turn) -> None:
        if turn.position >= 2 * self.weight or turn.position >= self.weight + self.next_weight:
            turn.position -= self.weight
            self._insert(turn, self.next, MAX_EW - turn.ew)
        else:
            self._insert(turn, self.curr, 256 * turn.position + (MAX_EW + turn.rest - turn.ew) // 16)

    def _insert(self, turn: Turn, tree: list[Entry], key: int) -> None:
        self._inserted += 1
        turn.tree, turn.entry = tree, (key, self._inserted, turn.row)
        insort(tree, turn.entry)

    def _remove(self, turn: Turn) -> None:
        if turn.tree is not None:
            del turn.tree[bisect_left(turn.tree, turn.entry)]
            turn.tree = None


class TurnOrder:
    """The order of ``balance roundrobin``: a group of active servers and one of backups.

    Parameters
    ----------
    version : decides what a change of weight does.
    tgroup : number of the thread group, at which server it begins.
    """

    def __init__(self, version: Version, tgroup: int) -> None:
        self.tgroup = tgroup
        self.groups = {False: Group(version), True: Group(version)}
        self._started = False

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """Ups, downs and changes of weight, in the order of the configuration; those who left first."""
        now = farm.standings
        if not self._started and now:
            self._started = True
            order = list(now.values())
            first = self.tgroup % len(order)
            order = order[first:] + order[:first]
            for backup, group in self.groups.items():
                group.start([s for s in order if s.usable and s.server.backup == backup])
            return
        for row, old in before.items():
            if row not in now or now[row].server.backup != old.server.backup:
                group = self.groups[old.server.backup]
                if old.usable:
                    group.down(row)
                group.turns.pop(row, None)
        for row, new in now.items():
            group, was = self.groups[new.server.backup], before.get(row)
            used = was is not None and was.usable and was.server.backup == new.server.backup
            if used and not new.usable:
                group.down(row)
            elif new.usable and not used:
                group.up(row, new.ew)
            elif new.usable and was is not None and was.ew != new.ew:
                group.reweigh(row, new.ew)

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The row whose turn it is."""
        backup = farm.standings[farm.serving[0]].server.backup
        row = self.groups[backup].choose(farm, skip)
        return row if row >= 0 else refusal(farm, skip)

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The position, and who waits where, and for which."""
        group = self.groups[farm.standings[farm.serving[0]].server.backup]
        steps = [("turn", f"position {group.position}, effective weights {group.weight} now, {group.next_weight} next")]
        for told, tree in (("init", group.init), ("curr", group.curr), ("next", group.next)):
            waiting = (
                f"{name(row)} weight {group.turns[row].ew}, due at {group.turns[row].position}" for *_, row in tree
            )
            steps.append((told, listing(waiting, "; ") or "nobody"))
        return steps

    def moved(self, farm: Farm, row: int) -> None:
        """Load changes no turn."""

    def check_invariants(self) -> None:
        """Raises AssertionError where a group contradicts itself."""
        for group in self.groups.values():
            waiting: Any = [entry for tree in (group.init, group.next, group.curr) for entry in tree]
            assert sorted(e[2] for e in waiting) == sorted(r for r, t in group.turns.items() if t.tree is not None)
            assert group.next_weight == sum(t.ew for t in group.turns.values() if t.tree is not None)
