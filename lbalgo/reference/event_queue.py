"""`EventQueue`: what is still to happen in a simulation, earliest first; a calendar queue.

A heap costs O(log n) steps, each of them a cache miss and a guess; a calendar costs about two. Time is cut into days of
equal width, and day d hangs on page d modulo the number of pages, a list in order of time. Today's page is looked at
for its head; if that lies in another year, tomorrow's page is, and so on. What happens at one instant happens in the
order in which it was put in, whatever the pages are.

Width and number of pages follow the content. Every step is charged against what steps may cost; when more has been
spent than that, or there are more events than pages, the calendar is laid out anew: one page for each event, days that
hold one or two where events are due soon. An event before the day looked at turns the calendar back to it.

An event's fields lie side by side, so that it costs one cache miss and not one for each.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/event_queue.pxd`.

Costs: push and pop O(1) amortised as long as events are not all far apart in scale, O(log n) amortised at worst to
the factor that a new layout sorts; memory 32 bytes an event and 8 a page.
Source: Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation event set problem",
CACM 31 (1988).
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    WHEN, WHAT, STAMP, THEN, FIELDS = range(5)  # fields of an event; THEN is the next of its page, or of those unused
    CREDIT = 6  # steps an event may cost on the average before the layout is looked at again
    SAVED = 4096  # steps that cheap events may save up for dear ones
    LAST_DAY = 1 << 62

LINE = 64  # bytes of a cache line
LEAST = 16  # pages, and events there is room for at first
CROWD = 0.75  # events in a day; the best of 0.4 to 1.5
FINEST = 2.0**44  # days until the last event that is known when the calendar is laid out, at most


class EventQueue:
    """Events, each an instant (seconds, >= 0) and two integers below 2**53; earliest first, of one instant the oldest.

    Attributes
    ----------
    count : how many there are.
    when, what, stamp : the event popped last, as `push` was given it.
    """

    def __init__(self) -> None:
        self.count, self.day, self.slack = 0, 0, SAVED
        self.rate = 1.0  # days a second
        self.when, self.what, self.stamp = 0.0, 0, 0
        self.soonest = 0.0  # nothing is due before
        self.events, self.marks = twofold(FIELDS * LEAST, np.int64)
        self.room, self.spare = LEAST, -1
        self._offer(0)
        self._pages(LEAST)

    def push(self, when: float, what: int, stamp: int) -> int:
        """Puts an event in."""
        if self.spare < 0:
            self._grow()
        event = self.spare
        self.spare = self.marks[event + THEN]
        self.events[event + WHEN] = when
        self.marks[event + WHAT] = what
        self.marks[event + STAMP] = stamp
        if when < self.soonest:
            self.soonest = when
        self._insert(event, when)
        self.count += 1
        if self.count > self.size or self.slack < 0:
            self._lay_out()
        return 0

    def _insert(self, event: int, when: float) -> None:
        day = self._day(when)
        if day < self.day:
            self.day = day
        page = 2 * (day & (self.size - 1))
        last = self.pages[page + 1]
        if last < 0:
            self.pages[page] = event
        elif when >= self.events[last + WHEN]:
            self.marks[last + THEN] = event
        else:
            before, at = -1, self.pages[page]
            while when >= self.events[at + WHEN]:
                before, at = at, self.marks[at + THEN]
                self.slack -= 1
            if before < 0:
                self.pages[page] = event
            else:
                self.marks[before + THEN] = event
            self.marks[event + THEN] = at
            return
        self.marks[event + THEN] = -1
        self.pages[page + 1] = event

    def pop(self, limit: float) -> bool:
        """Takes the earliest event out if it is due by `limit`; whether it did."""
        if self.count == 0 or limit < self.soonest:
            return False
        steps = 0
        while True:
            page = 2 * (self.day & (self.size - 1))
            event = self.pages[page]
            if event >= 0 and self._day(self.events[event + WHEN]) <= self.day:
                break
            self.day += 1
            steps += 1
            if steps > self.size:
                self._skip()
        self.slack += CREDIT - steps
        if self.slack > SAVED:
            self.slack = SAVED
        if self.events[event + WHEN] > limit:
            self.soonest = self.events[event + WHEN]
            return False
        self.soonest = 0.0
        self.when = self.events[event + WHEN]
        self.what, self.stamp = self.marks[event + WHAT], self.marks[event + STAMP]
        after = self.marks[event + THEN]
        self.pages[page] = after
        if after < 0:
            self.pages[page + 1] = -1
        self.marks[event + THEN] = self.spare
        self.spare = event
        self.count -= 1
        return True

    def _day(self, when: float) -> int:
        days = when * self.rate
        return int(days) if days < LAST_DAY else LAST_DAY

    def _skip(self) -> None:
        """Nothing happens this year: today becomes the day of the earliest event."""
        day = LAST_DAY
        for page in range(self.size):
            event = self.pages[2 * page]
            if event >= 0 and self._day(self.events[event + WHEN]) < day:
                day = self._day(self.events[event + WHEN])
        self.day = day

    def _pages(self, size: int) -> None:
        self.size = size
        self.pages = places(2 * size)  # first and last event of each; -1 if it is empty
        for page in range(2 * size):
            self.pages[page] = -1

    def _offer(self, low: int) -> None:
        """Events from number `low` on are unused; an event is known by its place in the column."""
        for number in range(low, self.room):
            self.marks[FIELDS * number + THEN] = self.spare
            self.spare = FIELDS * number

    def _grow(self) -> None:
        low = self.room
        self.room = 2 * low
        self.events, self.marks = wider(self.events, self.marks, FIELDS * self.room)
        self._offer(low)

    def _lay_out(self) -> None:
        """New pages and days for the events there are; their order does not change."""
        found: list[Any] = []
        for page in range(self.size):
            event = self.pages[2 * page]
            while event >= 0:
                found.append((self.events[event + WHEN], len(found), event))
                event = self.marks[event + THEN]
        found.sort()  # those of one instant share a page, in order
        size = LEAST
        while size < 2 * len(found):
            size *= 2
        self._pages(size)
        if len(found) > 1:
            half = (len(found) + 1) // 2
            first, last = found[0][0], found[len(found) - 1][0]
            gap = (found[half][0] - first) / half or (last - first) / len(found)
            if gap > 0.0:
                self.rate = min(1.0 / (CROWD * gap), FINEST / last)
        self.day = LAST_DAY
        for when, _, event in found:
            self._insert(event, when)
        self.slack = SAVED + len(found)

    def check_invariants(self) -> None:
        """Raises AssertionError where the calendar contradicts itself."""
        found = 0
        for page in range(self.size):
            event, latest = self.pages[2 * page], -1.0
            assert (event < 0) == (self.pages[2 * page + 1] < 0), "a page has a first event and a last one, or neither"
            while event >= 0:
                day = self._day(self.events[event + WHEN])
                assert day & (self.size - 1) == page and day >= self.day, "an event hangs on its day's page"
                assert self.events[event + WHEN] >= latest, "a page is in order"
                latest, found = self.events[event + WHEN], found + 1
                if self.marks[event + THEN] < 0:
                    assert self.pages[2 * page + 1] == event, "the last event is the last"
                event = self.marks[event + THEN]
        assert found == self.count, "every event is on a page"


def floats(n: int) -> Any:
    """So many numbers, all 0."""
    return _aligned(n, np.float64) if cython.compiled else [0.0] * n


def integers(n: int) -> Any:
    """So many integers, all 0."""
    return _aligned(n, np.int64) if cython.compiled else [0] * n


def places(n: int) -> Any:
    """So many numbers of things kept in columns, all 0; less memory than `integers`."""
    return _aligned(n, np.int32) if cython.compiled else [0] * n


def twofold(n: int, kind: Any) -> tuple[Any, Any]:
    """Room for so many numbers, and the same room for integers: what is written as one is read as that one only."""
    size = n * 8 // np.dtype(kind).itemsize
    return _seen(_aligned(n, np.float64), kind) if cython.compiled else ([0.0] * n, [0] * size)


def _seen(column: Any, kind: Any) -> tuple[Any, Any]:
    return column, column.view(kind)


def wider(numbers: Any, integers: Any, n: int) -> tuple[Any, Any]:
    """The two sides of such a column with room for `n` numbers, the new places 0."""
    if not cython.compiled:
        size = n * len(integers) // len(numbers)
        return numbers + [0.0] * (n - len(numbers)), integers + [0] * (size - len(integers))
    grown = _aligned(n, np.float64)
    grown[: len(numbers)] = numbers
    return _seen(grown, np.asarray(integers).dtype)


def _aligned(n: int, kind: Any) -> Any:
    """Zeros that begin with a cache line, so that no record of such a size lies in two."""
    bytes = np.zeros(n * np.dtype(kind).itemsize + LINE, np.uint8)
    start = -bytes.ctypes.data % LINE
    return bytes[start : start + n * np.dtype(kind).itemsize].view(kind)
