"""Envoy's weighted scheduler: earliest deadline first, started as if it had been in use for a long time.

Every entry has a deadline; the earliest is served, ties in the order in which entries were put in, and goes back in
with a deadline 1 / weight later. Weights are read anew whenever an entry goes back, so a changed weight counts only
from an entry's next turn on.

A scheduler does not start at time 0, where all processes of a fleet would serve the same hosts first, but after P
picks. They are not made one by one: entry i has had about its share of them, and only the rest is picked.

Tie rule: the entry that went in earlier wins. While starting, 1e-13 is added to every weight. It moves ties: after a
great P exact ties go to the lighter entries, as the real program has it.

Costs: start O(N log N + N picks of O(log N)), pick O(log N), memory O(N).
Source: Envoy 1.40 documentation, "Weighted round robin" and "Weighted least request"; replayed against captured picks.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer, check_real

MOST_PICKS = 429496729  # P is taken modulo this: a tenth of 2**32
AUGMENT = 1e-13  # added to a weight while starting; see the tie rule


class Edf:
    """An earliest-deadline-first scheduler of the entries 0 to N - 1.

    Parameters
    ----------
    weights : of the entries, > 0.
    picks : P, the picks made before the first one, in [0, 2**64); its low 32 bits modulo 429496729 count.

    Raises
    ------
    ConfigError : a weight is not finite and > 0, or `picks` is out of range.

    Costs: start O(N log N), pick O(log N). Replayed.

    Examples
    --------
    >>> edf = Edf([1, 2, 3], 29499642)
    >>> [edf.pick([1, 2, 3].__getitem__) for _ in range(6)]
    [2, 1, 2, 0, 1, 2]
    """

    __slots__ = ("_counter", "_heap", "now")

    def __init__(self, weights: Sequence[float], picks: int = 0) -> None:
        check_integer("picks", picks, low=0, high=2**64 - 1)
        if not weights:
            raise ConfigError("weights", weights, "must not be empty")
        for i, weight in enumerate(weights):
            check_real(f"weights[{i}]", weight, low=0.0, open_low=True)
        picks = (picks & 0xFFFFFFFF) % MOST_PICKS
        augmented = [weight + AUGMENT for weight in weights]
        total = 0.0
        for weight in augmented:  # left to right: sum() of newer Pythons rounds otherwise
            total += weight
        self.now = 0.0
        self._heap: list[tuple[float, int, int]] = []
        done = 0
        for i, weight in enumerate(augmented):
            had = int(weight * picks / total)
            if had > 0 and had / weight >= picks / total:
                had -= 1
            done += had
            self._heap.append(((had + 1) / weight, i, i))
            self.now = max(self.now, had / weight)
        self._counter = len(weights)
        heapq.heapify(self._heap)
        for _ in range(picks - done):
            self.pick(weights.__getitem__)

    def pick(self, weight_of: Callable[[int], float]) -> int:
        """The entry whose turn it is; it goes back in with the weight it has now.

        Parameters
        ----------
        weight_of : gives the present weight of an entry, > 0.
        """
        deadline, _, entry = self._heap[0]
        heapq.heapreplace(self._heap, (deadline + 1.0 / weight_of(entry), self._counter, entry))
        self.now = deadline
        self._counter += 1
        return entry

    def deadlines(self) -> list[tuple[int, float]]:
        """Entries and their deadlines, in the order in which they are served if none comes back in between."""
        return [(entry, deadline) for deadline, _, entry in sorted(self._heap)]

    def check_invariants(self) -> None:
        """Raises AssertionError where the heap contradicts itself."""
        heap = self._heap
        assert all(heap[(i - 1) // 2] <= heap[i] for i in range(1, len(heap))), "the heap is one"
        assert sorted(entry for _, _, entry in heap) == list(range(len(heap))), "every entry is in it once"
        assert all(order < self._counter for _, order, _ in heap), "orders are past"
