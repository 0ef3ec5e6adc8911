"""Two tiers: routers spray packets over N balancers, balancers over M backends. What breaks when either tier changes?

A router sprays by a hash of the flow (ECMP) and remembers nothing; when a balancer comes or goes, flows arrive at
another balancer in the middle. A balancer may remember (`Keep.TABLE`, or only what is unsafe, `Keep.JET`), but only
what it has seen itself; or the backends may help (`Keep.CHANCES`). A flow *breaks* when a packet of it reaches another
backend than its first one did, although that is still there; it is *lost* when its backend has left.

With equal hashes everywhere a flow that changes its balancer still finds its backend, unless its owner in the table has
changed since the flow began. So with independent hashes in the two tiers

    broken = (part of the flows that the spray moves) * (part of the keys whose owner has changed since)

where balancers remember. The first factor is 1 - 1/N for a spray modulo the number of balancers (N to N - 1), 1/N for a
consistent one, in expectation; the second is the disruption of the policy.

*Polarisation*: if router and balancer use one hash, a balancer sees only those tickets that led to it, and its share
of the table may be a corner of it. All balancers together are even, each by itself is not: it uses few backends, and
what it knows of loads or keeps in connections is of those only. Another seed, or another hash, in one of the tiers is
all it takes.

Costs: a bulk pick a step; flows * balancers bits. Source: derived above; the setting is that of Maglev (NSDI 2016,
Figure 3 and section 3.3) and of GLB.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.hashing import hash_many
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.spec import check_enum, check_integer
from lbalgo.types import I64, U64, Bool
from lbalgo.view import View

FLOWS = 1 << 16  # a broken part near 1 % then has a standard error of 0.04 %
SPRAY_SEED = 0xEC3F  # of the routers' hash: any that is not the balancers'


class Spray(enum.Enum):
    """How routers choose a balancer by the hash of a flow."""

    MODULO = "hash mod N"
    RANGE = "hash * N >> 64"
    CONSISTENT = "rendezvous"


class Keep(enum.Enum):
    """Who remembers flows."""

    NOTHING = "nobody"
    TABLE = "balancers, every flow"
    JET = "balancers, unsafe flows"
    CHANCES = "backends, by second chance"


@dataclass(frozen=True)
class Tiers:
    """The ids of both tiers, from some moment on."""

    balancers: tuple[str, ...]
    backends: tuple[str, ...]


@dataclass(frozen=True)
class Breakage:
    """What happened when the tiers became these: parts of all flows.

    Attributes
    ----------
    tiers : as they are now.
    resprayed : flows that arrive at another balancer than before.
    broken : flows that broke now, and were whole before.
    lost : flows whose backend has left now.
    held : entries that the balancers hold, for each flow there was.
    """

    tiers: Tiers
    resprayed: float
    broken: float
    lost: float
    held: float


def breakage(
    policy: Any,
    steps: Iterable[Tiers],
    *,
    spray: Spray = Spray.MODULO,
    keep: Keep = Keep.TABLE,
    flows: int = FLOWS,
    spray_seed: int = SPRAY_SEED,
) -> list[Breakage]:
    """What breaks, step by step: flows begin in the first, and send a packet in each of the others.

    Parameters
    ----------
    policy : of the balancers, keyed; for CHANCES a `SecondChance` or `StableTable`, for JET one that `Jet` takes.
    steps : two or more.
    spray, keep : how routers choose, and who remembers.
    flows : how many, 1 to 2**22.
    spray_seed : of the routers' hash, another than the policy's, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is invalid, or the policy does not go with `keep`.

    Costs: O(flows) bulk picks a step, flows * balancers bytes of memory.

    Examples
    --------
    >>> import lbalgo as lb
    >>> four, ten = tuple(f"l{i}" for i in range(4)), tuple(f"b{i}" for i in range(10))
    >>> change = breakage(lb.Maglev(), [Tiers(four, ten), Tiers(four[:3], ten)], keep=Keep.NOTHING)
    >>> round(change[0].resprayed, 2), change[0].broken
    (0.75, 0.0)
    """
    from lbalgo.gates.jet import Jet

    check_enum("spray", spray, Spray)
    check_enum("keep", keep, Keep)
    check_integer("flows", flows, low=1, high=2**22)
    stages = list(steps)
    if len(stages) < 2 or not all(isinstance(stage, Tiers) and stage.balancers and stage.backends for stage in stages):
        raise ConfigError("steps", stages, "must be two or more Tiers, none of them empty")
    if keep is Keep.JET:
        policy = Jet(policy, sorted({id for stage in stages for id in stage.backends}))
    keys = np.arange(flows, dtype=np.uint64)
    ids = sorted({id for stage in stages for id in stage.backends})
    fronts = sorted({id for stage in stages for id in stage.balancers})
    knows = np.zeros((len(fronts), flows), dtype=np.bool_)
    sprayed = hash_many(keys, seed=spray_seed)
    picker, at, home = None, np.zeros(flows, dtype=np.int64), np.zeros(flows, dtype=np.int64)
    whole, out = np.ones(flows, dtype=np.bool_), list[Breakage]()
    for number, stage in enumerate(stages):
        picker = policy.build(View.of(stage.backends), previous=picker)
        tickets = picker.tickets(keys)
        places = np.array([ids.index(backend.id) for backend in picker.backends], dtype=np.int64)
        owner = places[picker.pick_many(tickets)]
        before, at = at, _sprayed(spray, sprayed, stage.balancers, fronts)
        if number == 0:
            home = owner
        lost = whole & ~np.isin(home, places)
        known = knows[at, np.arange(flows)]
        found = known | (owner == home)
        if keep is Keep.CHANCES and number:
            found |= _second(picker, tickets, places, ids) == home
        broken = whole & ~lost & ~found
        whole &= ~lost & ~broken
        if keep in (Keep.TABLE, Keep.JET):
            worth = whole if keep is Keep.TABLE else whole & picker.must_track(tickets)
            knows[at[worth], np.flatnonzero(worth)] = True
        if number:
            out.append(
                Breakage(
                    stage, *(float(x) / flows for x in ((at != before).sum(), broken.sum(), lost.sum(), knows.sum()))
                )
            )
    return out


@dataclass(frozen=True)
class Polarisation:
    """How much of the second tier one balancer uses.

    Attributes
    ----------
    reach : part of the backends that a balancer sends anything to, mean over balancers.
    peak : the busiest backend's part of a balancer's flows, over an even part; mean over balancers.
    total_peak : the busiest backend's part of all flows, over an even part.
    """

    reach: float
    peak: float
    total_peak: float


def polarisation(
    picker: Any, balancers: int, *, spray: Spray = Spray.RANGE, spray_seed: int | None = None, flows: int = FLOWS
) -> Polarisation:
    """What part of the backends each balancer uses, when routers spray by the picker's own hash or by another.

    Parameters
    ----------
    picker : of the balancers, keyed.
    balancers : how many, >= 1.
    spray : how routers choose.
    spray_seed : of the routers' hash (XXH64); None: the routers use the very hash that the picker uses.
    flows : how many, 1 to 2**22.

    Raises
    ------
    ConfigError : a parameter is invalid, or the picker takes no key.

    Cost: O(flows).

    Examples
    --------
    >>> import lbalgo as lb
    >>> ring = lb.RingHash(100).build([f"b{i}" for i in range(100)])
    >>> polarisation(ring, 200).reach < 0.5 < polarisation(ring, 200, spray_seed=1).reach
    True
    """
    check_integer("balancers", balancers, low=1, high=2**16)
    check_enum("spray", spray, Spray)
    check_integer("flows", flows, low=1, high=2**22)
    if not hasattr(picker, "pick_many") or getattr(picker, "hasher", True) is None:
        raise ConfigError("picker", picker, "must decide by the hash of a key")
    keys = np.arange(flows, dtype=np.uint64)
    tickets = picker.tickets(keys)
    names = [f"l{k}" for k in range(balancers)]
    at = _sprayed(spray, tickets if spray_seed is None else hash_many(keys, seed=spray_seed), names, names)
    n = len(picker.backends)
    counts = np.bincount(at * n + picker.pick_many(tickets), minlength=balancers * n).reshape(balancers, n)
    used = counts[counts.sum(axis=1) > 0]
    peaks = used.max(axis=1) / used.sum(axis=1) * n
    total = counts.sum(axis=0)
    return Polarisation(float((used > 0).mean()), float(peaks.mean()), float(total.max() / total.sum() * n))


def _sprayed(spray: Spray, tickets: U64, balancers: Sequence[str], fronts: Sequence[str]) -> I64:
    """The balancer of each ticket, as an index into `fronts`."""
    index = {id: k for k, id in enumerate(fronts)}
    places = np.array([index[id] for id in balancers], dtype=np.int64)
    n = len(balancers)
    if spray is Spray.MODULO:
        chosen = (tickets % np.uint64(n)).astype(np.int64)
    elif spray is Spray.RANGE:  # the upper 32 bits are enough for 2**16 balancers
        chosen = ((tickets >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)
    else:
        chosen = Rendezvous().build(list(balancers)).pick_many(tickets).astype(np.int64)
    return np.asarray(places[chosen], dtype=np.int64)


def _second(picker: Any, tickets: U64, places: I64, ids: list[str]) -> I64:
    """The second chance of each ticket, as an index into `ids`; -1 where there is none."""
    if hasattr(picker, "second_many"):
        return np.asarray(np.append(places, -1)[picker.second_many(tickets)], dtype=np.int64)
    layout = getattr(picker.policy, "layout", None)
    if layout is None:
        raise ConfigError("policy", picker.policy, "must be a SecondChance or a StableTable, whose rows have two")
    index = {id: k for k, id in enumerate(ids)}
    names = np.array([index.get(id, -1) for id in layout.ids], dtype=np.int64)
    found = names[layout.previous_indices()[(tickets % np.uint64(layout.size)).astype(np.int64)]]
    present: Bool = np.isin(found, places)
    return np.where(present, found, -1)
