"""``balance source | uri | url_param | hdr | hash``: the server of a key.

Where nothing but the key decides, the native structures do: a table for ``map-based``, a ring for ``consistent``.
Where loads matter (`hash_balance_factor`, `hash_preserve_affinity`), a machine walks the same ring.

A request whose sample is missing takes a turn instead: the next position of the map, or the server of the
point after the last one that was used so. Those turns pass over saturated servers; hashing does not.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from lbalgo.active import MaglevTable, Structure, TicketPicker, xxh64
from lbalgo.compat.haproxy.farm import Farm, FarmMachine, check_pool
from lbalgo.compat.haproxy.hashing import Function, HashType, Method
from lbalgo.compat.haproxy.keys import Expr, Rule, Source, check_rule, rule_from_dict
from lbalgo.compat.haproxy.orders import MapOrder
from lbalgo.compat.haproxy.policies import check_factor, check_rekeyed
from lbalgo.compat.haproxy.ring_order import BoundedRing, HashOrder
from lbalgo.compat.haproxy.server import Version
from lbalgo.compat.haproxy.structures import HashRing, map_table, ring_entries
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.structures import (
    dialect_picker,
    raw_hasher,
    salts_of,
    structure_check,
    structure_content,
    structure_shares,
)
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, counted, hash_step, place_steps
from lbalgo.reference.hashing import key_bytes
from lbalgo.spec import check_enum, enum_from_name, from_dict, to_dict
from lbalgo.types import F64, I32, U64, Backend, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


class Affinity(enum.Enum):
    """``hash-preserve-affinity`` (3.2 and later): which servers a key passes over.

    ALWAYS none; MAXCONN those that are saturated; MAXQUEUE those whose queue is full.

    Examples
    --------
    >>> Affinity("maxqueue")
    <Affinity.MAXQUEUE: 'maxqueue'>
    """

    ALWAYS = "always"
    MAXCONN = "maxconn"
    MAXQUEUE = "maxqueue"


@dataclass(frozen=True)
class Hash:
    """The server of a key, by table or ring.

    Parameters
    ----------
    balance : what the key is, and what of it is hashed: `Source`, `Uri`, `UrlParam`, `Hdr` or `Expr`.
    hash_type : function and structure.
    hash_balance_factor : the most load a server may have, in per cent of its share: 0 for no limit, or above 100. Only
        for ``consistent``; HAProxy ignores it elsewhere.
    hash_preserve_affinity : which servers a key passes over (3.2 and later). Only for ``consistent``.
    version : what exists, and what its defects are.
    allbackups : all usable backups serve once no active server is usable, not only the first.
    fullconn : requests of the backend at which servers with a minconn have their maxconn.
    rekeyed_ids : points made from the hash of numeric ids, as 3.0.0 to mid-3.2 did.

    Raises
    ------
    ConfigError : a field is out of range or not in the version; at build, a weight that is no integer from 0 to 256, a
        keyword that the version does not have, two servers with one numeric id; with ``map-based`` a weight that
        changes to anything but 0 or the one at start.

    A picker without load limits is a function of the key: it has `tickets`, `pick_many`, `shares` (exact) and
    `fingerprint`. With them it is a machine and has to hear of requests.

    Costs: map: build O(T N) for T = sum of weights / their common divisor, pick O(1), no bound on disruption. Ring:
    build O(T log T) for T = 16 points per unit of weight, pick O(1), disruption minimal as long as numeric ids stay.
    Source: HAProxy Configuration Manual, "balance", "hash-type", "hash-balance-factor", "hash-preserve-affinity".

    Examples
    --------
    >>> from lbalgo.compat.haproxy import HashType, Uri
    >>> picker = Hash(Uri(), HashType.parse("consistent")).build({"a": 1, "b": 2})
    >>> picker.pick("/index.html?x=1").id == picker.pick("/index.html").id
    True
    """

    position_name: ClassVar[str] = "map"
    balance: Rule = Expr()
    hash_type: HashType = HashType()
    hash_balance_factor: int = 0
    hash_preserve_affinity: Affinity = Affinity.ALWAYS
    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0
    rekeyed_ids: bool = False

    def __post_init__(self) -> None:
        check_rule(self.balance)
        check_enum("hash_type", self.hash_type, HashType)
        check_factor(self.hash_balance_factor)
        check_enum("hash_preserve_affinity", self.hash_preserve_affinity, Affinity)
        check_pool(self)
        check_rekeyed(self.rekeyed_ids, self.version)
        if self.hash_type.function is Function.NONE and not self.version.since(Version.V3_0):
            raise ConfigError("hash_type.function", Function.NONE, f"is not in {self.version.text}, but since 2.9")
        if self.hash_preserve_affinity is not Affinity.ALWAYS and not self.version.since(Version.V3_2):
            why = f"is not in {self.version.text}, but since 3.2"
            raise ConfigError("hash_preserve_affinity", self.hash_preserve_affinity, why)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> HashPicker[Any] | MachinePicker[Any]:
        """A picker for this view; numeric ids, turns and load of the previous one go on."""
        view = view_of(view)
        before: Any = previous.turns if isinstance(previous, HashPicker) else previous
        turns = machine_picker(self, view, before, self._start)
        if self.weighs_loads:
            return turns
        return HashPicker(self, turns, previous if isinstance(previous, HashPicker) else None)

    @property
    def takes_addresses(self) -> bool:
        """Whether keys are the bytes of addresses."""
        return isinstance(self.balance, Source)

    @property
    def consistent(self) -> bool:
        """Whether the structure is the ring."""
        return self.hash_type.method is Method.CONSISTENT

    @property
    def weighs_loads(self) -> bool:
        """Whether anything but the key decides."""
        limits = self.hash_balance_factor > 0 or self.hash_preserve_affinity is not Affinity.ALWAYS
        return self.consistent and limits

    def explain_key(self, data: bytes) -> Steps:
        """The sample, and its hash."""
        sample = self.balance.sample(data)
        if sample is None:
            return [("sample", "none: the request takes a turn")]
        function = (self.hash_type.function or Function.SDBM).value
        by = "folding" if isinstance(self.balance, Source) else function
        mixed = f"{by} and the avalanche" if self.hash_type.mixes else by
        return [("sample", counted(sample)), hash_step(self.balance.digest(sample, self.hash_type), mixed)]

    def _start(self) -> FarmMachine:
        farm = Farm(self.version, self.allbackups, self.fullconn, self.consistent)
        if not self.consistent:
            return FarmMachine(farm, MapOrder(hashing=True))
        ring = BoundedRing(self.hash_balance_factor, self.rekeyed_ids)
        return FarmMachine(farm, HashOrder(self.balance, self.hash_type, ring, self.hash_preserve_affinity.value))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Hash:
        """The policy `to_dict` described."""
        nested: dict[str, Any] = {
            "balance": rule_from_dict,
            "hash_type": lambda given: HashType.from_dict(given) if isinstance(given, Mapping) else given,
            "hash_preserve_affinity": enum_from_name(Affinity),
            "version": enum_from_name(Version),
        }
        return from_dict(cls, data, nested)

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


class HashPicker(Generic[B]):
    """A picker by key on a native structure, and by turns where there is no key; made by `Hash`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    turns : the picker of requests without a key; its machine hears of requests, and knows how servers stand.
    previous : a picker whose structure may still hold.

    `tickets`, and so `pick_many`, refuse a key without a sample: its turn is no function of it.
    """

    def __init__(self, policy: Hash, turns: MachinePicker[B], previous: HashPicker[B] | None = None) -> None:
        self.policy, self.turns = policy, turns
        self.view, self.backends = turns.view, turns.backends
        self.rows, self.unused = turns.rows, turns.unused
        farm: Farm = turns.machine.farm
        owners = {row: slot for slot, row in enumerate(turns.rows.tolist())}
        self._entries = _entries(policy, farm, owners)
        same = previous is not None and (previous.policy, previous.view.ids) == (policy, turns.view.ids)
        if previous is not None and same and previous._entries == self._entries:
            built = previous.keyed.structure
        else:
            built = _structure(policy, self._entries, self.view) if self._entries else Structure()
        usable = np.zeros(len(self.view), dtype=bool)
        usable[[owners[row] for row in farm.serving]] = True
        hasher = raw_hasher(self._ticket)
        self.keyed: TicketPicker[B] = dialect_picker(policy, self.view, None, usable, lambda: built, hasher)

    @property
    def load(self) -> Any:
        """The machine, which hears of requests."""
        return self.turns.machine

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The server of this key, or whose turn it is."""
        if key is None or self.policy.balance.sample(key_bytes(key)) is None:
            return self.turns.pick(None, exclude=exclude)
        return self.keyed.pick(key, exclude=exclude) if exclude != () else self.keyed.pick(key)

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every server that may serve, best first: forward on the ring, or on the map."""
        if key is None or self.policy.balance.sample(key_bytes(key)) is None:
            return self.turns.walk(None)
        return self.keyed.walk(key)

    def explain(self, key: Any = None) -> Steps:
        """The nearest point, or the slot of the map; without a sample, whose turn it is."""
        data = None if key is None else key_bytes(key)
        if data is None or self.policy.balance.sample(data) is None:
            return self.turns.explain(None)
        if not self._entries:
            return [("serving", "nobody")]
        ticket, names = self._ticket(data), self.view.ids.__getitem__
        if self.policy.consistent:
            return HashRing(self._entries, len(self.view)).explain(ticket >> 32, names)
        return place_steps(self.keyed.structure, ticket, names, self.policy)

    def tickets(self, keys: Any) -> U64:
        """The hashes of these keys: in the upper half of the words for the ring."""
        return self.keyed.tickets(keys)

    def slot(self, ticket: int) -> int:
        """The slot a ticket is decided to."""
        return self.keyed.slot(ticket)

    def pick_many(self, tickets: U64) -> I32:
        """Slots of many tickets."""
        return self.keyed.pick_many(tickets)

    def shares(self) -> F64:
        """Exact shares of hashes: lengths of arcs, or positions of the map."""
        return self.keyed.shares()

    def fingerprint(self) -> int:
        """64 bits over all that decides the server of a key."""
        order = sorted(range(len(self.backends)), key=self.view.ids.__getitem__)
        rules = repr((self.policy.balance, self.policy.hash_type)).encode()
        names = repr([(self.view.ids[slot], bool(self.keyed.view.eligible[slot])) for slot in order]).encode()
        return xxh64(rules + structure_content(self.policy, self.keyed, order) + names)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself."""
        self.turns.check_invariants()
        self.keyed.check_invariants()

    def _ticket(self, data: bytes) -> int:
        sample = self.policy.balance.sample(data)
        if sample is None:
            raise ConfigError("key", data, "has nothing to be hashed: it takes a turn")
        return self.policy.balance.digest(sample, self.policy.hash_type) << (32 if self.policy.consistent else 0)

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return HashPicker, (self.policy, self.turns)


Entries = tuple[tuple[int, int, int], ...]  # slot, base of its points (0 on a map) and effective weight


def _entries(policy: Hash, farm: Farm, owners: dict[int, int]) -> Entries:
    if policy.consistent:
        return ring_entries(farm, owners, policy.rekeyed_ids)
    return tuple((owners[row], 0, farm.standings[row].ew) for row in farm.serving)


def _structure(policy: Hash, entries: Entries, view: View[Any]) -> Structure:
    if policy.consistent:
        return HashRing(entries, len(view)).ring
    return MaglevTable([entries[i][0] for i in map_table([ew for _, _, ew in entries])], salts_of(view))
