"""`Tournament`: who of many has the least in flight for its weight, kept up to date instead of looked for.

A tree follows the changes of counts (`Order`): each node has eight children and knows the least score below it. A
change climbs only as far as it matters: a score that is above a node's least before and after is nothing to the node.

Those tied are drawn by weight: a node also knows the weight of all below it that have its least score, and one mark,
drawn in the weight of all that are tied, is followed down from the root. Weights are whole numbers here, 2**-40 of the
greatest, so that sums do not depend on the order in which they were made: the answer is a function of loads, weights
and ticket alone, whatever has happened before. In a pool that is mostly idle much of it is tied; there a few places are
drawn at random first, and taken if they are tied and a coin agrees, which is the same law and touches no tree.

Costs: a change and the least O(log N); O(N) for the first answer, and after more changes than the journal holds; memory
32 bytes a backend and 8 a row.
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
    from lbalgo.reference.order import Order

TRIES = 4  # places drawn before the tree is asked, where at least one in so many would be taken
GREATEST = 1 << 40  # the greatest weight; of 2**20 backends the sum is still exact as a double, and fits 64 bits
LOW, UNIT32, UNIT = (1 << 32) - 1, 2.0**-32, 2.0**-53
INFINITE = float("inf")


class Tournament(Order):
    """The least of counts; made by `LoadPicker`.

    Parameters
    ----------
    load : the counts, whose margin is 1.
    rows : row of each place, distinct, at least one.
    weights : by place, > 0.
    first : whether ties go to the first place instead of being drawn by weight.
    """

    def __init__(self, load: InFlightCounts, rows: Any, weights: Any, first: bool) -> None:
        Order.__init__(self, load, rows, first)
        levels, total, size = [0], 0, self.count
        while size > 1 or total == 0:
            total += -(-size // 8) * 8
            levels.append(total)
            size = -(-size // 8)
        whole = np.maximum(np.rint(weights / weights.max() * GREATEST), 1.0).astype(np.int64)
        shares = np.zeros(total + 1, np.int64)
        shares[: self.count] = whole
        columns: Any = (
            np.array(levels),
            weights.astype(np.float64),
            np.full(total + 1, INFINITE),
            shares,
        )
        if not cython.compiled:
            columns = [values.tolist() for values in columns]
        self._levels, self._weights, self._scores, self._shares = columns
        self._height = len(levels)
        self._even = float(weights[0]) if bool((weights == weights[0]).all()) else 0.0  # what all weigh

    def least(self, ticket: int) -> int:
        """The place of least score; those tied are drawn by the ticket (64 bits)."""
        if self.load.changes != self._seen or not self._grown:
            self._follow()
        level, place = self._height - 1, 0
        root = self._levels[level]
        least, tied = self._scores[root], self._shares[root]
        mark = 0
        if not self.first:
            if tied >= self.count * (GREATEST // TRIES):
                for _ in range(TRIES):
                    ticket = mix64((ticket + GAMMA) & WORD)
                    place = ((ticket & LOW) * self.count) >> 32
                    coin: float = (ticket >> 32) * UNIT32 * GREATEST
                    if self._scores[place] == least and coin < self._shares[place]:
                        return place
                place = 0
            mark = int((mix64((ticket + GAMMA) & WORD) >> 11) * UNIT * tied)
        while level > 0:
            level -= 1
            begin = self._levels[level] + 8 * place
            ahead, rest, child = 0, mark, 0
            for i in range(begin, begin + 8):  # without a branch that nobody could predict
                ahead += self._shares[i] if self._scores[i] == least else 0
                child += ahead <= mark
                rest = mark - ahead if ahead <= mark else rest
            mark, place = rest, 8 * place + child
        return place

    def _moved(self, place: int, row: int) -> None:
        weight = self._even if self._even > 0.0 else self._weights[place]
        score = (self.load.read(row) + 1.0) / weight
        if score != self._scores[place]:
            self._climb(place, score)

    def _climb(self, place: int, score: float) -> None:
        """A place has another score; what that makes of the nodes above."""
        before, after = self._scores[place], score
        gone = come = self._shares[place]
        self._scores[place] = score
        for level in range(1, self._height):
            place >>= 3
            node = self._levels[level] + place
            least, share = self._scores[node], self._shares[node]
            if before > least and after > least:
                break
            old, was = least, share
            if before == least:
                share -= gone
            if after < least:
                least, share = after, come
            elif after == least:
                share += come
            self._scores[node], self._shares[node] = least, share
            if share == 0:  # nobody has it any more
                self._judge(level, place)
            before, after, gone, come = old, self._scores[node], was, self._shares[node]

    def _judge(self, level: int, place: int) -> None:
        """Makes a node what its children are."""
        begin, node = self._levels[level - 1] + 8 * place, self._levels[level] + place
        if not cython.compiled:
            half = [0.0] * 4
        for i in range(4):
            one, two = self._scores[begin + i], self._scores[begin + 4 + i]
            half[i] = one if one < two else two
        one = half[0] if half[0] < half[2] else half[2]
        two = half[1] if half[1] < half[3] else half[3]
        least, share = one if one < two else two, 0
        for i in range(begin, begin + 8):
            share += self._shares[i] if self._scores[i] == least else 0
        self._scores[node], self._shares[node] = least, share

    def _grow(self) -> None:
        load, size = self.load, self.count
        for place in range(size):
            self._scores[place] = (load.read(self._rows[place]) + 1.0) / self._weights[place]
        for level in range(1, self._height):
            size = (size + 7) >> 3
            for place in range(size):
                self._judge(level, place)

    def check_invariants(self) -> None:
        """Raises AssertionError where the tree contradicts the loads or itself."""
        if not self._grown:
            return
        self._follow()
        size = self.count
        for place in range(size):
            score = (self.load.read(self._rows[place]) + 1.0) / self._weights[place]
            assert self._scores[place] == score, "a leaf has the score of its load"
        for level in range(1, self._height):
            size = -(-size // 8)
            for place in range(size):
                node, begin = self._levels[level] + place, self._levels[level - 1] + 8 * place
                least = min(self._scores[i] for i in range(begin, begin + 8))
                share = sum(self._shares[i] for i in range(begin, begin + 8) if self._scores[i] == least)
                assert (self._scores[node], self._shares[node]) == (least, share), "a node is what its children are"
