"""`Levels`: who has the least in flight where all weigh the same and every request costs 1.

A level is a number of requests in flight. Each of 64 levels, from a little below the least one up, is a set of places,
a bit for each, so that a request that begins or ends moves a bit to the level next to it. Backends above those levels
are in no set. Where the least leaves the levels that there are, by either end, they are laid out anew: that takes
64 changes more of one backend, or 16 fewer.

Those tied are drawn as in `Tournament`, whose answers these are: in a pool of which a fourth is tied, places are drawn
until one is tied; else one of t is the k-th by place, k drawn in t. A level knows the exclusive or of its places, which
of one alone is that one; to find one of more, the bits of each 512 places are counted, of 64 times as many, and so on.
The answer is a function of loads and ticket alone, whatever has happened before.

Costs: a change and the least O(log N), where up to 32 768 backends have one sum to be kept; O(N) for the first answer,
after more changes than the journal holds, and where levels are laid out anew; memory 10 bytes a backend, 8 more for
its row and 8 for its place.
Source: buckets of equal keys, as in Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache eviction
scheme" (2010); sets of bits with sums (rank and select: Jacobson 1989), and the draw, are ours.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/levels.pxd`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.bits import lowest, ones
    from lbalgo.reference.hashing import GAMMA, WORD, mix64
    from lbalgo.reference.loads import InFlightCounts
    from lbalgo.reference.order import Order

WIDTH = 64  # levels that have a set
BELOW = 16  # of them, those below the least when they were laid out
ABOVE = 255  # who is above them all
LINE, STEP = 9, 6  # a sum is of 2**LINE places, and of 2**STEP sums
TRIES = 4  # places drawn before a place is looked for, where at least one in so many would be taken
LOW, UNIT = (1 << 32) - 1, 2.0**-53
ONE = 1


class Levels(Order):
    """The least of counts, all of one weight; made by `LoadPicker`.

    Parameters
    ----------
    load : the counts, whose margin is 1.
    rows : row of each place, distinct, at least one.
    first : whether ties go to the first place instead of being drawn.
    """

    def __init__(self, load: InFlightCounts, rows: Any, first: bool) -> None:
        Order.__init__(self, load, rows, first)
        self._words = (self.count + 63) >> 6
        begins, total, size = [], 0, (self.count + (1 << LINE) - 1) >> LINE
        while size > 1:
            begins.append(total)
            total += size
            size = (size + (1 << STEP) - 1) >> STEP
        self._height, self._summed = len(begins), total
        columns: Any = (
            np.zeros(self.count, np.uint8),
            np.zeros(WIDTH, np.int64),
            np.zeros(WIDTH, np.int64),
            np.zeros(WIDTH * self._words, np.uint64),
            np.zeros(WIDTH * total, np.int32),
            np.array(begins, np.int64),
        )
        if not cython.compiled:
            columns = [values.tolist() for values in columns]
        self._levels, self._tied, self._folded, self._bits, self._sums, self._begins = columns
        self._base, self._inhabited = 0, 0

    def least(self, ticket: int) -> int:
        """The place with the least in flight, the tied drawn by the ticket; -1 once requests cost other than 1."""
        if not self.load.ones:
            return -1
        if self.load.changes != self._seen or not self._grown:
            self._follow()
        if self._inhabited == 0:
            self._grow()
        level = lowest(self._inhabited)
        tied, rank = self._tied[level], 0
        if tied == 1:
            return self._folded[level]  # type: ignore[no-any-return]
        if not self.first:
            if TRIES * tied >= self.count:
                for _ in range(TRIES):
                    ticket = mix64((ticket + GAMMA) & WORD)
                    place = ((ticket & LOW) * self.count) >> 32
                    if self._levels[place] == level:
                        return place
            rank = int((mix64((ticket + GAMMA) & WORD) >> 11) * UNIT * tied)
        return self._find(level, rank)

    def _find(self, level: int, rank: int) -> int:
        """The place in the level's set with `rank` of the set before it."""
        node, height = 0, self._height
        while height > 0:
            height -= 1
            begin = level * self._summed + self._begins[height]
            i = begin + (node << STEP)
            while rank >= self._sums[i]:
                rank -= self._sums[i]
                i += 1
            node = i - begin
        begin = level * self._words
        i = begin + (node << LINE - 6)
        while rank >= ones(self._bits[i]):
            rank -= ones(self._bits[i])
            i += 1
        word = self._bits[i]
        while rank > 0:
            word &= word - 1
            rank -= 1
        return ((i - begin) << 6) + lowest(word)

    def _moved(self, place: int, row: int) -> None:
        level = int(self.load.read(row)) - self._base
        before = self._levels[place]
        if level < 0:
            self._grown = False
            return
        if level >= WIDTH:
            level = ABOVE
        if before == level:
            return
        self._levels[place] = level
        if before < WIDTH:
            self._flip(before, place, -1)
        if level < WIDTH:
            self._flip(level, place, 1)

    def _flip(self, level: int, place: int, change: int) -> None:
        """The place leaves the level's set, or enters it."""
        self._bits[level * self._words + (place >> 6)] ^= ONE << (place & 63)
        node = place >> LINE
        for height in range(self._height):
            self._sums[level * self._summed + self._begins[height] + node] += change
            node >>= STEP
        self._folded[level] ^= place
        self._tied[level] += change
        self._inhabited &= ~(ONE << level)
        self._inhabited |= (ONE if self._tied[level] > 0 else 0) << level

    def _grow(self) -> None:
        least = int(self.load.read(self._rows[0]))
        for place in range(1, self.count):
            least = min(least, int(self.load.read(self._rows[place])))
        self._base, self._inhabited = max(least - BELOW, 0), 0
        for i in range(WIDTH * self._words):
            self._bits[i] = 0
        for i in range(WIDTH * self._summed):
            self._sums[i] = 0
        for level in range(WIDTH):
            self._tied[level], self._folded[level] = 0, 0
        for place in range(self.count):
            self._levels[place] = ABOVE
            self._moved(place, self._rows[place])

    def check_invariants(self) -> None:
        """Raises AssertionError where the sets contradict the loads or themselves."""
        if not self._grown or not self.load.ones:
            return
        self._follow()
        loads = [int(self.load.read(row)) for row in self._rows]
        for place, load in enumerate(loads):
            level = load - self._base
            assert self._levels[place] == (level if 0 <= level < WIDTH else ABOVE), "a place is on its level"
        for level in range(WIDTH):
            members = [place for place, load in enumerate(loads) if load - self._base == level]
            words = self._bits[level * self._words : (level + 1) * self._words]
            held = [64 * i + bit for i, word in enumerate(words) for bit in range(64) if int(word) >> bit & 1]
            assert held == members, "a set holds the places of its level"
            assert self._tied[level] == len(members), "a level knows how many it has"
            assert len(members) != 1 or self._folded[level] == members[0], "of one alone a level knows which it is"
            assert (self._inhabited >> level & 1) == (len(members) > 0), "the inhabited levels are known"
            for height in range(self._height):
                shift = LINE + STEP * height
                for node in range(-(-self.count >> shift)):
                    some = sum(place >> shift == node for place in members)
                    i = level * self._summed + self._begins[height] + node
                    assert self._sums[i] == some, "a sum is that of its places"
