"""The machine of Envoy's balancers without a key: priority, then source, then a host of it.

A pick draws a random word for the priority and takes the source that it leads to (`lbalgo.compat.envoy.locality`). If
the weights of the source's hosts differed when the host set was last made, or a host was then in slow start, its
scheduler has the host; else the balancer's own rule (an index for RoundRobin, draws for LeastRequest and Random).

What survives an update: the indices, the draws, requests in flight. What starts anew, for each priority whose hosts,
weights or health have changed: the schedulers, from the same starting point P every time, so that frequent updates
serve the hosts that come first there more than their share.

Random words are SplitMix64's from `reseed`; the real program's come from elsewhere. `start` is what the real program
draws once a worker: the first value of every index, and by its low 32 bits P.

Costs: pick O(log N) with weights, O(1) without; an update O(N log N); memory O(N). Sources: as the policies'.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Protocol

from lbalgo.active import mix64
from lbalgo.compat.envoy.edf import Edf
from lbalgo.compat.envoy.host import Host, hosts_of
from lbalgo.compat.envoy.hosts import HostSet, PriorityLoad, effective_locality_weights, host_sets, priority_load
from lbalgo.compat.envoy.locality import Among, LocalityTurns, Source, sources_of
from lbalgo.compat.envoy.slow_start import age
from lbalgo.compat.envoy.zone_aware import ZoneAwareLbConfig, ZoneRouting, zone_routing
from lbalgo.explaining import Steps, listing
from lbalgo.reference.hashing import GAMMA, WORD
from lbalgo.types import Outcome, State
from lbalgo.view import View

ZONE_DEFAULTS = ZoneAwareLbConfig()


class Way(Protocol):
    """What one of Envoy's balancers does differently from the others."""

    scheduled: bool  # whether differing weights make a scheduler

    def weight(self, machine: HostMachine, slot: int) -> float:
        """The weight of a host in the scheduler, slow start aside."""
        ...

    def unweighted(self, machine: HostMachine, source: Source, slots: Sequence[int], word: int) -> int:
        """A host where there is no scheduler; `word` is the one that chose the priority."""
        ...

    def explain(
        self, machine: HostMachine, source: Source, slots: Sequence[int], word: int, name: Callable[[int], str]
    ) -> Steps:
        """What `unweighted` goes by; asked of a copy, with the name of a row."""
        ...


class HostMachine:
    """Turns, draws and counts of one worker; see the module.

    Parameters
    ----------
    policy : a policy with the settings that `check_turns` checks.
    way : what is particular to it.
    """

    def __init__(self, policy: Any, way: Way) -> None:
        self.policy = policy
        self.way = way
        self._listener: Any = way if hasattr(way, "reported") else None  # it makes weights of what hosts report
        self.now: float | None = None
        self.hosts: tuple[Host, ...] = ()
        self.states: list[int] = []
        self.rows: list[int] = []
        self.weights: list[int] = []
        self.sets: tuple[HostSet, ...] = ()
        self.load = PriorityLoad((100,), (0,), (True,))
        self.word = 0
        self.seed = 0
        self.healthy_since: dict[int, float | None] = {}  # by row; None: since the next instant that is heard of
        self._active: dict[int, int] = {}
        self._known: list[list[tuple[Any, ...]]] = []
        self._sources: dict[Source, tuple[int, ...]] = {}
        self._schedulers: dict[Source, Edf] = {}
        self._indices: dict[Source, int] = {}
        self._localities: dict[tuple[int, bool], LocalityTurns] = {}
        self._zones: ZoneRouting | None = None
        self._warming_from: float | None = None  # the latest time a host entered slow start
        self._seed_from(None)

    def _seed_from(self, word: int | None) -> None:
        given = self.policy.start
        self.seed = given if given is not None else 0 if word is None else word

    def reseed(self, seed: int) -> None:
        """Moves the draws; indices and schedulers start anew, from there unless the policy says where."""
        self.word = seed
        self._seed_from(self.draw())
        self._indices.clear()
        for priority in range(len(self.sets)):
            self._refresh(priority)

    def draw(self) -> int:
        """The next random word, 64 bits."""
        self.word = (self.word + GAMMA) & WORD
        return mix64(self.word)

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Make these the hosts; see `Machine`."""
        policy = self.policy
        hosts, states = hosts_of(view), view.states.tolist()
        sets = host_sets(hosts, states, policy.local_locality)
        load = priority_load(
            sets,
            hosts,
            overprovisioning_factor=policy.overprovisioning_factor,
            healthy_panic_threshold=policy.healthy_panic_threshold,
            weighted_priority_health=policy.weighted_priority_health,
        )
        self._meet(rows, states)
        known = [[(rows[s], hosts[s], states[s]) for s in level.hosts] for level in sets]
        before, own = self._known, dict(zip(self.rows, self.weights, strict=True))
        self.hosts, self.states, self.rows, self.sets, self.load = hosts, states, list(rows), sets, load
        self.weights = [host.weight for host in hosts]
        if self._listener is not None:
            self._listener.synced(self, own)
        self._known, self._sources = known, {}
        for priority, level in enumerate(sets):
            self._sources.update(sources_of(priority, level))
        self._schedulers = {s: e for s, e in self._schedulers.items() if s.priority < len(sets)}
        self._localities = {k: t for k, t in self._localities.items() if k[0] < len(sets)}
        for priority in range(
            len(sets)
        ):  # entries of a scheduler are places in the source's list: slots may have moved
            if priority >= len(before) or before[priority] != known[priority]:
                self._refresh(priority)

    def _meet(self, rows: Sequence[int], states: Sequence[int]) -> None:
        if self.policy.slow_start_config is None:
            return
        before = dict(zip(self.rows, self.states, strict=True))
        since = {row: t for row, t in self.healthy_since.items() if row in set(rows)}
        for row, state in zip(rows, states, strict=True):
            returns = self.policy.active_health_checks and before.get(row, State.HEALTHY) != State.HEALTHY
            if state == State.HEALTHY and (row not in since or returns):
                since[row] = self.now
        self.healthy_since = since

    def _refresh(self, priority: int) -> None:
        level, policy = self.sets[priority], self.policy
        for degraded in (False, True):
            self._localities.pop((priority, degraded), None)
            if policy.locality_weighted_lb_config and (level.degraded if degraded else level.healthy):
                picks = self.draw() if policy.locality_start is None else policy.locality_start
                scaled = effective_locality_weights(
                    level, degraded=degraded, overprovisioning_factor=policy.overprovisioning_factor
                )
                turns = LocalityTurns(scaled, picks)
                if turns:
                    self._localities[priority, degraded] = turns
        if priority == 0:
            self._zones = None
            if policy.local_cluster:
                self._zones = zone_routing(
                    level,
                    self.hosts,
                    policy.local_cluster,
                    policy.local_locality,
                    policy.zone_aware_lb_config or ZONE_DEFAULTS,
                    policy.healthy_panic_threshold,
                )
        self._schedulers = {s: e for s, e in self._schedulers.items() if s.priority != priority}
        for source, slots in sources_of(priority, level).items():
            self._indices.setdefault(source, self._first(source))
            if self.way.scheduled:
                self._schedule(source, slots)

    def _first(self, source: Source) -> int:
        starts: tuple[int, ...] = self.policy.locality_starts
        if source.among >= Among.LOCALITY_HEALTHY and source.locality < len(starts):
            return starts[source.locality]
        return self.seed

    def _schedule(self, source: Source, slots: Sequence[int]) -> None:
        self._enter_slow_start(slots)
        if len(slots) < 2 or (not self._warming() and len({self.weights[slot] for slot in slots}) == 1):
            return
        picks = self.seed if self.policy.edf_start is None else self.policy.edf_start
        self._schedulers[source] = Edf([self._weight(slot) for slot in slots], picks)

    def _enter_slow_start(self, slots: Sequence[int]) -> None:
        slow = self.policy.slow_start_config
        if slow is None or self.now is None:
            return
        for slot in slots:
            since = self.healthy_since.get(self.rows[slot])
            if self.states[slot] == State.HEALTHY and since is not None and age(since, self.now) <= slow.window:
                self._warming_from = since if self._warming_from is None else max(since, self._warming_from)

    def _warming(self) -> bool:
        slow = self.policy.slow_start_config
        if slow is None:
            return False
        if self.now is None or self._warming_from is None:
            return any(since is None for since in self.healthy_since.values())
        return bool(age(self._warming_from, self.now) <= slow.window)

    def _weight(self, slot: int) -> float:
        weight = self.way.weight(self, slot)
        slow = self.policy.slow_start_config
        if slow is None or self.states[slot] != State.HEALTHY:
            return weight
        since = self.healthy_since.get(self.rows[slot], self.now)
        young = 0 if since is None or self.now is None else age(since, self.now)
        return weight if young >= slow.window else weight * float(slow.factor(young))

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of the next pick; with rows to skip, picks are repeated as a retry does, then the first left over."""
        slot = self._once()
        if slot < 0 or self.rows[slot] not in skip:
            return self.rows[slot] if slot >= 0 else -1
        for _ in range(2 * len(self.hosts) + 16):
            slot = self._once()
            if slot >= 0 and self.rows[slot] not in skip:
                return self.rows[slot]
        return next((self.rows[slot] for slot in self.candidates() if self.rows[slot] not in skip), -1)

    def candidates(self) -> list[int]:
        """The slots that picks can lead to now, by priority, in list order."""
        found: list[int] = []
        for p, level in enumerate(self.sets):
            healthy, degraded = self.load.healthy[p] > 0, self.load.degraded[p] > 0
            if self.load.panic[p]:
                found += level.hosts if (healthy or degraded) and not self._fails_on_panic else ()
            else:
                found += [
                    s for s in level.hosts if (healthy and s in level.healthy) or (degraded and s in level.degraded)
                ]
        return found

    @property
    def _fails_on_panic(self) -> bool:
        config = self.policy.zone_aware_lb_config
        return bool(config is not None and config.fail_traffic_on_panic)

    def _once(self) -> int:
        if not self.hosts:
            return -1
        word = self.draw()
        source = self._source(word)
        if source is None:
            return -1
        slots = self._sources.get(source, ())
        if not slots:
            return -1
        scheduler = self._schedulers.get(source)
        if scheduler is not None:
            return slots[scheduler.pick(lambda entry: self._weight(slots[entry]))]
        return self.way.unweighted(self, source, slots, word)

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The priority, the source, and how a host of it is found."""
        if not self.hosts:
            return []
        word = self.draw()
        steps = [("word", f"0x{word:016x}"), *self.load.explain(word)]
        source = self._source(word)
        slots = self._sources.get(source, ()) if source is not None else ()
        if source is None or not slots:
            return [*steps, ("source", "no host of the priority may be used")]
        where = f" of {self.sets[source.priority].localities[source.locality].locality}" * source.local
        ids = [name(self.rows[slot]) for slot in slots]
        steps.append(("source", f"{source.among.name.lower().replace('_', ' ')}{where}: {listing(ids)}"))
        scheduler = self._schedulers.get(source)
        if scheduler is not None:
            due = (f"{ids[entry]} {deadline:.6g}" for entry, deadline in scheduler.deadlines())
            return [*steps, ("deadlines", listing(due))]
        return [*steps, *self.way.explain(self, source, slots, word, name)]

    def _source(self, word: int) -> Source | None:
        priority, degraded = self.load.choose(word)
        if self.load.panic[priority]:
            return None if self._fails_on_panic else Source(priority, Among.ALL)
        by_locality = Among.LOCALITY_DEGRADED if degraded else Among.LOCALITY_HEALTHY
        turns = self._localities.get((priority, degraded))
        if turns is not None:
            return Source(priority, by_locality, turns.next())
        everywhere = Source(priority, Among.DEGRADED if degraded else Among.HEALTHY)
        zones = self._zones if priority == 0 and not degraded else None
        if zones is None:
            return everywhere
        enabled = int((self.policy.zone_aware_lb_config or ZONE_DEFAULTS).routing_enabled)
        if enabled < 100 and self.draw() % 100 >= enabled:
            return everywhere
        if zones.fleet_in_panic:
            return None if self._fails_on_panic else everywhere
        return Source(priority, by_locality, zones.choose(self.draw))

    def next_index(self, source: Source) -> int:
        """The index of a source, which moves on."""
        index = self._indices.setdefault(source, self._first(source))
        self._indices[source] = (index + 1) & WORD
        return index

    def active(self, slot: int) -> int:
        """Requests in flight to the host of a slot."""
        return self._active.get(self.rows[slot], 0)

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to this row."""
        self.advance(now)
        self._active[row] = self._active.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to this row has ended."""
        self.advance(now)
        if self._active.get(row, 0) > 1:
            self._active[row] -= 1
        else:
            self._active.pop(row, None)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds; an earlier instant than the latest changes nothing."""
        if self.now is None or now > self.now:
            if self.now is None:
                self.healthy_since = {r: now if t is None else t for r, t in self.healthy_since.items()}
                known = [t for t in self.healthy_since.values() if t is not None]
                self._warming_from = max(known, default=None)
            self.now = now
            if self._listener is not None:
                self._listener.advance(self)

    def reweigh(self, slots: Sequence[int]) -> None:
        """Weights of these hosts were changed here, not by an update: their priorities' schedulers start anew."""
        for priority in sorted({self.hosts[slot].priority for slot in slots}):
            self._refresh(priority)

    def reported(self, row: int, report: Any, now: float) -> None:
        """What a host says of itself."""
        self.advance(now)
        if self._listener is not None and row in self.rows:
            self._listener.reported(self, row, report)

    def at(self, row: int) -> float:
        """Requests in flight to this row."""
        return float(self._active.get(row, 0))

    def restart(self, row: int) -> None:
        """The row belongs to another host from now on: what was in flight to the last one is forgotten."""
        self._active.pop(row, None)

    def check_invariants(self) -> None:
        """Raises AssertionError where counts, loads or schedulers contradict themselves."""
        assert sum(self.load.healthy) + sum(self.load.degraded) == 100, "loads sum to 100"
        assert all(count > 0 for count in self._active.values()), "counts are positive"
        for source, scheduler in self._schedulers.items():
            scheduler.check_invariants()
            assert len(self._sources[source]) > 1, "one host takes no turns"
