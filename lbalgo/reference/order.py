"""`Order`: who keeps the backends in order of what they have in flight, from change to change.

A load that is a mere count changes only where a request begins or ends, and keeps a journal of that. An order reads the
journal when it is asked for the least, and follows; after more changes than the journal holds it looks at every backend
anew. Two orders are built on this: `Levels`, where all weigh the same, and `Tournament`.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/order.pxd`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.loads import InFlightCounts

JOURNAL = 256  # changes that the load remembers


class Order:
    """Backends by what they have in flight; made by `LoadPicker`.

    Parameters
    ----------
    load : the counts, whose margin is 1.
    rows : row of each place, distinct, at least one.
    first : whether ties go to the first place instead of being drawn.
    """

    def __init__(self, load: InFlightCounts, rows: Any, first: bool) -> None:
        self.load, self.first, self.count = load, first, len(rows)
        self._top = int(rows.max())
        places: Any = np.full(self._top + 1, -1, np.int64)
        places[rows] = np.arange(self.count)
        of: Any = rows.astype(np.int64)
        if not cython.compiled:
            places, of = places.tolist(), of.tolist()
        self._places, self._rows = places, of
        self._straight = bool((rows == np.arange(self.count)).all())  # then a row is a place: one line less to read
        self._seen, self._grown = 0, False

    def least(self, ticket: int) -> int:
        """The place of least score, the tied drawn by the ticket (64 bits); -1 if this order cannot tell any more."""
        return -1

    def _follow(self) -> None:
        """Does what the journal says, or all anew where it says no more."""
        load = self.load
        if load.changes - self._seen > JOURNAL:
            self._grown = False
        if self._grown:
            for change in range(self._seen, load.changes):
                row = load.journal[change & 255]
                if row <= self._top:
                    place = row if self._straight else self._places[row]
                    if place >= 0:
                        self._moved(place, row)
        if not self._grown:
            self._grow()
            self._grown = True
        self._seen = load.changes

    def _moved(self, place: int, row: int) -> None:
        """What a place, of this row, has in flight may have changed; who cannot follow says that nothing has grown."""

    def _grow(self) -> None:
        """All anew."""
