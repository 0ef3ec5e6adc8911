"""FlowTable: existing flows stay where they are when the table under them changes; in bounded memory.

A consistent hash moves few flows when the pool changes, and each that it moves breaks. A flow table remembers: a flow
that is known goes where it went, others go to the picker and become known. It is what stands before Maglev's table and
Katran's. Under a `Jet` policy only those are remembered that a joining backend could move.

Memory is bounded, so something has to go when it is full, and a flood of flows that never say a second word (SYN
floods, scans) must not push out those that talk. So there are two queues, each in order of last use: *young* flows of
one packet, in a part of the memory and for a shorter time, and *old* ones of two or more. A flow's second packet makes
it old. A full queue drops its least recently used. What a flood can do then is to turn the young queue over; an old
flow goes only when more old flows than fit are busier than it.

A remembered backend keeps its flows while it is eligible; draining and degraded ones too, if so wished. One that left
or is unhealthy has lost them: the flow is decided anew. A packet that *opens* a flow (`opening`, as a SYN) is decided
anew too: the port was used again.

With any key at all in place of a flow's this is the sticky table that proxies learn from what passes.

Costs: O(1) a packet, in plain Python (`python -m benchmarks affinity`); memory one entry of an ordered dictionary a
flow; O(N) once for each rebuilt picker.
Source: Eisenbud et al., "Maglev", NSDI 2016, 3.3 (connection tracking); two queues as in the segmented LRU of Karedla,
Love and Wherry, "Caching Strategies to Improve Disk System Performance", IEEE Computer 27(3), 1994.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.gates.members import Members, Standing, members_of
from lbalgo.spec import LIMIT, check_bool, check_id, check_integer, check_real, check_time
from lbalgo.types import Key
from lbalgo.written_keys import raw_key

CAPACITY = 65_536  # flows; ours
IDLE = 350.0  # seconds; AWS Network Load Balancer's default for TCP flows
YOUNG_IDLE = 30.0  # seconds for a second packet; ours: some retransmissions of a SYN
YOUNG_SHARE = 0.25  # of the capacity; ours
LONGEST = 64  # bytes of a key as it is; of a longer one a digest is kept, so that memory is bounded
BATCH = 2  # flows looked at for expiry with each packet: more than one can come, so the expired never pile up
COUNTERS = ("hits", "misses", "moved", "evicted", "expired", "ended")
KEEPS = {  # how a flow's backend stands: whether it keeps the flow, or the field that says so
    Standing.ELIGIBLE: True,
    Standing.DEGRADED: "degraded",
    Standing.DRAINING: "draining",
    Standing.UNHEALTHY: False,
    Standing.GONE: False,
}


@dataclass(frozen=True)
class FlowStats:
    """What a flow table has counted: packets of known flows, of unknown ones, flows whose backend could not keep them,
    flows dropped for room, for idleness, and by `end`; and how many are held, young and old."""

    hits: int
    misses: int
    moved: int
    evicted: int
    expired: int
    ended: int
    young: int
    old: int


class FlowTable:
    """Remembers where flows go.

    Parameters
    ----------
    capacity : most flows held, 2 to 2**24.
    idle : seconds after which a silent flow is forgotten.
    young_idle : the same for a flow of which one packet has come; at most `idle`.
    young_share : part of the capacity for such flows, > 0 and < 1; each queue holds one flow at least.
    draining, degraded : whether a backend that drains (or has weight 0), or is DEGRADED, keeps its flows.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Costs: O(1) a packet, plain Python; O(capacity) memory, whatever comes.
    Source: Eisenbud et al., NSDI 2016, 3.3.

    Examples
    --------
    >>> import lbalgo as lb
    >>> flows, policy = FlowTable(capacity=1000), lb.Maglev(251)
    >>> two, three = policy.build(["a", "b"]), policy.build(["a", "b", "c"])
    >>> before = [flows.pick(two, k, now=0.0).id for k in range(100)]
    >>> before == [flows.pick(three, k, now=1.0).id for k in range(100)]
    True
    >>> sum(old != three.pick(k).id for k, old in enumerate(before)) > 20
    True
    """

    def __init__(
        self,
        capacity: int = CAPACITY,
        idle: float = IDLE,
        *,
        young_idle: float = YOUNG_IDLE,
        young_share: float = YOUNG_SHARE,
        draining: bool = True,
        degraded: bool = True,
    ) -> None:
        self.capacity = check_integer("capacity", capacity, low=2, high=2**24)
        self.idle = check_real("idle", idle, low=0.0, high=LIMIT, open_low=True)
        if young_idle is YOUNG_IDLE:
            young_idle = min(YOUNG_IDLE, self.idle)
        self.young_idle = check_real("young_idle", young_idle, low=0.0, high=self.idle, open_low=True)
        self.young_share = check_real("young_share", young_share, low=0.0, high=1.0, open_low=True)
        if self.young_share == 1.0:
            raise ConfigError("young_share", young_share, "must be less than 1")
        self.draining = check_bool("draining", draining)
        self.degraded = check_bool("degraded", degraded)
        self._room = (min(max(int(capacity * young_share), 1), capacity - 1), 0)
        self._room = (self._room[0], capacity - self._room[0])
        self._idle = (self.young_idle, self.idle)
        self._keeps = {s: getattr(self, keep) if isinstance(keep, str) else keep for s, keep in KEEPS.items()}
        self._queues: tuple[OrderedDict[bytes, tuple[str, float]], ...] = (OrderedDict(), OrderedDict())
        self._now: float | None = None
        self._known: Members | None = None
        self._counts = dict.fromkeys(COUNTERS, 0)

    def pick(self, picker: Any, key: Key, *, now: float, exclude: Container[str] = (), opening: bool = False) -> Any:
        """The backend of the flow a packet belongs to.

        Parameters
        ----------
        picker : of the pool of the moment; one of a `Jet` policy says itself which flows are worth remembering.
        key : of the flow, as `flow_key` makes them, or any other.
        now : seconds; an earlier instant than the latest counts as the latest.
        exclude : ids that cannot be chosen; a flow of such a backend moves.
        opening : whether this is a flow's first packet, so that what is known of its key is of another.

        Raises
        ------
        NoBackend : as the picker.
        ConfigError, TypeError : the key is none, or `now` or `exclude` are invalid.
        """
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        name = _name(key)
        now = self._see(now)
        self._sweep(now, BATCH)
        self._known = known = members_of(picker, self._known)
        young, old = self._queues
        entry, mature = old.get(name), True
        if entry is None:
            entry, mature = young.get(name), False
        if entry is not None and not opening and now - entry[1] < self._idle[mature]:
            id = entry[0]
            slot = known.slots.get(id)
            if slot is not None and self._keeps[known.standings[slot]] and (exclude == () or id not in exclude):
                if mature:
                    old[name] = (id, now)
                    old.move_to_end(name)
                else:
                    del young[name]
                    self._put(1, name, id, now)
                self._counts["hits"] += 1
                return known.backends[slot]
        safely = getattr(picker, "pick_safe", None)
        if safely is None:
            backend, worth = picker.pick(key, exclude=exclude), True
        else:
            backend, worth = safely(key, exclude=exclude)
        if entry is not None:  # not before the pick, which may refuse
            del self._queues[mature][name]
            late = now - entry[1] >= self._idle[mature]
            self._counts["ended" if opening else "expired" if late else "moved"] += 1
        self._counts["misses"] += 1
        if worth:
            self._put(0, name, backend.id, now)
        return backend

    def get(self, key: Key) -> str | None:
        """The id a known flow goes to, or None; changes nothing, and no time passes."""
        name = _name(key)
        for queue, idle in zip(self._queues, self._idle, strict=True):
            entry = queue.get(name)
            if entry is not None and self._now is not None and self._now - entry[1] < idle:
                return entry[0]
        return None

    def end(self, key: Key) -> bool:
        """Forgets a flow that has ended (a FIN or RST was seen); whether it was known."""
        name = _name(key)
        found = any(queue.pop(name, None) is not None for queue in self._queues)
        self._counts["ended"] += found
        return found

    def advance(self, now: float) -> None:
        """Lets time pass and forgets all that is idle by then; an earlier instant changes nothing."""
        self._sweep(self._see(now), self.capacity)

    @property
    def deadline(self) -> float | None:
        """The next instant (seconds) at which `advance` could forget a flow, or None."""
        heads = [
            next(iter(queue.values()))[1] + idle for queue, idle in zip(self._queues, self._idle, strict=True) if queue
        ]
        return min(heads, default=None)

    def flows(self) -> dict[str, int]:
        """How many flows each id has; what a drain waits for. Cost: O(flows)."""
        counts: dict[str, int] = {}
        for queue in self._queues:
            for id, _ in queue.values():
                counts[id] = counts.get(id, 0) + 1
        return counts

    def stats(self) -> FlowStats:
        """What has been counted so far."""
        return FlowStats(**self._counts, young=len(self._queues[0]), old=len(self._queues[1]))

    def snapshot(self) -> dict[str, Any]:
        """The flows as plain data, least recently used first, with their ages in seconds at the latest instant."""
        now = self._now or 0.0
        rows = [[[name.hex(), id, now - seen] for name, (id, seen) in queue.items()] for queue in self._queues]
        return {"type": "FlowTable", "young": rows[0], "old": rows[1]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot, whose latest instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of a `FlowTable`, or does not fit into this one; nothing has changed then.
        """
        now = check_time("now", now)
        if not isinstance(state, Mapping) or set(state) != {"type", "young", "old"} or state["type"] != "FlowTable":
            raise ConfigError("state", state, "must be a snapshot of a FlowTable")
        queues: tuple[OrderedDict[bytes, tuple[str, float]], ...] = (OrderedDict(), OrderedDict())
        for part, queue, room, other in zip(("young", "old"), queues, self._room, reversed(queues), strict=True):
            rows, where = state[part], f"state[{part!r}]"
            if not isinstance(rows, (list, tuple)) or len(rows) > room:
                raise ConfigError(where, rows, f"must be at most {room} flows")
            last = LIMIT
            for row in rows:
                try:
                    text, id, age = row
                    name = bytes.fromhex(text)
                except (TypeError, ValueError):
                    raise ConfigError(where, row, "must be a key in hexadecimal, an id and an age") from None
                last = check_real(f"{where} age", age, low=0.0, high=last)
                if name in queue or name in other or len(name) > LONGEST + 1:
                    raise ConfigError(where, row, "must be a flow that is held once")
                queue[name] = (check_id(id, f"{where} id"), now - last)
        self._queues, self._now = queues, now

    def check_invariants(self) -> None:
        """Raises AssertionError where the table contradicts its law."""
        young, old = self._queues
        assert not young.keys() & old.keys(), "a flow is young or old"
        for queue, room in zip(self._queues, self._room, strict=True):
            assert len(queue) <= room, "no queue holds more than its part"
            seen = [at for _, at in queue.values()]
            assert seen == sorted(seen), "queues are in order of last use"
            assert not seen or (self._now is not None and seen[-1] <= self._now), "nothing was seen in the future"
            assert all(len(name) <= LONGEST + 1 for name in queue), "keys are bounded"

    def __len__(self) -> int:
        return len(self._queues[0]) + len(self._queues[1])

    def __repr__(self) -> str:
        more = f", young_idle={self.young_idle!r}, young_share={self.young_share!r}"
        return f"FlowTable({self.capacity}, {self.idle!r}{more}, draining={self.draining}, degraded={self.degraded})"

    def _see(self, now: float) -> float:
        if type(now) is not float or not -LIMIT <= now <= LIMIT:
            now = check_time("now", now)
        if self._now is None or now > self._now:
            self._now = now
        return self._now

    def _sweep(self, now: float, most: int) -> None:
        for which in (0, 1):
            queue, idle = self._queues[which], self._idle[which]
            for _ in range(most):
                if not queue or now - queue[next(iter(queue))][1] < idle:
                    break
                queue.popitem(last=False)
                self._counts["expired"] += 1

    def _put(self, which: int, name: bytes, id: str, now: float) -> None:
        queue = self._queues[which]
        if len(queue) >= self._room[which]:
            queue.popitem(last=False)
            self._counts["evicted"] += 1
        queue[name] = (id, now)


def _name(key: Key) -> bytes:
    """The bytes a flow is known by: those of its key, or a digest of a long one, which no short key equals."""
    name = key if type(key) is bytes else raw_key(key)
    if len(name) > LONGEST:
        return hashlib.blake2b(name, digest_size=LONGEST).digest() + b"\0"
    return name
