"""What servers say of themselves, to whom and when: reports at intervals or with every answer, and probes when asked.

A report is made from a server's *vitals* by a function, so it can be whatever the policy's load understands, and
reaches balancers by `Balancer.report`, the library's own door, some seconds after it was made. Probes go to whom the
policy names (`to_probe`, as `Prequal` has it), whenever a request has been sent and before it arrives at its server.

How long a request would take is estimated by the server: the mean of latency / (requests met + 1) over those of late,
times one more than there are now. The paper of Prequal takes the latencies of those that met about as many as there are
now; then a few low ones of the past can attract everybody.

Costs: some microseconds a report; memory 40 bytes a server.
Source: Wydrowski, Kleinberg, Rumble, Archer, NSDI 2024; Open Request Cost Aggregation (ORCA).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.policies.c3 import Feedback
from lbalgo.policies.probe_pool import Probe
from lbalgo.report import Report
from lbalgo.spec import check_real
from lbalgo.types import OUTCOME_CODES, Outcome

SUCCESS = OUTCOME_CODES[Outcome.SUCCESS]
MEMORY = 1 / 32  # weight of the newest of the latencies that a server remembers; ours


@dataclass(frozen=True)
class Vitals:
    """What a server knows of itself.

    Parameters
    ----------
    id : the server.
    jobs : requests waiting or being served.
    latency : seconds that a request would take that arrived now, as the server estimates it.
    service : seconds it would take alone, by the same estimate.
    utilisation : slots busy over slots, since its last report.
    qps, eps : answers a second since then, and those that were failures.
    now : seconds.

    Examples
    --------
    >>> probe(Vitals("a", jobs=3, latency=0.4, service=0.1, utilisation=1.0, qps=10.0, eps=0.0, now=7.0))
    Probe(rif=3, latency=0.4)
    """

    id: str
    jobs: int
    latency: float
    service: float
    utilisation: float
    qps: float
    eps: float
    now: float


def probe(vitals: Vitals) -> Probe:
    """What `Prequal` asks for."""
    return Probe(vitals.jobs, vitals.latency)


def feedback(vitals: Vitals) -> Feedback:
    """What `C3` is told with every answer."""
    return Feedback(vitals.jobs, vitals.service)


def load_report(vitals: Vitals) -> Report:
    """Utilisation and rates, as the load `Reported` has them of ORCA."""
    return Report(vitals.utilisation, vitals.qps, vitals.eps, vitals.now)


@dataclass(frozen=True)
class Reports:
    """What servers say unasked.

    Parameters
    ----------
    says : makes a report of a server's vitals.
    period : seconds between the reports of a server, to all balancers; None: with every answer, to whose it is.
    delay : seconds a report is under way, >= 0.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Reports(probe, period=1.0).delay
    0.0
    """

    says: Callable[[Vitals], object]
    period: float | None = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.says):
            raise ConfigError("says", self.says, "must be a function of Vitals")
        if self.period is not None:
            check_real("period", self.period, low=0.0, open_low=True)
        check_real("delay", self.delay, low=0.0)


@dataclass(frozen=True)
class Probes:
    """What servers say when the policy asks.

    Parameters
    ----------
    delay : seconds from the question to the answer, >= 0; the server answers at the end of them.
    says : makes the answer of a server's vitals.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Probes(delay=0.001).delay
    0.001
    """

    delay: float = 0.0
    says: Callable[[Vitals], object] = probe

    def __post_init__(self) -> None:
        check_real("delay", self.delay, low=0.0)
        if not callable(self.says):
            raise ConfigError("says", self.says, "must be a function of Vitals")


class Telling:
    """The servers' side of reports and probes in one run."""

    def __init__(self, run: Any) -> None:
        scenario, n = run.scenario, len(run.ids)
        self.run, self.engine, self.stations = run, run.engine, run.stations
        self.reports: Reports | None = scenario.reports
        self.probes: Probes | None = scenario.probes
        groups = [group for group in scenario.servers for _ in range(group.count)]
        self.slots = [group.slots for group in groups]
        self.service = [scenario.service.mean / group.speed for group in groups]
        self.since, self.busy = [0.0] * n, [0.0] * n
        self.answers, self.failures = [0] * n, [0] * n
        if self.probes is not None and not hasattr(scenario.policy, "to_probe"):
            raise ConfigError("probes", self.probes, "needs a policy that says whom to probe, such as Prequal")
        if self.reports is not None and self.reports.period is not None:
            self._every(self.reports.period)

    def vitals(self, server: int, now: float) -> Vitals:
        """What the server knows of itself; rates count from here on anew."""
        jobs = self.stations.present(server)
        busy, span = self.stations.areas(server, now)[0], now - self.since[server]
        used = (busy - self.busy[server]) / (span * self.slots[server]) if span > 0.0 else 0.0
        qps, eps = (n / span if span > 0.0 else 0.0 for n in (self.answers[server], self.failures[server]))
        self.since[server], self.busy[server] = now, busy
        self.answers[server] = self.failures[server] = 0
        service = self.service[server]
        return Vitals(self.run.ids[server], jobs, service * (jobs + 1), service, min(used, 1.0), qps, eps, now)

    def _every(self, period: float) -> None:
        def say(now: float) -> None:
            assert self.reports is not None
            said = [self.reports.says(self.vitals(server, now)) for server in range(len(self.run.ids))]
            for client in range(len(self.run.balancers)):
                self._after(self.reports.delay, lambda _, client=client: self._hand_on(client, range(len(said)), said))  # type: ignore[misc]
            self.engine.plan(now + period, say)

        self.engine.plan(self.engine.now + period, say)

    def _after(self, delay: float, what: Callable[[float], object]) -> None:
        if delay > 0.0:
            self.engine.plan(self.engine.now + delay, what)
        else:
            what(self.engine.now)

    def _hand_on(self, client: int, servers: Any, said: Any) -> None:
        balancer = self.run.balancers[client]
        members = set(balancer.view.ids)
        for server, report in zip(servers, said, strict=True):
            if self.run.ids[server] in members:
                balancer.report(self.run.ids[server], report)

    def sent(self, client: int) -> None:
        """A request is on its way to its server."""
        if self.probes is None:
            return
        policy, picker = self.run.scenario.policy, self.run.balancers[client].picker
        asked = [self.run.index[backend.id] for backend in policy.to_probe(picker)]
        says = self.probes.says
        self._after(
            self.probes.delay,
            lambda now: self._hand_on(client, asked, [says(self.vitals(server, now)) for server in asked]),
        )

    def answered(self, client: int, server: int, code: int, took: float, met: int) -> None:
        """A server has answered, after so many seconds, a request that met so many others."""
        self.answers[server] += 1
        if code == SUCCESS:
            self.service[server] += MEMORY * (took / (met + 1) - self.service[server])
        else:
            self.failures[server] += 1
        if self.reports is not None and self.reports.period is None:
            report = self.reports.says(self.vitals(server, self.engine.now))
            self._after(self.reports.delay, lambda _: self._hand_on(client, [server], [report]))
