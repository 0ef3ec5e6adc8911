"""`LoadPicker`: every picker that compares live loads.

The score of a backend is (load + margin) / weight, weight being the configured one times the signals' factor: what its
share of the work would be if it got this request too. The margin is the load's: 1 for a count, 0 for a load in which
the request is thought of already. The least score wins. Either all eligible backends are compared, or `choices`
distinct ones drawn by weight; a pool no larger than `choices` is always compared whole.

Of mere counts the least is found by `Levels` or a `Tournament`, in O(log N); other loads change as time passes, and are
read one by one.

Scores are compared as what they are, correctly rounded quotients of doubles. Rounding is monotone, so the order is
total, no backend is passed over for one whose true score is greater by more than 2**-52 of it, and true ties (1 + 1
over 2, 3 + 1 over 4) are always found. Weights are first scaled by one power of two, which changes no quotient's bits,
so that the greatest is in [0.5, 1); a weight 2**1000 times smaller than that counts as 2**-1000.

The cursor is a SplitMix64 generator; a scan takes one 64-bit ticket of it, `choices` draws one each, and what more a
decision needs comes from its first ticket. Each draw asks an urn or an alias table; the distinct backends in order of
first appearance are a sample without replacement in proportion to weight. After 4 N draws the missing are drawn from
the missing alone: the same law. Of two that are drawn from an urn the first ticket names both, and the second is left.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/load_picker.pxd`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lbalgo.columns import LAST_OWNER, column, word
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.rebuilding import rebuild
from lbalgo.spec import check_integer
from lbalgo.view import View

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.alias import AliasTable
    from lbalgo.reference.estimated_loads import LatencyLoad
    from lbalgo.reference.hashing import GAMMA, WORD, mix64
    from lbalgo.reference.levels import Levels
    from lbalgo.reference.loads import InFlightCounts, LoadState
    from lbalgo.reference.order import Order
    from lbalgo.reference.structure import Cursor
    from lbalgo.reference.tournament import Tournament
    from lbalgo.reference.urn import Urn

if TYPE_CHECKING:
    from lbalgo.types import F64, I64

NOTHING = ()
UNIT = 2.0**-53
SURE = 1 + 2.0**-50  # a product with this is greater, whatever two roundings do
INFINITE = float("inf")
SPARSE = 1024  # rows beyond twice as many as backends, and this, are no case for an order, which has a map of them
BLOCK = 64  # loads read at once, and most backends drawn and compared: as many as are kept on the C stack
CLOSE = 2.0**-30  # products that may have been rounded 2**-40 apart are not compared where they are as close as this
LOW, HIGH, LEAST = 1e-100, 1e100, 1e-30  # nor beyond these, or with such weights, for fear of numbers of fewer bits
PARTS = 2.0**16  # of a weight: what is a whole number of them is compared as a whole number
DRAWN = 128  # that two are drawn of ahead: 64 pairs
REPEATS = 64  # draws after which two that are still one are left to those who keep account of what was drawn


class LoadPicker:
    """A snapshot that decides by live load; made by the policies, not by hand.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    spec : specification of the load; a later picker with an equal one takes the live load over.
    load : the live load, read at every pick and never changed by one.
    rows : row of each slot in the load.
    unused : the first row that neither this picker nor one before it used.
    table : what the eligible backends are drawn from by weight x factor, an `Urn` where few balls are enough, else an
        `AliasTable`; None if all are compared.
    cursor : generator state, handed on from the previous picker.
    choices : how many distinct backends to draw and compare; as many as are eligible or more compare them all.
    first : whether ties go to the first slot instead of being drawn by weight.
    """

    def __init__(
        self,
        policy: Any,
        view: Any,
        spec: Any,
        load: LoadState,
        rows: I64,
        unused: int,
        table: AliasTable | Urn | None,
        cursor: Cursor,
        choices: int,
        first: bool,
    ) -> None:
        if not isinstance(view, View):
            raise ConfigError("view", view, "must be a View")
        if not isinstance(load, LoadState):
            raise ConfigError("load", load, "must be a LoadState")
        if not isinstance(cursor, Cursor):
            raise ConfigError("cursor", cursor, "must be a Cursor")
        slots = np.flatnonzero(view.eligible)
        lanes = column("rows", rows, 0, 2**31 - 1, np.int64) if len(view) else np.empty(0, dtype=np.int64)
        if len(lanes) != len(view):
            raise ConfigError("rows", rows, f"must be one for each of {len(view)} slots")
        if choices < 1 <= len(slots) or BLOCK < choices < len(slots):
            raise ConfigError("choices", choices, f"must be 1 to {BLOCK}, or all {len(slots)} eligible")
        source = table if isinstance(table, (AliasTable, Urn)) else None
        if choices < len(slots) and (source is None or source.slots != len(view)):
            raise ConfigError("table", table, f"must be an AliasTable or an Urn over the view's {len(view)} slots")
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.spec = spec
        self.load = load
        self.rows = rows
        self.unused = unused
        self.table = table
        self._alias: Any = table if isinstance(table, AliasTable) else None
        self._urn: Any = table if isinstance(table, Urn) else None
        self.cursor = cursor
        self.choices = choices
        self.first = first
        self.count = len(slots)
        self._whole = len(slots) == len(view)  # then a place among the eligible is a slot
        self._stride = (choices if choices < len(slots) else 1) * GAMMA & WORD
        weights = np.zeros(len(view))
        self.exponent = 0
        if len(slots):
            self.exponent = int(np.frexp(view.weights[slots].max())[1])
            scaled = np.ldexp(view.weights[slots], -self.exponent) * view.factors[slots]
            weights[slots] = np.maximum(scaled, 2.0**-1000)
        columns: Any = slots.astype(np.int64), lanes[slots], lanes, weights
        if not cython.compiled:
            columns = [values.tolist() for values in columns]
        self._slots, self._lanes, self._rows, self._weights = columns
        self._top = int(rows.max(initial=0))
        self.margin = load.margin
        self.order: Order | None = None
        if isinstance(load, InFlightCounts) and choices >= len(slots) > 0 and self._top < 2 * len(view) + SPARSE:
            counted: Any = load
            even = self.load.ones and bool((weights[slots] == weights[slots[0]]).all())
            self.order = Levels(counted, lanes[slots], first) if even else self._tournament(counted)
        self._counted: Any = LoadState()  # the load, if counts and whole weights tell who is the lesser of two
        self._pairs = cython.compiled and choices == 2 < len(slots) and len(lanes) <= LAST_OWNER
        if self._pairs:
            self._prepare(lanes)

    def _prepare(self, lanes: I64) -> None:
        """Two are drawn ahead, as words that say who it is and what it weighs, as the balls of an urn do.

        Who it is, is its row where counts and whole weights tell who is the lesser: nothing has to be looked up then.
        """
        whole, straight, known, weight = True, True, 2 * len(lanes) + SPARSE, 0.0
        for slot in range(len(lanes)):
            weight = self._weights[slot] * PARTS
            whole &= weight == floor(weight)  # type: ignore[name-defined]  # noqa: F821
            straight &= self._rows[slot] == slot
        if isinstance(self.load, InFlightCounts) and self._top < known and self._top <= LAST_OWNER:
            counts: Any = self.load
            counts.reserve(self._top + 1)  # which are then counted without asking
            if whole:
                self._counted = counts
        self._peaks: Any = None  # the load, if its peaks may be compared
        load: Any = self.load
        if isinstance(load, LatencyLoad) and load.peak and load.pending:
            weights = np.asarray(self._weights)
            if weights[weights > 0.0].min() > LEAST:
                self._peaks = load
        names: Any = np.arange(len(lanes), dtype=np.int32)
        self._slot_of: Any = names
        self._named, self._at = self._urn, self.backends
        if self._counted is self.load and not straight:
            of = np.zeros(self._top + 1, dtype=np.int32)
            of[lanes] = names
            self._slot_of, self._at, names = of, tuple([self.backends[slot] for slot in of]), lanes
            if self._urn is not None:
                self._named = self._urn.named(names)
        if self._urn is None:
            parts = np.asarray(self._weights) * PARTS
            self._words = names.astype(np.uint64) | parts.astype(np.uint64) << np.uint64(BALL_OWN)  # type: ignore[name-defined]  # noqa: F821
        self._turn, self._ahead = DRAWN, 0

    def _tournament(self, load: InFlightCounts) -> Tournament:
        lanes, weights = np.asarray(self._lanes, dtype=np.int64), np.asarray(self._weights)
        return Tournament(load, lanes, weights[np.asarray(self._slots)], self.first)

    def pick(self, key: Any = None, *, exclude: Container[str] = NOTHING) -> Any:
        """The backend of least score, of all or of those drawn; a key is accepted and ignored."""
        if exclude is not NOTHING:
            return self._pick_excluding(exclude)
        return self._serve()

    def _serve(self) -> Any:
        if cython.compiled and self._at_hand():
            return item(cython.cast(cython.p_void, self._at), self._take())  # type: ignore[name-defined]  # noqa: F821
        return self._serve_late()

    def _serve_late(self) -> Any:
        return self.backends[self._next()]

    def _next(self) -> int:
        """The slot for the next ticket, which is spent; what a compiled balancer calls."""
        if self._pairs:
            return self._lesser()
        slot = self._decide(self.cursor.state)
        if slot < 0:
            self._refuse()
        self._spend()
        return slot

    def _pick_excluding(self, exclude: Container[str]) -> Any:
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        for slot in self._order(self.cursor.state):
            if self.view.ids[slot] not in exclude:
                self._spend()
                return self.backends[slot]
        if self.count == 0:
            self._refuse()
        raise NoBackend("excluded")

    def _refuse(self) -> None:
        raise NoBackend("ineligible" if len(self.backends) else "empty")

    def walk(self, key: Any = None) -> Iterator[Any]:
        """Every eligible backend once, best first; consumes no ticket, and starts with what `pick` would return.

        If all are compared: by ascending score, ties by weight or by slot as in `pick`. If some are drawn: those by
        ascending score, ties in the order drawn; then as many others are drawn, and so on.
        """
        return map(self.backends.__getitem__, self._order(self.cursor.state))

    def _spend(self) -> None:
        self.cursor.state = (self.cursor.state + self._stride) & WORD

    def _score(self, slot: int) -> float:
        return (self.load.read(self._rows[slot]) + self.margin) / self._weights[slot]  # type: ignore[no-any-return]

    def _decide(self, state: int) -> int:
        if self.choices >= self.count:
            return self._least(mix64((state + GAMMA) & WORD))
        return self._least_drawn(state)

    def _least(self, ticket: int) -> int:
        """The slot of least score, -1 if nobody is eligible."""
        if self.order is None:
            return self._least_read(ticket)
        place = self.order.least(ticket)
        if place < 0:  # requests may cost more or less than 1 from now on
            self.order = self._tournament(self.load)  # type: ignore[arg-type]
            place = self.order.least(ticket)
        return place if self._whole else self._slots[place]

    def _lesser(self) -> int:
        """`_least_drawn` of two, and the ticket spent: they are drawn already, unless the cursor was moved."""
        state = self.cursor.state
        if self._turn == DRAWN or state != self._ahead:
            self._look_ahead(state)
        if self._at_hand():
            return self._slot_of[self._take()]  # type: ignore[no-any-return]
        one: int = self._slot_of[ball_owner(self._drawn[self._turn])]  # type: ignore[attr-defined, name-defined]  # noqa: F821
        two: int = self._slot_of[ball_owner(self._drawn[self._turn + 1])]  # type: ignore[attr-defined, name-defined]  # noqa: F821
        slot = self._lesser_read(state, one, two)
        if self._turn != DRAWN and self._ahead == self.cursor.state:  # a load that is read may have picked, or moved it
            self._turn += 2
            self._ahead = (self._ahead + self._stride) & WORD
        self._spend()
        return slot

    def _at_hand(self) -> bool:
        """Whether two are drawn, and their counts and weights are enough to tell who is the lesser."""
        one, two = self._drawn[self._turn], self._drawn[self._turn + 1]  # type: ignore[attr-defined]
        return self.cursor.state == self._ahead and self._counted.ones and one != two

    def _take(self) -> int:
        """Where the lesser of the two at hand stands: no loop, nothing looked up, no branch that nobody could predict.

        A score times both weights, which are whole numbers as counts are, compares as the score does.
        """
        one: int = self._drawn[self._turn]  # type: ignore[attr-defined]
        two: int = self._drawn[self._turn + 1]  # type: ignore[attr-defined]
        mine = (self._counted.flight(ball_owner(one)) + 1) * ball_own(two)  # type: ignore[name-defined]  # noqa: F821
        its = (self._counted.flight(ball_owner(two)) + 1) * ball_own(one)  # type: ignore[name-defined]  # noqa: F821
        self._turn += 2
        self._ahead = self.cursor.state = (self._ahead + self._stride) & WORD
        return ball_owner(ball_if(its < mine, one, two))  # type: ignore[name-defined, no-any-return]  # noqa: F821

    def _lesser_read(self, state: int, one: int, two: int) -> int:
        """The same of any load, and of two that are one."""
        draw = 2
        while one == two:
            if draw == REPEATS or draw >= 4 * self.count:
                return self._least_drawn(state)
            two = self._draw(state, draw)
            draw += 1
        wins = self._fainter(two, one)
        if wins < 0:
            score = self._score(one)  # read in the order drawn, as what reads may have something to say
            wins = self._score(two) < score
        return one ^ ((one ^ two) & -wins)

    def _fainter(self, slot: int, other: int) -> int:
        """Whether the slot's score is the lesser, by peaks as they were once; -1 where that does not tell for sure."""
        peaks = self._peaks
        if peaks is None or self._top >= peaks.room or peaks.latest > peaks.until:
            return -1
        row, second = self._rows[slot], self._rows[other]
        mine = peaks.faded[row] * (peaks.costs[row] + 1.0) * self._weights[other]
        its = peaks.faded[second] * (peaks.costs[second] + 1.0) * self._weights[slot]
        if abs(mine - its) > CLOSE * (mine + its) and mine * its > LOW and mine + its < HIGH:
            return mine < its  # type: ignore[no-any-return]
        return -1

    def _look_ahead(self, state: int) -> None:
        """Draws the pairs of this cursor and of those to come."""
        self._turn, self._ahead = 0, state
        if self._named is not None:
            self._named.turns(state, self._stride, self._drawn, DRAWN // 2)  # type: ignore[attr-defined]
        else:
            self._alias.turns(state, False, states, slots, DRAWN)  # type: ignore[name-defined]  # noqa: F821
            for i in range(DRAWN):
                self._drawn[i] = self._words[slots[i]]  # type: ignore[attr-defined, name-defined]  # noqa: F821

    def _least_read(self, ticket: int) -> int:
        """The slot of least score, -1 if nobody is eligible; divides only where the quotient could still be least."""
        if not cython.compiled:
            loads = [0.0] * BLOCK
        least, tied, bound, best, start = INFINITE, 0.0, INFINITE, -1, 0
        while start < self.count:
            size = min(BLOCK, self.count - start)
            self.load.values(self._lanes, start, size, loads)
            for i in range(size):
                slot = self._slots[start + i]
                if loads[i] + self.margin > bound * self._weights[slot]:
                    continue
                score = (loads[i] + self.margin) / self._weights[slot]
                if score < least or best < 0:
                    least, tied, best = score, self._weights[slot], slot
                    bound = least * SURE
                elif score == least and not self.first:
                    tied += self._weights[slot]
                    if self._wins(ticket, slot, tied):
                        best = slot
            start += size
        return best

    def _wins(self, ticket: int, slot: int, tied: float) -> bool:
        """Whether the slot takes the place of those tied with it before; `tied` is their weight and its own."""
        coin: float = (mix64((ticket + slot * GAMMA) & WORD) >> 11) * UNIT
        return coin * tied < self._weights[slot]  # type: ignore[no-any-return]

    def _least_drawn(self, state: int) -> int:
        """The slot of least score among `choices` drawn, the first drawn of those tied."""
        if not cython.compiled:
            drawn = [0] * BLOCK
        least, best, found, draw = INFINITE, -1, 0, 0
        while draw < 4 * self.count:
            slot = self._draw(state, draw)
            draw += 1
            fresh = True
            for i in range(found):
                fresh = fresh and drawn[i] != slot
            if fresh:
                drawn[found] = slot
                found += 1
                score = self._score(slot)
                if best < 0 or score < least:
                    least, best = score, slot
                if found == self.choices:
                    return best
        return next(iter(self._order(state)))

    def _draw(self, state: int, draw: int) -> int:
        ticket = mix64((state + GAMMA) & WORD)
        if draw == 1 and self.choices == 2 and self._urn is not None:
            return self._urn.other(ticket)  # type: ignore[no-any-return]
        if draw < self.choices:
            ticket = mix64((state + (draw + 1) * GAMMA) & WORD)
        else:
            ticket = mix64((ticket + draw * GAMMA) & WORD)
        return self._alias.owner(ticket) if self._urn is None else self._urn.owner(ticket)  # type: ignore[no-any-return]

    def _order(self, state: int) -> Iterator[int]:
        """Slots of the eligible backends in order of preference."""
        if self.choices >= self.count:
            yield from self._ascending(mix64((state + GAMMA) & WORD))
            return
        group: list[int] = []
        for slot in self._sample(state):
            group.append(slot)
            if len(group) == self.choices:
                yield from sorted(group, key=self._key)
                group = []
        yield from sorted(group, key=self._key)

    def _key(self, slot: int) -> float:
        return self._score(slot)

    def _ascending(self, ticket: int) -> Iterator[int]:
        """All by ascending score, the tied among themselves in an order drawn by weight, or by slot."""
        scored = sorted((self._score(slot), slot) for slot in self._slots)
        start = 0
        for end in range(1, len(scored) + 1):
            if end < len(scored) and scored[end][0] == scored[start][0]:
                continue
            tied = [slot for _, slot in scored[start:end]]
            if start == 0 and self.order is not None:
                best = self._least(ticket)
                tied.remove(best)
                ticket = mix64(ticket ^ WORD)
                yield best
            while len(tied) > 1 and not self.first:
                best, weight = tied[0], self._weights[tied[0]]
                for slot in tied[1:]:
                    weight += self._weights[slot]
                    if self._wins(ticket, slot, weight):
                        best = slot
                tied.remove(best)
                ticket = mix64(ticket ^ WORD)
                yield best
            yield from tied
            start = end

    def _sample(self, state: int) -> Iterator[int]:
        """All, drawn one after the other by weight."""
        seen: set[int] = set()
        draw = 0
        while draw < 4 * self.count and len(seen) < self.count:
            slot = self._draw(state, draw)
            draw += 1
            if slot not in seen:
                seen.add(slot)
                yield slot
        ticket = mix64((state + GAMMA) & WORD)
        missing = [slot for slot in self._slots if slot not in seen]
        while missing:
            chosen, weight = 0, 0.0
            ticket = mix64(ticket ^ WORD)
            for i, slot in enumerate(missing):
                weight += self._weights[slot]
                if self._wins(ticket, slot, weight):
                    chosen = i
            yield missing.pop(chosen)

    def drawn(self, state: int) -> list[int]:
        """The slots compared when the cursor stands at `state`, in the order drawn; in slot order if all are."""
        state = word("state", state)
        if self.choices >= self.count:
            return list(self._slots)
        sample = self._sample(state)
        return [next(sample) for _ in range(self.choices)]

    def scores(self) -> F64:
        """(load + margin) / (weight x factor) of each slot now; infinite where not eligible."""
        out = np.full(len(self.backends), np.inf)
        for slot in self._slots:
            out[slot] = self._score(slot)
        with np.errstate(over="ignore"):
            return np.asarray(np.ldexp(out, -self.exponent), dtype=np.float64)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts its view or its rows."""
        weights = np.array(self._weights)
        assert len(self.backends) == len(self.view) == len(self.rows), "one backend and one row for each slot"
        assert ((weights > 0) == self.view.eligible).all(), "the eligible have weight, and nobody else"
        assert list(self._slots) == np.flatnonzero(self.view.eligible).tolist(), "all eligible are considered"
        assert len(set(self.rows.tolist())) == len(self.rows), "no two backends share a row"
        assert self.choices >= self.count or self.table.size == self.count, "the table draws the eligible"  # type: ignore[union-attr]

    def reseed(self, seed: int) -> None:
        """Moves the cursor: the sequence of draws goes on from here, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=WORD)

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)


def serve(picker: Any, key: Any) -> Any:
    """`pick` without `exclude`: the compiled class's short way in."""
    return cython.cast(LoadPicker, picker)._serve()


if cython.compiled:
    short_entry(LoadPicker, "pick")  # type: ignore[name-defined]  # noqa: F821
