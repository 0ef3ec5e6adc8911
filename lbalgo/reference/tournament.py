"""`Tournament`: who of many has the least in flight for its weight, kept up to date instead of looked for.

A load that is a mere count changes only where a request begins or ends, and keeps a journal of that. A tree follows the
journal: each node has eight children and knows the least score below it. A change climbs only as far as it matters: a
score that is above a node's least before and after is nothing to the node.

Those tied are drawn by weight. In a pool that is mostly idle nearly all are tied, so a few are drawn at random first
and taken if they are; else one is drawn on the way down from the root, by the weight of all the tied below each node,
which is added up when it is asked for and forgotten when it may have changed. Both have the same law. Sums are made
anew from the children, never corrected by a difference, so the answer is a function of loads, weights and ticket alone,
whatever has happened before.

Costs: a change and the least O(log N); O(N) for the first answer, and after more changes than the journal holds; memory
24 bytes a backend and 8 a row.
Source: Knuth, TAOCP 3, 5.4.1 (tournaments); the draw among the tied is ours.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/tournament.pxd`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.hashing import GAMMA, WORD, mix64
    from lbalgo.reference.loads import InFlightCounts

JOURNAL = 256  # changes that the load remembers
TRIES = 4  # backends drawn before the way down: of an idle pool with weights 1, 2 and 3 they miss once in 80 times
LOW, UNIT32, UNIT = (1 << 32) - 1, 2.0**-32, 2.0**-53
INFINITE = float("inf")
UNKNOWN = -1.0


class Tournament:
    """The least of counts; made by `LoadPicker`.

    Parameters
    ----------
    load : the counts, whose margin is 1.
    rows : row of each place, distinct, at least one.
    weights : by place, > 0.
    first : whether ties go to the first place instead of being drawn by weight.
    """

    def __init__(self, load: InFlightCounts, rows: Any, weights: Any, first: bool) -> None:
        self.load, self.first, self.count = load, first, len(rows)
        self._top = int(rows.max())
        places = np.full(self._top + 1, -1, np.int64)
        places[rows] = np.arange(self.count)
        levels, total, size = [0], 0, self.count
        while size > 1 or total == 0:
            total += -(-size // 8) * 8
            levels.append(total)
            size = -(-size // 8)
        columns: Any = (
            places,
            rows.astype(np.int64),
            np.array(levels),
            np.full(total + 1, INFINITE),
            np.zeros(total + 1),
        )
        if not cython.compiled:
            columns = [values.tolist() for values in columns]
        self._places, self._rows, self._levels, self._scores, self._shares = columns
        for place in range(self.count):
            self._shares[place] = weights[place]
        self._heaviest = weights.max()
        self._height = len(levels)
        self._seen, self._grown = 0, False

    def least(self, ticket: int) -> int:
        """The place of least score; those tied are drawn by the ticket (64 bits)."""
        if self.load.changes != self._seen or not self._grown:
            self._follow()
        level, place = self._height - 1, 0
        least = self._scores[self._levels[level]]
        if not self.first:
            below = self._levels[level - 1]
            tied, there = 0, 0
            for i in range(below, below + 8):
                tied += self._scores[i] == least
                there += self._scores[i] != INFINITE
            if 2 * tied >= there:
                for _ in range(TRIES):
                    ticket = mix64((ticket + GAMMA) & WORD)
                    place = ((ticket & LOW) * self.count) >> 32
                    coin: float = (ticket >> 32) * UNIT32 * self._heaviest
                    if self._scores[place] == least and coin < self._shares[place]:
                        return place
                place = 0
        while level > 0:
            level -= 1
            begin = self._levels[level] + 8 * place
            tied, child, head = 0, 0, 8
            for i in range(8):
                same = self._scores[begin + i] == least
                tied += same
                child = i if same else child
                head = i if same and head == 8 else head
            if tied > 1:
                child = head if self.first else self._draw(level, begin, least, ticket)
            place = 8 * place + child
        return place

    def _draw(self, level: int, begin: int, least: float, ticket: int) -> int:
        """One of the tied among eight, by weight."""
        total, last = 0.0, 0
        for i in range(8):
            if self._scores[begin + i] == least:
                total += self._share(level, begin + i)
        mark: float = (mix64((ticket + level * GAMMA) & WORD) >> 11) * UNIT * total
        for i in range(8):
            if self._scores[begin + i] == least:
                last = i
                mark -= self._shares[begin + i]
                if mark < 0.0:
                    break
        return last

    def _share(self, level: int, node: int) -> float:
        """The weight of all that have the least score below a node, which is added up if it is not known."""
        if self._shares[node] == UNKNOWN:
            begin = self._levels[level - 1] + 8 * (node - self._levels[level])
            total = 0.0
            for i in range(begin, begin + 8):
                if self._scores[i] == self._scores[node]:
                    total += self._share(level - 1, i)
            self._shares[node] = total
        return self._shares[node]  # type: ignore[no-any-return]

    def _follow(self) -> None:
        """Does what the journal says, or all anew where it says no more."""
        load = self.load
        if load.changes - self._seen > JOURNAL or not self._grown:
            self._grow()
        for change in range(self._seen, load.changes):
            row = load.journal[change & 255]
            if row <= self._top and self._places[row] >= 0:
                place = self._places[row]
                score = (load.read(row) + 1.0) / self._shares[place]
                if score != self._scores[place]:
                    self._climb(place, score)
        self._seen = load.changes

    def _climb(self, place: int, score: float) -> None:
        """A place has another score; what that makes of the nodes above."""
        before, after = self._scores[place], score
        self._scores[place] = score
        for level in range(1, self._height):
            place >>= 3
            node = self._levels[level] + place
            least = fresh = self._scores[node]
            if before > least and after > least:
                break
            if after < least:
                fresh = after
            elif before == least and after != before:
                fresh = self._least_of(self._levels[level - 1] + 8 * place)
            if fresh == least and self._shares[node] == UNKNOWN:
                break  # and so are all above that have it from here
            self._scores[node], self._shares[node] = fresh, UNKNOWN
            before, after = least, fresh

    def _least_of(self, begin: int) -> float:
        """The least of eight scores, in three steps instead of seven."""
        if not cython.compiled:
            half = [0.0] * 4
        for i in range(4):
            one, two = self._scores[begin + i], self._scores[begin + 4 + i]
            half[i] = one if one < two else two
        one = half[0] if half[0] < half[2] else half[2]
        two = half[1] if half[1] < half[3] else half[3]
        return one if one < two else two

    def _grow(self) -> None:
        load, size = self.load, self.count
        for place in range(size):
            self._scores[place] = (load.read(self._rows[place]) + 1.0) / self._shares[place]
        for level in range(1, self._height):
            size = (size + 7) >> 3
            for place in range(size):
                node = self._levels[level] + place
                self._scores[node] = self._least_of(self._levels[level - 1] + 8 * place)
                self._shares[node] = UNKNOWN
        self._seen, self._grown = load.changes, True

    def check_invariants(self) -> None:
        """Raises AssertionError where the tree contradicts the loads or itself."""
        if not self._grown:
            return
        self._follow()
        size = self.count
        for place in range(size):
            score = (self.load.read(self._rows[place]) + 1.0) / self._shares[place]
            assert self._scores[place] == score, "a leaf has the score of its load"
        for level in range(1, self._height):
            size = -(-size // 8)
            for place in range(size):
                node, begin = self._levels[level] + place, self._levels[level - 1] + 8 * place
                least, known = self._scores[node], self._shares[node]
                assert least == self._least_of(begin), "a node has the least score of its children"
                tied = [self._shares[i] for i in range(begin, begin + 8) if self._scores[i] == least]
                assert known == UNKNOWN or (UNKNOWN not in tied and known == sum(tied)), "and their shares, or none"
