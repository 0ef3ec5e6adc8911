"""Envoy's load_aware_locality: traffic stays in the proxy's locality until that is busier than the others.

Each locality has a utilization: the mean of what its hosts report (ORCA), smoothed exponentially. A locality's weight
is its healthy hosts times its headroom, max(0, 1 - utilization). While the own locality is no busier than the others'
mean, weighted by hosts, plus a threshold, all traffic stays there but for a *probe* share, without which the others'
reports would dry up. Beyond that, traffic goes by weight, and the others get at least the probe share. If nobody has
headroom, it goes by number of healthy hosts. Inside a locality another policy chooses.

Costs: build a policy's for each locality; pick O(localities) and the policy's; an update of weights O(hosts).
Source: Envoy's `load_aware_locality`, by text older than its release; described only. It gives no defaults: those here
are ours.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import numpy as np

from lbalgo.active import mix64
from lbalgo.compat.envoy.host import Locality, check_locality, hosts_of
from lbalgo.compat.envoy.hosts import locality_from
from lbalgo.compat.envoy.orca_weights import OrcaLoadReport
from lbalgo.compat.envoy.round_robin import RoundRobin
from lbalgo.compat.envoy.subset_context import check_policy, policy_from
from lbalgo.compat.envoy.subset_picker import SubsetLoads
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.explaining import Steps, listing, reasons
from lbalgo.policies.loaded import rows_of
from lbalgo.reference.hashing import GAMMA, WORD
from lbalgo.signals.timeline import check_duration
from lbalgo.spec import check_real, from_dict, to_dict
from lbalgo.types import I64, Backend, Ids, Picker, Pool, State
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class LoadAwareLocality:
    """A combinator: a locality by load, then a policy within it.

    Parameters
    ----------
    endpoint_picking_policy : chooses within a locality.
    local_locality : where the proxy runs; None if unknown, traffic then goes by weight.
    weight_update_period : seconds between updates of weights.
    utilization_variance_threshold : how much busier than the others the own locality may be, in utilization.
    smoothing_time_constant : seconds after which a change of utilization has come through by 63 %.
    remote_probe_fraction : share of traffic that the other localities get at least, 0 to 1.
    weight_expiration_period : seconds after which a host's report no longer counts.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A locality nobody has reported from counts as idle. Costs: see the module. Source: see the module; described only.

    Examples
    --------
    >>> from lbalgo.compat.envoy.host import Host
    >>> near, far = ("", "near", ""), ("", "far", "")
    >>> hosts = [Host("a:1", locality=near), Host("b:1", locality=far)]
    >>> picker = LoadAwareLocality(local_locality=near, remote_probe_fraction=0.0).build(hosts)
    >>> {picker.pick().id for _ in range(20)}
    {'a:1'}
    >>> picker.load.advance(0.0)
    >>> picker.load.reported(0, OrcaLoadReport(cpu_utilization=0.9), 0.5)
    >>> picker.load.advance(1.0)
    >>> [round(share, 2) for share in picker.load.shares]
    [0.09, 0.91]
    """

    endpoint_picking_policy: Any = field(default_factory=RoundRobin)
    local_locality: Locality | None = None
    weight_update_period: float = 1.0
    utilization_variance_threshold: float = 0.1
    smoothing_time_constant: float = 0.0
    remote_probe_fraction: float = 0.03
    weight_expiration_period: float = 180.0

    def __post_init__(self) -> None:
        check_policy(self.endpoint_picking_policy)
        if self.local_locality is not None:
            check_locality("local_locality", self.local_locality)
        check_duration("weight_update_period", self.weight_update_period)
        check_real("utilization_variance_threshold", self.utilization_variance_threshold, low=0.0)
        check_duration("smoothing_time_constant", self.smoothing_time_constant, zero=True)
        check_real("remote_probe_fraction", self.remote_probe_fraction, low=0.0, high=1.0)
        check_duration("weight_expiration_period", self.weight_expiration_period)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> LoadAwarePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> LoadAwarePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> LoadAwarePicker[Any]:
        """A picker for this view; reports, weights and the policies inside go on."""
        view = view_of(view)
        hosts = hosts_of(view)
        rows, unused = rows_of(view, previous)
        before = previous if isinstance(previous, LoadAwarePicker) and previous.policy == self else None
        places: dict[Locality, list[int]] = {}
        for slot, host in enumerate(hosts):
            places.setdefault(host.locality, []).append(slot)
        order = sorted(places, key=lambda place: (place != self.local_locality, place))
        pickers = {}
        for place in order:
            index = np.array(places[place])
            inside = View(
                tuple(view.backends[i] for i in index),
                view.weights[index],
                view.factors[index],
                view.states[index],
                panic_below=view.panic_below,
                rows=rows[index],
            )
            earlier = before.pickers.get(place) if before is not None else None
            pickers[place] = self.endpoint_picking_policy.build(inside, previous=earlier)
        load = before.load if before is not None else LocalityLoads(self)
        healthy = {p: [int(rows[i]) for i in places[p] if view.states[i] == State.HEALTHY] for p in order}
        load.settle(healthy, [p.load for p in pickers.values() if getattr(p, "load", None) is not None])
        return LoadAwarePicker(self, view, pickers, load, rows, unused)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LoadAwareLocality:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"endpoint_picking_policy": policy_from, "local_locality": locality_from})


def load_aware_shares(
    hosts: Sequence[int], utilization: Sequence[float], *, local: bool, threshold: float, probe: float
) -> tuple[float, ...]:
    """The share of traffic of each locality.

    Parameters
    ----------
    hosts : healthy hosts, by locality.
    utilization : smoothed, by locality.
    local : whether the first locality is the proxy's own.
    threshold : `utilization_variance_threshold`.
    probe : `remote_probe_fraction`.

    Examples
    --------
    >>> load_aware_shares([2, 2], [0.5, 0.45], local=True, threshold=0.1, probe=0.0)
    (1.0, 0.0)
    >>> load_aware_shares([2, 2], [0.8, 0.4], local=True, threshold=0.1, probe=0.0)
    (0.25, 0.75)
    >>> load_aware_shares([1, 3], [1.5, 2.0], local=False, threshold=0.1, probe=0.0)
    (0.25, 0.75)
    """
    weights = [n * max(0.0, 1.0 - u) for n, u in zip(hosts, utilization, strict=True)]
    overloaded = sum(weights) == 0.0
    if overloaded:
        weights = [float(n) for n in hosts]
    total = sum(weights)
    if total == 0.0:
        return tuple(1.0 / len(hosts) for _ in hosts)
    shares = [w / total for w in weights]
    remote, others = sum(hosts[1:]), sum(weights[1:])
    if overloaded or not local or hosts[0] == 0 or remote == 0:
        return tuple(shares)
    mean = sum(n * u for n, u in zip(hosts[1:], utilization[1:], strict=True)) / remote
    away = probe if utilization[0] <= mean + threshold else max(probe, 1.0 - shares[0])
    spread = [w / others for w in weights[1:]] if others else [n / remote for n in hosts[1:]]
    return (1.0 - away, *(away * part for part in spread))


class LocalityLoads(SubsetLoads):
    """The load of a `LoadAwarePicker`: hears of requests for all localities, and of what hosts report.

    Attributes
    ----------
    shares : of the localities, the own one first if it has hosts.
    """

    def __init__(self, policy: LoadAwareLocality) -> None:
        super().__init__()
        self.policy = policy
        self.shares: tuple[float, ...] = ()
        self._rows: dict[Locality, list[int]] = {}
        self._reports: dict[int, tuple[float, float]] = {}  # by row: when, and the utilization
        self._smooth: dict[Locality, float] = {}
        self._due: float | None = None

    def settle(self, healthy: dict[Locality, list[int]], loads: Sequence[Any]) -> None:
        """These are the localities and the rows of their healthy hosts from now on, and the loads inside."""
        self.follow(loads)
        self._rows = healthy
        known = {row for rows in healthy.values() for row in rows}
        self._reports = {row: report for row, report in self._reports.items() if row in known}
        self._smooth = {place: u for place, u in self._smooth.items() if place in healthy}
        self._share()

    def reported(self, row: int, report: Any, now: float) -> None:
        """What a host says of itself; its utilization is the application's, else the processor's."""
        super().reported(row, report, now)
        if isinstance(report, OrcaLoadReport):
            self._reports[row] = now, report.application_utilization or report.cpu_utilization
        self.advance(now)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds; weights are brought up to date where that is due."""
        super().advance(now)
        period = self.policy.weight_update_period
        if self._due is None:
            self._due = now + period
        elif now >= self._due:
            steps = math.floor((now - self._due) / period) + 1
            self._due += steps * period
            self._update(now, steps * period)

    def _update(self, now: float, elapsed: float) -> None:
        constant = self.policy.smoothing_time_constant
        part = 1.0 - math.exp(-elapsed / constant) if constant > 0 else 1.0
        for place, rows in self._rows.items():
            known = [self._reports[row] for row in rows if row in self._reports]
            fresh = [u for at, u in known if now - at <= self.policy.weight_expiration_period]
            mean = sum(fresh) / len(fresh) if fresh else 0.0
            before = self._smooth.get(place, mean)
            self._smooth[place] = before + part * (mean - before)
        self._share()

    def _share(self) -> None:
        policy, places = self.policy, list(self._rows)
        self.shares = ()
        if places:
            self.shares = load_aware_shares(
                [len(self._rows[place]) for place in places],
                [self._smooth.get(place, 0.0) for place in places],
                local=places[0] == policy.local_locality,
                threshold=policy.utilization_variance_threshold,
                probe=policy.remote_probe_fraction,
            )


class LoadAwarePicker(Generic[B]):
    """What `LoadAwareLocality` builds: a picker for each locality, and the draw between them.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    pickers : of the localities, the own one first.
    load : shares, and what is in flight.
    rows, unused : row of each slot, and the first that nobody had yet.
    """

    def __init__(
        self,
        policy: LoadAwareLocality,
        view: View[B],
        pickers: Mapping[Locality, Any],
        load: LocalityLoads,
        rows: I64,
        unused: int,
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.pickers = dict(pickers)
        self.load = load
        self.rows = rows
        self.unused = unused
        self.word = 0

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """A host of the locality drawn, or of the next in share that has one."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        refusal = NoBackend("ineligible" if len(self.backends) else "empty")
        for picker in self._line():
            try:
                picked: B = picker.pick(key, exclude=exclude) if exclude != () else picker.pick(key)
            except NoBackend as error:
                refusal = error
            else:
                self.word = (self.word + GAMMA) & WORD
                return picked
        raise refusal

    def walk(self, key: Any = None) -> Iterator[B]:
        """The hosts of the locality that the next draw names, then those of the others by share."""
        for picker in self._line():
            yield from picker.walk(key)

    def explain(self, key: Any = None) -> Steps:
        """The shares, the locality drawn, and what its picker tells."""
        shares = (f"{place} {share:.3g}" for place, share in zip(self.pickers, self.load.shares, strict=True))
        steps = [("shares", listing(shares, "; ") or "nobody's")]
        for picker in self._line():
            place = next(place for place, other in self.pickers.items() if other is picker)
            steps.append(("locality", f"{place}"))
            if next(iter(picker.walk(key)), None) is not None:
                return steps + [step for step in reasons(picker, key) if step[0] != "key"]
        return steps

    def _line(self) -> list[Any]:
        """The pickers in the order in which the next pick asks them; spends no word."""
        left = (mix64((self.word + GAMMA) & WORD) >> 11) * 2.0**-53
        shares, places = self.load.shares, list(self.pickers.values())
        first = 0
        for i, share in enumerate(shares):
            first = i if share > 0 else first
            if left < share:
                break
            left -= share
        rest = sorted((i for i in range(len(places)) if i != first), key=lambda i: (-shares[i], i))
        return [places[i] for i in ([first, *rest] if places else [])]

    def reseed(self, seed: int) -> None:
        """Moves the draws, and the random start of every policy inside."""
        self.word = seed
        for i, picker in enumerate(self.pickers.values()):
            if hasattr(picker, "reseed"):
                picker.reseed(mix64(seed ^ i))

    def check_invariants(self) -> None:
        """Raises AssertionError where shares or a picker inside contradict themselves."""
        assert len(self.load.shares) == len(self.pickers), "one share for each locality"
        assert not self.pickers or abs(sum(self.load.shares) - 1.0) < 1e-9, "shares sum to 1"
        for picker in self.pickers.values():
            picker.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"
