"""The engine of Envoy's outlier detector: counts, ejections and ticks, on instants that whoever drives it gives.

`lbalgo.compat.envoy.outlier_detector` drives it and says what it does. Instants are nanoseconds of one timeline.
"""

from __future__ import annotations

from collections.abc import Callable

from lbalgo.active import mix64
from lbalgo.compat.envoy.outlier import Action, EjectionType, OutlierDetection, OutlierEvent
from lbalgo.compat.envoy.outlier_monitor import Monitor
from lbalgo.compat.envoy.outlier_rates import verdicts
from lbalgo.reference.hashing import GAMMA, WORD
from lbalgo.signals.timeline import nanoseconds

MILLISECOND = 10**6  # nanoseconds
GATEWAY = (502, 503, 504)


class Engine:
    """Counts, ejections and ticks of one cluster.

    Parameters
    ----------
    spec : settings.

    Attributes
    ----------
    ids, monitors : of the hosts, by slot.
    active : Envoy's number of hosts that are out; with quirks it can leak.
    draws : random words used so far.
    stats : Envoy's counters by name.
    events : not yet taken, with their instants in place of `now`.
    moved : whether a host has gone out or come back, or a flag has changed, since whoever reads it set it back.
    """

    def __init__(self, spec: OutlierDetection) -> None:
        self.spec = spec
        self.ids: list[str] = []
        self.monitors: list[Monitor] = []
        self.active = 0
        self.draws = 0
        self.stats: dict[str, int] = {}
        self.events: list[tuple[int, OutlierEvent]] = []
        self.moved = True
        self._interval = nanoseconds(spec.interval)
        self._base, self._cap = nanoseconds(spec.base_ejection_time), nanoseconds(spec.longest)

    @property
    def quiet(self) -> bool:
        """Whether ticks change nothing, as long as nothing is counted."""
        return all(monitor.quiet for monitor in self.monitors)

    def local(self, slot: int, instant: int, *, failed: bool) -> None:
        """Something happened without an answer of the host, and local errors are split off."""
        monitor = self.monitors[slot]
        monitor.local[1] += 1
        if not failed:
            monitor.local[0] += 1
            monitor.run_local = 0
            return
        monitor.run_local += 1
        if monitor.run_local == self.spec.consecutive_local_origin_failure:
            self._fire(slot, EjectionType.CONSECUTIVE_LOCAL_ORIGIN_FAILURE, instant)

    def respond(self, slot: int, code: int, instant: int) -> None:
        """The host answered with this status, or that counts as if."""
        monitor, spec = self.monitors[slot], self.spec
        monitor.external[1] += 1
        if code < 500:
            monitor.external[0] += 1
            monitor.run_5xx = monitor.run_gateway = 0
            return
        monitor.run_gateway = monitor.run_gateway + 1 if code in GATEWAY else 0
        if monitor.run_gateway and monitor.run_gateway == spec.consecutive_gateway_failure:
            self._fire(slot, EjectionType.CONSECUTIVE_GATEWAY_FAILURE, instant)
        monitor.run_5xx += 1
        if monitor.run_5xx == spec.consecutive_5xx:
            self._fire(slot, EjectionType.CONSECUTIVE_5XX, instant)

    def _fire(self, slot: int, kind: EjectionType, instant: int) -> None:
        """A run has reached its threshold. While the host is out nothing happens, and the run goes on."""
        monitor = self.monitors[slot]
        if monitor.ejected:
            return
        self._eject(slot, kind, instant)
        if kind is EjectionType.CONSECUTIVE_5XX:
            monitor.run_5xx = 0
        elif kind is EjectionType.CONSECUTIVE_GATEWAY_FAILURE:
            monitor.run_gateway = 0
        else:
            monitor.run_local = 0

    def _eject(self, slot: int, kind: EjectionType, instant: int, rates: tuple[int, ...] = ()) -> None:
        spec, monitor = self.spec, self.monitors[slot]
        self._count(f"ejections_detected_{kind.stat}")
        plain = kind in (EjectionType.CONSECUTIVE_5XX, EjectionType.SUCCESS_RATE)  # older counters know these two only
        if plain:
            self._count(f"ejections_{kind.stat}")
        room = 100.0 * (self.active + 1) / len(self.monitors) <= spec.max_ejection_percent
        if not room and not (spec.always_eject_one_host and self.active == 0):
            self._count("ejections_overflow")
            return
        if plain:
            self._count("ejections_total")
        enforced = self._chance(spec.enforcing(kind))
        if enforced:
            self._count("ejections_enforced_total")
            self._count(f"ejections_enforced_{kind.stat}")
            self.active += 1
            monitor.ejected, monitor.ejected_at = True, instant
            monitor.num_ejections += 1
            jitter = nanoseconds(spec.max_ejection_time_jitter) // MILLISECOND
            monitor.jitter = self._draw() % (jitter + 1) * MILLISECOND if jitter else 0
            if monitor.backoff * self._base < self._cap + self._base:
                monitor.backoff += 1
        self._tell(slot, kind, Action.EJECT, enforced, instant, rates)

    def uneject(self, slot: int, instant: int) -> None:
        """The host is back."""
        monitor = self.monitors[slot]
        self.active -= 1
        monitor.ejected, monitor.unejected_at = False, instant
        monitor.run_5xx = monitor.run_gateway = monitor.run_local = 0
        self._tell(slot, EjectionType.CONSECUTIVE_5XX, Action.UNEJECT, True, instant)

    def degrade(self, slot: int, instant: int) -> None:
        """An answer of the host was marked as degraded."""
        monitor = self.monitors[slot]
        if not monitor.degraded:
            self._count("ejections_detected_degradation")
            monitor.degraded, monitor.degraded_at = True, instant
            monitor.degradations += monitor.degradations * self._base < self._cap + self._base
            self._tell(slot, EjectionType.DEGRADED, Action.EJECT, True, instant)

    def _tell(
        self, slot: int, kind: EjectionType, action: Action, enforced: bool, instant: int, rates: tuple[int, ...] = ()
    ) -> None:
        monitor = self.monitors[slot]
        last = monitor.unejected_at if action is Action.EJECT else monitor.ejected_at
        since = None if last is None else (instant - last) // 10**9
        rate, mean, threshold = (*rates, None, None, None)[:3]
        times = monitor.num_ejections
        self.moved = True
        event = OutlierEvent(0.0, self.ids[slot], kind, action, enforced, times, rate, mean, threshold, since)
        self.events.append((instant, event))

    def tick(self, instant: int) -> None:
        """An interval has ended; see `lbalgo.compat.envoy.outlier_detector` for what happens in which order."""
        self.moved = True
        returned = set()
        for slot, monitor in enumerate(self.monitors):
            if monitor.ejected and self._over(monitor.ejected_at, monitor.backoff, monitor.jitter, instant):
                self.uneject(slot, instant)
                returned.add(slot)
            if monitor.degraded and self._over(monitor.degraded_at, monitor.degradations, 0, instant):
                monitor.degraded = False
            monitor.end_interval()
        self._judge(instant, returned, lambda m: m.ended_external, local=False)
        if self.spec.split_external_local_origin_errors:
            self._judge(instant, returned, lambda m: m.ended_local, local=True)
        for monitor in self.monitors:
            at = monitor.unejected_at
            if not monitor.ejected and at is not None and instant - at >= self._interval:
                monitor.backoff = max(0, monitor.backoff - 1)

    def _over(self, since: int | None, backoff: int, jitter: int, instant: int) -> bool:
        return since is not None and min(self._base * backoff, self._cap) + jitter <= instant - since

    def _judge(self, instant: int, returned: set[int], counts: Callable[[Monitor], list[int]], *, local: bool) -> None:
        quirks = self.spec.quirks
        readable = {
            slot: (counts(m)[0], counts(m)[1])
            for slot, m in enumerate(self.monitors)
            if not m.ejected and counts(m)[1] and (quirks or slot not in returned)
        }
        for verdict in verdicts(self.spec, len(self.monitors), readable, local=local):
            if quirks or not self.monitors[verdict.slot].ejected:
                self._eject(verdict.slot, verdict.kind, instant, verdict.rates)

    def _chance(self, percent: int) -> bool:
        return percent >= 100 or (percent > 0 and self._draw() % 100 < percent)

    def _draw(self) -> int:
        self.draws += 1
        return mix64((self.spec.seed + self.draws * GAMMA) & WORD)

    def _count(self, name: str) -> None:
        self.stats[name] = self.stats.get(name, 0) + 1
