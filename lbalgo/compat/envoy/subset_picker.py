"""The picker that asks one subset after the other, and the load that tells all of them of requests."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import mix64, xxh64
from lbalgo.compat.envoy.host import Host, Locality, hosts_of
from lbalgo.compat.envoy.lone_host import LoneHost
from lbalgo.compat.envoy.part_view import PartView
from lbalgo.compat.envoy.subset_context import SelectionContext, pick_with, reasons_with, split, walk_with
from lbalgo.compat.envoy.subset_division import ANY, DEFAULT, FALLBACKS, Pairs, asked, fallbacks, subsets_of, tagged
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.explaining import Steps
from lbalgo.policies.loaded import rows_of
from lbalgo.types import I64, Backend, Outcome, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)


class SubsetLoads:
    """The load of a `SubsetPicker`: every subset's load hears of every request.

    Attributes
    ----------
    loads : of the subsets that have one.
    """

    def __init__(self) -> None:
        self.loads: list[Any] = []
        self._active: dict[int, int] = {}
        self._costs: dict[int, float] = {}
        self._now: float | None = None

    def follow(self, loads: Sequence[Any]) -> None:
        """These are the subsets' loads from now on; new ones learn what is in flight."""
        old = {id(load) for load in self.loads}
        for load in loads:
            if id(load) not in old and self._now is not None:
                load.advance(self._now)
                for row, count in self._active.items():
                    for _ in range(count):
                        load.started(row, self._costs[row] / count, self._now)
        self.loads = list(loads)

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to this row."""
        self._now = now if self._now is None else max(now, self._now)
        self._active[row] = self._active.get(row, 0) + 1
        self._costs[row] = self._costs.get(row, 0.0) + cost
        for load in self.loads:
            load.started(row, cost, now)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to this row has ended."""
        self._now = now if self._now is None else max(now, self._now)
        if self._active.get(row, 0) > 1:
            self._active[row] -= 1
            self._costs[row] = max(self._costs[row] - cost, 0.0)
        else:
            self._active.pop(row, None)
            self._costs.pop(row, None)
        for load in self.loads:
            load.finished(row, outcome, latency, now, cost)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self._now = now if self._now is None else max(now, self._now)
        for load in self.loads:
            load.advance(now)

    def at(self, row: int) -> float:
        """Requests in flight to this row."""
        return float(self._active.get(row, 0))

    def reported(self, row: int, report: Any, now: float) -> None:
        """What a host says of itself, handed on."""
        for load in self.loads:
            if hasattr(load, "reported"):
                load.reported(row, report, now)

    def restart(self, row: int) -> None:
        """The row belongs to another host from now on."""
        self._active.pop(row, None)
        for load in self.loads:
            if hasattr(load, "restart"):
                load.restart(row)


class SubsetPicker(Generic[B]):
    """What `Subset` builds: a picker for each subset, and the order in which they are asked.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    pickers : of the subsets, by their pairs.
    load : hears of requests for all of them.
    rows, unused : row of each slot, and the first that nobody had yet.
    """

    contextual = True

    def __init__(
        self, policy: Any, view: View[B], pickers: Mapping[Pairs, Any], load: SubsetLoads, rows: I64, unused: int
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.pickers = dict(pickers)
        self.load = load
        self.rows = rows
        self.unused = unused
        self._by_id = dict(zip(view.ids, view.backends, strict=True))
        self._selectors = asked(policy)
        self._fallbacks = fallbacks(policy)

    def pick(self, key: Any = None, *, exclude: Container[str] = (), context: SelectionContext | None = None) -> B:
        """A host of the first subset asked that has one."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        key, about = split(key, context)
        refusal = NoBackend("ineligible" if len(self.backends) else "empty")
        for picker in self._line(about):
            try:
                return self._by_id[pick_with(picker, key, exclude, about).id]
            except NoBackend as error:
                refusal = error
        raise refusal

    def walk(self, key: Any = None, *, context: SelectionContext | None = None) -> Iterator[B]:
        """The hosts of the subsets that would be asked, each once."""
        key, about = split(key, context)
        seen = set[str]()
        for picker in self._line(about):
            for host in walk_with(picker, key, about):
                if host.id not in seen:
                    seen.add(host.id)
                    yield self._by_id[host.id]

    def explain(self, key: Any = None) -> Steps:
        """The subset that serves, and what its picker tells."""
        key, about = split(key, None)
        asked = {id(picker): pairs for pairs, picker in self.pickers.items()}
        steps: Steps = []
        for picker in self._line(about):
            pairs = asked[id(picker)]
            what = {ANY: "any host", DEFAULT: "the default subset"}.get(pairs)
            what = what or ", ".join(f"{name}={value!r}" for name, (_, value) in pairs)
            steps.append(("subset", f"{what}: {len(picker.backends)} hosts"))
            if next(iter(walk_with(picker, key, about)), None) is not None:
                return steps + reasons_with(picker, key, about)
        return steps or [("subset", "none, and no fallback")]

    def _line(self, context: SelectionContext) -> list[Any]:
        """The pickers to ask, in order."""
        wanted = dict(context.metadata_match)
        lists = wanted.pop(FALLBACKS, None) if self.policy.metadata_fallback_policy.name == "FALLBACK_LIST" else None
        if not isinstance(lists, tuple) or not lists:
            return self._ask(wanted)
        return [picker for other in lists for picker in self._ask({**wanted, **dict(other)})]

    def _ask(self, wanted: Mapping[str, Any]) -> list[Any]:
        policy = self.policy
        if policy.allow_redundant_keys:
            kept = next((s.keys for s in self._selectors if set(s.keys) <= set(wanted)), None)
            wanted = wanted if kept is None else {key: wanted[key] for key in kept}
        keys = tuple(sorted(wanted))
        found = self.pickers.get(tuple((key, tagged(wanted[key])) for key in keys))
        if found is not None:
            return [found]
        selector = self._fallbacks.get(keys)
        if selector is not None:
            fallback = selector.fallback_policy.name
            if fallback == "KEYS_SUBSET":
                return self._ask({key: wanted[key] for key in selector.fallback_keys_subset})
            if fallback != "NOT_DEFINED":
                return self._those(fallback)
        fallback = policy.fallback_policy.name
        if fallback == "NO_FALLBACK":
            return []
        return self._those(fallback) + (self._those("ANY_ENDPOINT") if policy.panic_mode_any else [])

    def _those(self, fallback: str) -> list[Any]:
        pairs = {"ANY_ENDPOINT": ANY, "DEFAULT_SUBSET": DEFAULT}.get(fallback, ())
        return [self.pickers[pairs]] if pairs in self.pickers else []

    def reseed(self, seed: int) -> None:
        """Moves the random start of every subset, each to one of its own."""
        for pairs, picker in self.pickers.items():
            if hasattr(picker, "reseed"):
                picker.reseed(mix64(seed ^ xxh64(repr(pairs).encode())))

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker or one inside contradicts itself."""
        assert len(set(self.rows.tolist())) == len(self.backends), "one row for each backend"
        for picker in self.pickers.values():
            assert {host.id for host in picker.backends} <= self._by_id.keys(), "subsets are of these hosts"
            picker.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"


def subset_picker(policy: Any, view: View[B], previous: Picker[B] | None) -> SubsetPicker[B]:
    """A picker for this view; subsets that the previous one had go on if the policy is equal."""
    hosts = hosts_of(view)
    rows, unused = rows_of(view, previous)
    goes_on = isinstance(previous, SubsetPicker) and previous.policy == policy
    before = previous.pickers if isinstance(previous, SubsetPicker) and goes_on else {}
    load = previous.load if isinstance(previous, SubsetPicker) and goes_on else SubsetLoads()
    sizes: dict[tuple[int, Locality], int] = {}
    for host in hosts:
        sizes[host.priority, host.locality] = sizes.get((host.priority, host.locality), 0) + 1
    weights = {(host.priority, host.locality): host.locality_weight for host in hosts}
    pickers: dict[Pairs, Any] = {}
    balances = _within(policy)
    divided, alone = subsets_of(policy, hosts)
    for pairs, slots in divided.items():
        if pairs in alone:
            pickers[pairs] = LoneHost(view.backends[slots[0]])
            continue
        chosen = _weighted(policy, [hosts[slot] for slot in slots], sizes)
        index = np.array(slots)
        inside = PartView(
            chosen,
            view.weights[index],
            view.factors[index],
            view.states[index],
            panic_below=view.panic_below,
            rows=rows[index],
        )
        if policy.locality_weight_aware and not policy.scale_locality_weight:  # scaled to no hosts, it is 0
            there = {(hosts[slot].priority, hosts[slot].locality) for slot in slots}
            inside.absent = tuple((p, weight) for (p, place), weight in weights.items() if (p, place) not in there)
        pickers[pairs] = balances.build(inside, previous=before.get(pairs))
    load.follow([picker.load for picker in pickers.values() if getattr(picker, "load", None) is not None])
    return SubsetPicker(policy, view, pickers, load, rows, unused)


def _within(policy: Any) -> Any:
    """The policy for subsets: where localities have no weights in them, it does not look for any."""
    inside = policy.policy
    if policy.locality_weight_aware or not getattr(inside, "locality_weighted_lb_config", False):
        return inside
    return replace(inside, locality_weighted_lb_config=False)


def _weighted(policy: Any, hosts: list[Host], sizes: Mapping[tuple[int, Locality], int]) -> list[Host]:
    """The hosts of a subset with the weights that their localities have in it."""
    if not policy.locality_weight_aware:
        return [replace(host, locality_weight=0) for host in hosts]
    if not policy.scale_locality_weight:
        return hosts
    inside: dict[tuple[int, Locality], int] = {}
    for host in hosts:
        inside[host.priority, host.locality] = inside.get((host.priority, host.locality), 0) + 1
    scaled = []
    for host in hosts:
        place = host.priority, host.locality
        # a quotient of floats, and halves go up
        exact = np.float32(host.locality_weight * inside[place]) / np.float32(sizes[place])
        scaled.append(replace(host, locality_weight=math.floor(float(exact) + 0.5)))
    return scaled
