"""`TicketPicker`: every picker whose decision is a function of a 64-bit ticket.

Hashing, rotating and sampling differ only in where the ticket comes from: the key, a counter, or a generator. From the
ticket on the way is the same: the structure names a slot, and where signals have thinned the pool an acceptance coin of
its own per (ticket, backend) decides whether the slot may keep it, else the walk goes on.

This one text is both twins: run as it is it is the plain picker; compiled as `lbalgo.kernels.pickers`, with the types
of `kernels/pickers.pxd`, it is the fast one. What differs between the two are only the modules it stands on.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lbalgo.columns import slots_for, tickets_of, word
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.rebuilding import rebuild
from lbalgo.spec import check_integer
from lbalgo.view import View

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.hashing import GAMMA, WORD, KeyHasher, fold, mix64, mix_folded, xxh64
    from lbalgo.reference.structure import Cursor, Structure
else:
    from lbalgo.kernels.hashing import xxh64

if TYPE_CHECKING:
    from lbalgo.types import F64, I32, U64

NOTHING = ()
KEYED = 0
COUNTER = 1
RANDOM = 2
XXH64 = 0  # the kind of a KeyHasher that is nothing else
TURNS = 128  # tickets without a key that the compiled twin decides at once
MOST = 0.75  # of the tickets: where fewer come to backends that accept all, to ask for that is one more wrong guess
MANY = 0.1  # of the tickets: where fewer are refused by the first of their walk, asking two at once takes longer
ACCEPT = 1 << 53  # a coin is 53 bits; a threshold of 2**53 always accepts
NEVER = WORD  # no threshold is this
SALT = 0xC0114EC7C0114EC7  # the constant c of the acceptance law; any constant other than 0 will do


class TicketPicker:
    """A snapshot that decides by ticket; made by the policies, not by hand.

    Parameters
    ----------
    policy : the frozen specification that built it; answers for the structure's shares and content.
    view : the view it was built from.
    structure : ticket to slot.
    hasher : key to ticket; None for policies that take no key.
    source : KEYED, COUNTER or RANDOM, where tickets come from when a request is picked for.
    cursor : counter or generator state, handed on from the previous picker.
    thin : whether acceptance coins stand for the view's factors and states; if not, the structure already does.
    """

    def __init__(
        self,
        policy: Any,
        view: Any,
        structure: Structure,
        hasher: KeyHasher | None,
        source: int,
        cursor: Cursor,
        thin: bool,
    ) -> None:
        if not isinstance(view, View):
            raise ConfigError("view", view, "must be a View")
        if not isinstance(structure, Structure) or structure.slots not in (0, len(view)):
            raise ConfigError("structure", structure, f"must be a Structure over {len(view)} slots, or empty")
        if source not in (KEYED, COUNTER, RANDOM):
            raise ConfigError("source", source, "must be KEYED, COUNTER or RANDOM")
        if not isinstance(hasher, KeyHasher) and (hasher is not None or source == KEYED):
            raise ConfigError("hasher", hasher, "must be a KeyHasher, or None for policies that take no key")
        if not isinstance(cursor, Cursor):
            raise ConfigError("cursor", cursor, "must be a Cursor")
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.structure = structure
        self.hasher = hasher
        self.source = source
        self.cursor = cursor
        self._xxh64 = source == KEYED and hasher.kind == XXH64  # type: ignore[union-attr]
        self._turn = TURNS
        self.plain = True
        self._table: Any = None
        able = np.count_nonzero(view.eligible)
        self.able = able > 0
        eligible = view.eligible.astype(np.uint8)
        coins: Any = np.zeros(len(view), dtype=np.uint64)
        thresholds: Any = np.empty(len(view), dtype=np.uint64)
        thresholds.fill(ACCEPT)
        if thin:
            self.plain = able == np.count_nonzero(view.weights)
            if np.count_nonzero(view.factors != view.factors[:1]):  # else all accept, whatever their coins
                self.plain = False
                thresholds[:] = np.rint(view.factors / view.factors.max() * float(ACCEPT))
                coins[:] = [fold(mix64(xxh64(i.encode()) ^ SALT)) for i in view.ids]
        bars: Any = thresholds if self.plain else np.where(view.eligible, thresholds, np.uint64(0))
        self._full = NEVER
        if self.able and not self.plain:
            shares = view.weights / view.weights.max()
            shares /= shares.sum()
            if (shares * (bars == ACCEPT)).sum() > MOST:
                self._full = ACCEPT
            refused = 1 - (shares * bars).sum() / ACCEPT
            if cython.compiled and refused > MANY and isinstance(structure, MaglevTable):  # type: ignore[name-defined]  # noqa: F821
                self._table = structure
        columns: Any = coins, thresholds, bars, eligible
        if not cython.compiled:
            columns = [values.tolist() for values in columns]
        self.coins, self.thresholds, self.bars, self.eligible = columns

    def pick(self, key: Any = None, *, exclude: Container[str] = NOTHING) -> Any:
        """The backend for this key, or for the next ticket."""
        if exclude is not NOTHING:
            return self._pick_excluding(key, exclude)
        return self._serve(key)

    def _serve(self, key: Any) -> Any:
        if not cython.compiled:
            return self.backends[self._next(key)]
        if key is not None and self.source == KEYED:
            return item(cython.cast(cython.p_void, self.backends), self._next_by_key(key))  # type: ignore[name-defined]  # noqa: F821
        if self._at_hand():
            return item(cython.cast(cython.p_void, self.backends), self._take())  # type: ignore[name-defined]  # noqa: F821
        return self._serve_late()

    def _serve_late(self) -> Any:
        self._look_ahead()
        return self.backends[self._take()]

    def _next(self, key: Any) -> int:
        """The slot of this key, or of the next ticket, which is spent; what a compiled balancer calls."""
        if key is None or self.source != KEYED:
            return self._next_drawn()
        return self._next_by_key(key)

    def _next_by_key(self, key: Any) -> int:
        if cython.compiled and self._xxh64:
            ticket: int = 0
            if short_ticket(key, self.hasher.seed, cython.address(ticket)):  # type: ignore[name-defined, union-attr]  # noqa: F821
                slot = self._decide(ticket)
                if slot < 0:
                    self._refuse()
                return slot
        slot = self._decide(self._peek(key))
        if slot < 0:
            self._refuse()
        return slot

    def _next_drawn(self) -> int:
        """The slot of the next ticket, which is spent; the compiled twin has it at hand unless the cursor was moved."""
        if not cython.compiled:
            ticket = self._peek(None)
            slot = self._decide(ticket)
            if slot < 0:
                self._refuse()
            self._spend(None, ticket)
            return slot
        if not self._at_hand():
            self._look_ahead()
        return self._take()

    def _at_hand(self) -> bool:
        return self._turn != TURNS and self.cursor.state == self._states[self._turn]  # type: ignore[attr-defined]

    def _take(self) -> int:
        turn: int = self._turn
        self._turn = turn + 1
        self.cursor.state = self._states[turn + 1]  # type: ignore[attr-defined]
        return self._served[turn]  # type: ignore[attr-defined, no-any-return]

    def _look_ahead(self) -> None:
        """Whom the next tickets are decided to, and where the cursor stands after each."""
        self._turn = TURNS
        self._states[0] = self.cursor.state  # type: ignore[attr-defined]
        counting = self.source == COUNTER
        self.structure.turns(self.cursor.state, counting, cython.address(self._states[1]), self._served, TURNS)  # type: ignore[attr-defined]
        if not self.plain:
            for i in range(TURNS):
                ticket: int = self._states[i + 1] - 1 if counting else mix64(self._states[i + 1])  # type: ignore[attr-defined]
                self._served[i] = self._decide(ticket)  # type: ignore[attr-defined]
        if self._served[0] < 0:  # type: ignore[attr-defined]
            self._refuse()
        self._turn = 0

    def _pick_excluding(self, key: Any, exclude: Container[str]) -> Any:
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        ticket = self._peek(key)
        for slot in self._order(ticket):
            if self.view.ids[slot] not in exclude:
                self._spend(key, ticket)
                return self.backends[slot]
        if len(self.backends) == 0 or not self.view.eligible.any():
            self._refuse()
        raise NoBackend("excluded")

    def _refuse(self) -> None:
        raise NoBackend("ineligible" if len(self.backends) else "empty")

    def walk(self, key: Any = None) -> Iterator[Any]:
        """Every eligible backend once, best first; consumes no ticket."""
        return map(self.backends.__getitem__, self._order(self._peek(key)))

    def _order(self, ticket: int) -> Iterator[int]:
        """Slots of the eligible backends in order of preference: those that accept the ticket, then the others."""
        late = []
        for slot in self.structure._walk(ticket):
            if self.eligible[slot]:
                if self.plain or self._accepts(slot, fold(ticket)):
                    yield slot
                else:
                    late.append(slot)
        yield from late

    def _peek(self, key: Any) -> int:
        """The ticket of this key, or the next one, which stays unspent."""
        if self.source == COUNTER:
            return self.structure.settle(self.cursor.state)
        if self.source == KEYED and key is not None:
            return self.hasher.hash(key)  # type: ignore[union-attr]
        return mix64((self.cursor.state + GAMMA) & WORD)

    def _spend(self, key: Any, ticket: int) -> None:
        if self.source == COUNTER:
            self.cursor.state = (ticket + 1) & WORD
        elif self.source == RANDOM or key is None:
            self.cursor.state = (self.cursor.state + GAMMA) & WORD

    def _accepts(self, slot: int, folded: int) -> bool:
        """Whether the backend's coin for a ticket, which is folded as the coins are, lets it keep it."""
        return (mix_folded(folded ^ self.coins[slot]) >> 11) < self.bars[slot]  # type: ignore[no-any-return]

    def _takes(self, slot: int, folded: int) -> bool:
        """The same; where most would accept any coin, theirs is not thrown, and nothing waits for it."""
        return self.bars[slot] == self._full or self._accepts(slot, folded)

    def _decide(self, ticket: int) -> int:
        return self.structure.lookup(ticket) if self.plain else self._decide_by_coins(ticket)

    def _decide_by_coins(self, ticket: int) -> int:
        if self._table is not None:
            return self._decide_of_two(ticket)
        slot = self.structure.lookup(ticket)
        return slot if slot < 0 or self._takes(slot, fold(ticket)) else self._go_on(ticket)

    def _decide_of_two(self, ticket: int) -> int:
        """The walk's first is asked, and its second is at hand, which nearly always need not be: no branch waits."""
        folded = fold(ticket)
        two = 0
        one: int = self._table.two(ticket, cython.address(two))  # pyright: ignore[reportAttributeAccessIssue]
        first: int = self._accepts(one, folded)
        full: int = self.bars[two] == ACCEPT
        if unlikely(first + full == 0):  # type: ignore[name-defined]  # noqa: F821
            return two if self._accepts(two, folded) else self._go_on(ticket)
        return two ^ ((one ^ two) & -first)

    def _go_on(self, ticket: int) -> int:
        """The head of the order, whoever it is; a slot met again would only refuse again."""
        folded = fold(ticket)
        if cython.compiled:  # no set, no generator while few steps are enough
            slot: int = self.structure.begin(ticket, cython.address(walk))  # type: ignore[attr-defined, name-defined]  # noqa: F821
            for _ in range(4 * self.structure.slots):
                if slot < 0:
                    break
                if self._takes(slot, folded):
                    return slot
                slot = self.structure.onward(cython.address(walk))  # type: ignore[attr-defined, name-defined]  # noqa: F821
        spare = -1
        for slot in self.structure._walk(ticket):
            if self.eligible[slot]:
                if self._accepts(slot, folded):
                    return slot
                if spare < 0:
                    spare = slot
        return spare

    def tickets(self, keys: Any) -> U64:
        """Tickets of many keys; without a key hash, the next len(keys) tickets, which are not consumed."""
        from lbalgo.hashing import count_keys, digest_keys

        if self.source == KEYED:
            return digest_keys(self.hasher, keys)
        out = np.empty(count_keys(keys), dtype=np.uint64)
        self._foresee(out)
        return out

    def _foresee(self, out: U64) -> None:
        """The next tickets a request without a key would be given, unspent."""
        state = self.cursor.state
        for i in range(len(out)):
            if self.source == COUNTER:
                ticket = self.structure.settle(state)
                state = (ticket + 1) & WORD
            else:
                state = (state + GAMMA) & WORD
                ticket = mix64(state)
            out[i] = ticket

    def slot(self, ticket: Any) -> int:
        """The slot a ticket is decided to."""
        slot = self._decide(word("ticket", ticket))
        if slot < 0:
            self._refuse()
        return slot

    def pick_many(self, tickets: Any, out: Any = None) -> I32:
        """Slots of a one-dimensional uint64 array of tickets, as int32; equals `slot` of each.

        Parameters
        ----------
        tickets : 64-bit words, as `tickets` makes them of keys.
        out : where the slots are written, which then is what is returned: a contiguous int32 array of the same length
            that shares no memory with the tickets. None: a new one, or of up to 64 tickets one that was given out by
            such a call before and that nobody holds any more.

        Raises
        ------
        ConfigError : tickets or out are something else; NoBackend : there are tickets, and nobody is eligible. Nothing
            is written then.
        """
        if self.plain and self.able:
            return self.structure.slots_of(tickets, out)  # type: ignore[no-any-return]
        given = tickets_of(tickets)
        slots: I32 = slots_for(given, out)
        if len(slots):
            if not self.able:
                self._refuse()
            self._decide_many(given if cython.compiled else given.tolist(), slots)
        return slots

    def _decide_many(self, tickets: Any, out: Any) -> None:
        for i in range(len(tickets)):
            out[i] = self._decide(tickets[i])

    def shares(self) -> F64:
        """Each backend's share of all tickets; the policy's docstring says whether exact or by law."""
        return self.policy._shares(self)  # type: ignore[no-any-return]

    def acceptance(self) -> F64:
        """Each backend's probability of accepting a ticket: r_i, and 0 where it is not eligible."""
        chance = np.array([int(t) for t in self.thresholds], dtype=np.float64) / float(ACCEPT)
        return np.where(self.view.eligible, chance, 0.0)

    def fingerprint(self) -> int:
        """64 bits over all that decides: equal means the same mapping, whatever order backends are listed in."""
        order = sorted(range(len(self.backends)), key=self.view.ids.__getitem__)
        parts = [self.policy._content(self, order)]
        for slot in order:
            name = self.view.ids[slot].encode()
            parts.append(
                len(name).to_bytes(8, "little")
                + name
                + int(self.thresholds[slot]).to_bytes(8, "little")
                + bytes([self.eligible[slot]])
            )
        if self.source == KEYED:
            parts += [self.hasher.hash(probe).to_bytes(8, "little") for probe in ("", "lbalgo", b"\xff" * 33)]  # type: ignore[union-attr]
        return xxh64(b"".join(parts))

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts its view or its structure."""
        assert len(self.backends) == len(self.view), "one backend for each slot of the view"
        assert self.structure.slots in (0, len(self.view)), "the structure covers the view's slots"
        self.policy._check(self)

    def reseed(self, seed: int) -> None:
        """Moves the cursor: the sequence of a picker without a key goes on from here, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=WORD)

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)


def serve(picker: Any, key: Any) -> Any:
    """`pick` without `exclude`: the compiled class's short way in."""
    return cython.cast(TicketPicker, picker)._serve(key)


if cython.compiled:
    short_entry(TicketPicker, "pick")  # type: ignore[name-defined]  # noqa: F821
