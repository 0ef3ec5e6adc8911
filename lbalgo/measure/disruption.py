"""What moves when a pool changes: how much, from whom to whom, and how much of it had to.

Let out_i and in_i be the parts of the key space that backend i loses and gains. Whatever algorithm leads from the
shares before to the shares after, it moves at least the sum of max(0, out_i - in_i), which is the sum over backends of
max(0, share before - share after): that is the *minimal* movement. The rest, the sum of min(out_i, in_i), is *excess*:
keys a backend gave away although it gained, or gained although it gave away. Both speak of the shares the two pickers
really have, not of the weights they aim at, so a ring is not charged with moving what its own unevenness makes it own.

Where the two pickers hash keys alike the comparison needs no keys: two tables of one size are compared position by
position, two rings arc by arc, the jump and rendezvous races by their joint law. Anything else is sampled, and says so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lbalgo.active import JumpBuckets, MaglevTable, RendezvousRace, Ring, TicketPicker
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.hashing import hash_many
from lbalgo.measure.laws import jump_flows, race_flows
from lbalgo.measure.method import Method
from lbalgo.policies.building import KEYED
from lbalgo.policies.rendezvous import rates
from lbalgo.types import F64, I64, U64, TicketDecided

SAMPLE = 1 << 17  # keys of the built-in sample: a moved fraction near 1 % then has a standard error of 0.03 %
WALKED = 1 << 13  # the same where each key has to be walked on either side: 0.11 %
_PROBES = ("lbal", "sixteen letters!", b"\xff" * 16, b"\0\0\0\1")  # addresses, too, for who hashes nothing else
_Flows = tuple[I64, I64, F64]  # from, to (indices into the joined ids), amount


@dataclass(frozen=True, eq=False)
class Disruption:
    """What moves between two pickers, in fractions of the keys.

    Attributes
    ----------
    moved : keys whose owner differs.
    minimal : what any algorithm leading from these shares to those had to move.
    excess : the rest; moved = minimal + excess.
    method : STRUCTURE, LAW (exact under an ideal hash) or SAMPLE.
    error : standard error of `moved`; 0 unless sampled. Repeated keys move together and count as such.
    keys : how many keys were sampled, 0 unless sampled.
    losers, gainers, amounts : the flows, largest first: amounts[k] of the keys went from losers[k] to gainers[k].
    """

    moved: float
    minimal: float
    excess: float
    method: Method
    error: float
    keys: int
    losers: tuple[str, ...] = field(repr=False)
    gainers: tuple[str, ...] = field(repr=False)
    amounts: F64 = field(repr=False)

    @property
    def exact(self) -> bool:
        """Whether the figures are free of sampling error."""
        return self.method.exact

    def columns(self) -> dict[str, Any]:
        """Columns of equal length, one row for each flow: what `pandas.DataFrame` takes."""
        return {"from": list(self.losers), "to": list(self.gainers), "share": self.amounts}


def disruption(before: Any, after: Any, keys: Any = None) -> Disruption:
    """What moves from one keyed picker to another.

    Parameters
    ----------
    before, after : pickers that take keys; their backends are joined by id. One that does not decide by the ticket
        alone (a machine of `lbalgo.compat` whose policy `takes_key`) is asked key by key, for the head of its walk.
    keys : the keys that matter, as `hash_many` takes them, every occurrence counted; None for the whole key space, on
        the structure where that can be and else on a built-in sample of 2**17 keys (2**13 if they have to be walked).

    Raises
    ------
    ConfigError : a picker takes no key, or there are no keys.
    NoBackend : a picker has no eligible backend.

    Costs: one bulk pick of all positions, arcs or keys on either side; O(N) flows for one changed backend.

    Examples
    --------
    >>> import lbalgo as lb
    >>> policy = lb.Maglev(table_size=101)
    >>> change = disruption(policy.build(["a", "b", "c", "d"]), policy.build(["a", "b", "c"]))
    >>> change.method, round(change.moved * 101), round(change.minimal * 101), round(change.excess * 101)
    (<Method.STRUCTURE: 'structure'>, 26, 25, 1)
    >>> [(i, j, round(x * 101)) for i, j, x in zip(*change.columns().values())]
    [('d', 'b', 9), ('d', 'a', 8), ('d', 'c', 8), ('b', 'c', 1)]
    """
    for name, picker in (("before", before), ("after", after)):
        if not (_by_ticket(picker) or getattr(picker, "takes_key", False)):
            raise ConfigError(name, picker, "takes no key, so no key moves")
    before, after = (getattr(picker, "keyed", picker) for picker in (before, after))  # the native picker inside
    whole = _by_ticket(before) and _by_ticket(after)
    ids = list(dict.fromkeys([*(b.id for b in before.backends), *(b.id for b in after.backends)]))
    if keys is None and whole and _hash_alike(before, after):
        cells = _cells(before, after)
        if cells is not None:
            tickets, sizes = cells
            flows = _count(ids, before, after, tickets, tickets, sizes)
            return _result(ids, flows, float(sizes.sum()), Method.STRUCTURE)
        law = _lawful(ids, before, after)
        if law is not None:
            return _result(ids, law, 1.0, Method.LAW)
    if keys is None:
        keys = np.arange(SAMPLE if whole else WALKED, dtype=np.uint64)
    return _sampled(ids, before, after, keys if hasattr(keys, "__len__") else list(keys))


def _by_ticket(picker: Any) -> bool:
    return isinstance(picker, TicketDecided) and getattr(picker, "source", KEYED) == KEYED


def successor(policy: Any, picker: Any, view: Any) -> Any:
    """The policy's picker for another view, built from this one, which stays as it is even if a machine goes on."""
    return policy.build(view, previous=picker if isinstance(picker, TicketPicker) else copy.deepcopy(picker))


def _hash_alike(before: Any, after: Any) -> bool:
    """Whether one key has one ticket on both sides: four 64-bit hashes do not agree by chance."""
    return bool(np.array_equal(before.tickets(_PROBES), after.tickets(_PROBES)))


def _cells(before: Any, after: Any) -> tuple[U64, F64] | None:
    """Tickets that stand for cells of the key space on which neither picker changes its mind, and the cells' sizes."""
    old, new = (getattr(picker, "structure", None) for picker in (before, after))
    if isinstance(old, MaglevTable) and isinstance(new, MaglevTable) and old.size == new.size:
        if _certain(before) and _certain(after) and _stays_in_table(before) and _stays_in_table(after):
            return np.arange(old.size, dtype=np.uint64), np.ones(old.size)
    elif isinstance(old, Ring) and isinstance(new, Ring) and _certain(before) and _certain(after):
        ends = np.unique(np.concatenate((_arc_ends(before), _arc_ends(after))))
        if len(ends):
            sizes = np.diff(ends, prepend=ends[-1:]).astype(np.float64)  # modulo 2**64, as the circle is
            return ends, sizes if len(ends) > 1 else np.array([2.0**64])
    return None


def _certain(picker: Any) -> bool:
    """Whether every acceptance coin is certain, so that place alone decides."""
    chance = picker.acceptance()
    return bool(picker.plain or ((chance == 0.0) | (chance == 1.0)).all())


def _stays_in_table(picker: Any) -> bool:
    """Whether every walk meets an eligible backend among the positions it looks at, at most 4 N."""
    able = np.flatnonzero(picker.view.eligible[np.asarray(picker.structure.table())])
    if len(able) == 0:
        return False
    size = picker.structure.size
    return bool(np.diff(np.append(able, able[0] + size)).max() <= min(4 * len(picker.backends), size))


def _arc_ends(picker: Any) -> U64:
    """The last ticket of every arc that one point of an eligible backend owns."""
    ring = picker.structure
    able = picker.view.eligible[np.asarray(ring.owners())]
    points = np.asarray(ring.points(), dtype=np.uint64)[able]
    halves = (np.roll(points, -1) - points) // np.uint64(2)
    return np.asarray(points + halves if ring.nearest else points, dtype=np.uint64)


def _lawful(ids: list[str], before: Any, after: Any) -> _Flows | None:
    """Flows by the joint law of the two pickers, if they have one."""
    index = {id: k for k, id in enumerate(ids)}
    kinds = [getattr(picker, "structure", None) for picker in (before, after)]
    if all(isinstance(s, RendezvousRace) for s in kinds):
        mantissas, exponents = np.zeros((2, len(ids))), np.zeros((2, len(ids)), dtype=np.int64)
        for side, picker in enumerate((before, after)):
            at = [index[id] for id in picker.view.ids]
            mantissa, exponents[side, at] = rates(picker.view)
            mantissas[side, at] = np.where(picker.view.eligible, mantissa, 0.0)
        for side in (0, 1):  # only ratios on one side matter; powers of two scale exactly
            exponents[side] -= exponents[side, mantissas[side] > 0].max()
        return race_flows(*np.ldexp(mantissas, exponents))
    if all(isinstance(s, JumpBuckets) for s in kinds) and all(
        p.plain and p.view.eligible.all() for p in (before, after)
    ):
        old, new = (np.array([index[id] for id in p.view.ids], dtype=np.int64) for p in (before, after))
        return jump_flows(old, new)
    return None


def _count(ids: list[str], before: Any, after: Any, old: U64, new: U64, sizes: F64) -> _Flows:
    return _flows(_owners(ids, before, old), _owners(ids, after, new), len(ids), sizes)


def _owners(ids: list[str], picker: Any, tickets: U64) -> I64:
    """Who has each ticket, as an index into the joined ids."""
    index = {id: k for k, id in enumerate(ids)}
    at = np.array([index[b.id] for b in picker.backends], dtype=np.int64)
    return np.asarray(at[picker.pick_many(tickets)], dtype=np.int64)


def _heads(ids: list[str], picker: Any, keys: list[Any]) -> I64:
    """Who would serve each key, were it the next request."""
    index = {id: k for k, id in enumerate(ids)}
    heads: dict[Any, int] = {}
    for key in keys:
        if key not in heads:
            head = next(iter(picker.walk(key)), None)
            if head is None:
                raise NoBackend("ineligible" if len(picker.backends) else "empty")
            heads[key] = index[head.id]
    return np.array([heads[key] for key in keys], dtype=np.int64)


def _flows(a: I64, b: I64, n: int, sizes: F64) -> _Flows:
    moved = a != b
    pairs, where = np.unique(a[moved] * n + b[moved], return_inverse=True)
    amounts = np.bincount(where, weights=sizes[moved], minlength=len(pairs)).astype(np.float64)
    return pairs // n, pairs % n, amounts


def _result(
    ids: list[str], flows: _Flows, total: float, method: Method, error: float = 0.0, keys: int = 0
) -> Disruption:
    losers, gainers, amounts = flows
    out = np.bincount(losers, weights=amounts, minlength=len(ids))
    gain = np.bincount(gainers, weights=amounts, minlength=len(ids))
    order = np.lexsort((gainers, losers, -amounts))
    return Disruption(
        float(amounts.sum()) / total,
        float(np.maximum(0.0, out - gain).sum()) / total,
        float(np.minimum(out, gain).sum()) / total,
        method,
        error,
        keys,
        tuple(ids[k] for k in losers[order]),
        tuple(ids[k] for k in gainers[order]),
        amounts[order] / total,
    )


def _sampled(ids: list[str], before: Any, after: Any, keys: Any) -> Disruption:
    """Distinct keys move independently with one probability m; k occurrences of a key move together, so the variance of
    the moved fraction is m (1 - m) times the sum of k**2 over the square of the sum of k."""
    if _by_ticket(before) and _by_ticket(after):
        old = before.tickets(keys)
        pairs = _owners(ids, before, old), _owners(ids, after, after.tickets(keys))
    else:
        each = keys.tolist() if isinstance(keys, np.ndarray) else list(keys)
        old = hash_many(keys)
        pairs = _heads(ids, before, each), _heads(ids, after, each)
    total = len(old)
    if total == 0:
        raise ConfigError("keys", keys, "must not be empty")
    flows = _flows(*pairs, len(ids), np.ones(total))
    moved = float(flows[2].sum()) / total
    repeats = np.unique(old, return_counts=True)[1].astype(np.float64)
    error = float(np.sqrt(moved * (1.0 - moved) * (repeats**2).sum())) / total
    return _result(ids, flows, float(total), Method.SAMPLE, error, total)
