"""Second chances: a row names two backends, and a packet that the first does not know is passed on to the second.

A balancer without flow tables sends a packet to the backend its table names, the *primary*. If the table has changed
since the flow began, that is the wrong one. But the backend knows its own flows: a packet that opens none, of a flow
it does not have, it hands on to the row's *secondary*, who had the row before. The flows survive, and the memory is
where it is anyway, in the backends' kernels.

`SecondChance` has GitHub's rows. Row i has a seed, SipHash(secret, i), and an order of all backends, by
SipHash(secret, seed, address): rendezvous hashing, row by row. Its first two are primary and secondary. When the
primary is to take no new flows (it drains, or failed), the two change places: new flows go to the other, old ones find
their way back by the second chance. Nobody's rows change otherwise, so one change at a time breaks no flow. A second
change on the same rows before the first one's flows have ended does: only two can be named.

Costs: build O(rows * N) SipHashes when members change, O(rows) when states do; a pick one remainder and one load;
memory 14 bytes a row. Weights must be equal, and factors are not looked at: the rows have neither.
Source: GitHub, "GLB: GitHub's open source load balancer", glb-director's documentation of its hashing (2018).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Generic, TypeVar, overload

import numpy as np

from lbalgo.active import MaglevTable, Structure, TicketPicker, mix64, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.hashing import XXH64, Hasher, SipHash, check_hasher, key_hasher, policy_from_dict
from lbalgo.policies.building import KEYED, cursor_of
from lbalgo.spec import check_integer, to_dict
from lbalgo.types import F64, I32, I64, U64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
ROWS = 65_536  # GLB's; it holds them to suffice for 256 backends
_NOBODY = -1


@dataclass(frozen=True, repr=False)
class SecondChance:
    """Rows of a primary and a secondary backend, as GLB makes them; of equal weights.

    Parameters
    ----------
    secret : 16 bytes, GLB's table seed; shown neither by repr nor by `to_dict`.
    rows : number of rows, 1 to 2**24; a key's row is its hash modulo this.
    hasher, seed : hash of the key.

    Ids that are IPv4 or IPv6 addresses are hashed as those, which is GLB's way; others as their UTF-8.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, weights above 0 that are not all equal.

    Costs: build O(rows * N); pick O(1); memory 14 bytes a row; disruption minimal for joins and leaves. `shares` is
    exact for the table. Source: GitHub's GLB.

    Examples
    --------
    >>> pool = [f"1.1.1.{i}" for i in (1, 2, 3, 4)]
    >>> picker = SecondChance(bytes.fromhex("49a3d861d661ae5ab06ed9326871a2f5")).build(pool)
    >>> [backend.id for backend in picker.row(0)]
    ['1.1.1.4', '1.1.1.3']
    """

    secret: bytes
    rows: int = ROWS
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        SipHash(self.secret)  # refuses what is no secret, and does not show it
        check_integer("rows", self.rows, low=1, high=2**24)
        check_hasher(self.hasher, self.seed)

    @overload
    def build(
        self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None
    ) -> SecondChancePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> SecondChancePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> SecondChancePicker[Any]:
        """A picker for this view; orders are the previous picker's if only states moved."""
        view = view_of(view)
        weighted = np.flatnonzero(view.weights > 0)
        if len(set(view.weights[weighted].tolist())) > 1:
            first = int(weighted[0])
            odd = int(next(k for k in weighted if view.weights[k] != view.weights[first]))
            raise ConfigError(f"weights[{view.ids[odd]!r}]", float(view.weights[odd]), "must be equal for all, or 0")
        if (
            isinstance(previous, SecondChancePicker)
            and previous.policy == self
            and previous.view.ids == view.ids
            and np.array_equal(previous.view.weights, view.weights)
        ):
            best = previous.best
        else:
            best = self._best(view, weighted)
        return SecondChancePicker(self, view, best, cursor_of(previous))

    def order(self, row: int, names: tuple[str, ...]) -> list[str]:
        """These ids in the order of a row, best first."""
        check_integer("row", row, low=0, high=self.rows - 1)
        scores = {name: int(self._scores(np.array([row]), name)[0]) for name in names}
        return sorted(scores, key=scores.__getitem__)

    def to_dict(self) -> dict[str, object]:
        """Plain data, without the secret: whoever makes the policy again has to pass it."""
        return {name: value for name, value in to_dict(self).items() if name != "secret"}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, secret: bytes, hasher: Hasher | None = None) -> SecondChance:
        """The policy `to_dict` described, with this secret."""
        if isinstance(data, Mapping):
            data = {**data, "secret": secret}
        policy: SecondChance = policy_from_dict(cls, data, hasher)
        return policy

    def __repr__(self) -> str:
        return f"SecondChance(secret=..., rows={self.rows}, hasher={self.hasher!r}, seed={self.seed})"

    def _scores(self, rows: I64, name: str) -> U64:
        """A backend's place in the order of each row, smallest first: the digest's bytes as a big-endian number."""
        address = _address(name)
        seeds = self._seeds(rows)
        width = 8 + len(address)
        data = np.empty((len(rows), width), dtype=np.uint8)
        data[:, :8] = seeds.view(np.uint8).reshape(-1, 8)
        data[:, 8:] = np.frombuffer(address, dtype=np.uint8)
        return self._digests(data).byteswap()

    def _seeds(self, rows: I64) -> U64:
        return self._digests(rows.astype(">u4").view(np.uint8).reshape(-1, 4))

    def _digests(self, data: Any) -> U64:
        out = np.empty(len(data), dtype=np.uint64)
        edges = np.arange(len(data) + 1, dtype=np.int64) * data.shape[1]
        SipHash(self.secret).key_hasher(0).spans(np.ascontiguousarray(data).reshape(-1), edges, out)
        return out.astype("<u8")

    def _best(self, view: View[Any], among: I64) -> I32:
        """The first two slots of each row's order; -1 where there is none."""
        rows = np.arange(self.rows)
        best = np.full((2, self.rows), _NOBODY, dtype=np.int32)
        low = np.full((2, self.rows), 2**64 - 1, dtype=np.uint64)
        for slot in among.tolist():
            scores = self._scores(rows, view.ids[slot])
            wins = (scores < low[0]) | (best[0] == _NOBODY)
            second = ~wins & ((scores < low[1]) | (best[1] == _NOBODY))
            low[1] = np.where(wins, low[0], np.where(second, scores, low[1]))
            best[1] = np.where(wins, best[0], np.where(second, slot, best[1]))
            low[0], best[0] = np.where(wins, scores, low[0]), np.where(wins, slot, best[0])
        return best

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        structure, n = picker.structure, len(picker.backends)
        table = structure.table() if isinstance(structure, MaglevTable) else np.empty(0, dtype=np.int32)
        return np.bincount(table, minlength=n) / max(len(table), 1)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.full(len(order) + 1, _NOBODY, dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        structure = picker.structure
        table = structure.table() if isinstance(structure, MaglevTable) else np.empty(0, dtype=np.int32)
        return b"SecondChance" + ranks[table].astype("<i4").tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        structure = picker.structure
        if isinstance(structure, MaglevTable):
            assert picker.view.eligible[structure.table()].all(), "every primary is eligible"


class SecondChancePicker(Generic[B]):
    """A snapshot with two backends a row; made by `SecondChance`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    best : the first two slots of each row's order, of all that have weight.
    cursor : for requests without a key, handed on from the previous picker.
    """

    def __init__(self, policy: SecondChance, view: View[B], best: I32, cursor: Any) -> None:
        self.policy = policy
        self.view = view
        self.best = best
        self.backends = view.backends
        able = np.append(view.eligible, False)  # so that -1, nobody, is not
        first, second = best[0].copy(), best[1].copy()
        turned = ~able[first] & able[second]
        first[turned], second[turned] = best[1][turned], best[0][turned]
        lost = np.flatnonzero(~able[first]) if view.eligible.any() else np.empty(0, dtype=np.int64)
        if len(lost):  # neither of the two: the best of those who are, and behind it the one who was
            low = np.full(len(lost), 2**64 - 1, dtype=np.uint64)
            second[lost] = best[0][lost]
            first[lost] = _NOBODY
            for slot in np.flatnonzero(view.eligible).tolist():
                scores = policy._scores(lost, view.ids[slot])
                wins = (scores < low) | (first[lost] == _NOBODY)
                low[wins] = scores[wins]
                first[lost[wins]] = slot
        self._second = second
        structure: Structure = Structure()
        if view.eligible.any():
            structure = MaglevTable(first, [mix64(xxh64(name.encode())) for name in view.ids])
        self.base: Any = TicketPicker(
            policy, view, structure, key_hasher(policy.hasher, policy.seed), KEYED, cursor, False
        )

    @property
    def cursor(self) -> Any:
        """The state of the sequence of requests without a key."""
        return self.base.cursor

    def row(self, row: int) -> tuple[B, ...]:
        """Primary and secondary of a row; one where there is no other.

        Raises
        ------
        NoBackend : nobody is eligible. ConfigError : there is no such row.
        """
        check_integer("row", row, low=0, high=self.policy.rows - 1)
        primary, second = self.base.slot(row), int(self._second[row])
        return (self.backends[primary],) if second == _NOBODY else (self.backends[primary], self.backends[second])

    def chances(self, key: Any) -> tuple[B, ...]:
        """Primary and secondary of a key's row; the secondary may be one that drains or has failed."""
        return self.row(self.base.hasher(key) % self.policy.rows)

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The primary of the key's row; with `exclude` the first of the walk that is not in it."""
        if exclude == ():
            chosen: B = self.base.pick(key)
            return chosen
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        for backend in self.walk(key):
            if backend.id not in exclude:
                if key is None:
                    self.base.pick()  # spends the ticket that the walk has looked at
                return backend
        raise NoBackend("excluded" if self.view.eligible.any() else "ineligible" if self.backends else "empty")

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once: in the order of the key's row."""
        ticket = int(self.base.tickets([key])[0]) if key is not None else self._next_ticket()
        row = ticket % self.policy.rows
        able = tuple(name for name, ok in zip(self.view.ids, self.view.eligible.tolist(), strict=True) if ok)
        slots = {name: slot for slot, name in enumerate(self.view.ids)}
        return (self.backends[slots[name]] for name in self.policy.order(row, able))

    def _next_ticket(self) -> int:
        return mix64((self.cursor.state + 0x9E3779B97F4A7C15) % 2**64)  # SplitMix64's, as the base picker draws

    def tickets(self, keys: Any) -> U64:
        """Tickets of many keys."""
        return self.base.tickets(keys)  # type: ignore[no-any-return]

    def slot(self, ticket: int) -> int:
        """The slot of a ticket's primary."""
        return self.base.slot(ticket)  # type: ignore[no-any-return]

    def pick_many(self, tickets: U64) -> I32:
        """Slots of many tickets' primaries."""
        return self.base.pick_many(tickets)  # type: ignore[no-any-return]

    def second_many(self, tickets: U64) -> I32:
        """Slots of many tickets' secondaries; -1 where there is none."""
        if not isinstance(tickets, np.ndarray) or tickets.dtype != np.uint64 or tickets.ndim != 1:
            raise ConfigError("tickets", tickets, "must be a one-dimensional array of dtype uint64")
        seconds: I32 = self._second[tickets % np.uint64(self.policy.rows)]
        return seconds

    def shares(self) -> F64:
        """Shares of the primaries, exact for the table."""
        return self.base.shares()  # type: ignore[no-any-return]

    def fingerprint(self) -> int:
        """64 bits over all that decides, the secondaries included."""
        names = np.array([*self.view.ids, ""], dtype=object)
        return xxh64(self.base.fingerprint().to_bytes(8, "little") + "\0".join(names[self._second]).encode())

    def reseed(self, seed: int) -> None:
        """Moves the cursor: requests without a key go on from here, an int in [0, 2**64)."""
        self.base.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the rows contradict the view."""
        self.base.check_invariants()
        if self.view.eligible.any():
            first = np.asarray(self.base.structure.table())
            assert (first != self._second).all(), "primary and secondary are two"
            assert {*first.tolist(), *self._second.tolist()} <= {
                _NOBODY,
                *np.flatnonzero(self.view.weights > 0).tolist(),
            }

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return SecondChancePicker, (self.policy, self.view, self.best, self.cursor)


def _address(name: str) -> bytes:
    try:
        return ip_address(name).packed
    except ValueError:
        return name.encode()
