"""Health checks in a run: the probes of every `ActiveHealth` among the signals travel, are answered, and are reported.

A probe is sent when the library says that it is due. It takes the network's time there and back, if there is a network,
and is answered by the state in which it finds its server: one that is down refuses; one whose speed is 0 says nothing;
one that fails fast, or is faulty, errs as often as it errs with requests; any other passes. Probes do not queue with
requests, as health pages mostly have threads of their own: `work` is what one costs.

Costs: some 20 us a probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lbalgo.active import Stream
from lbalgo.signals import ActiveHealth, HttpCheck, Verdict
from lbalgo.spec import check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.types import Outcome

PASSED, REFUSED = Verdict(True), Verdict(False, "refused")
OUTCOMES = tuple(Outcome)
STATUS = {Outcome.SERVER_ERROR: 500, Outcome.GATEWAY_ERROR: 502, Outcome.OVERLOADED: 503}


@dataclass(frozen=True)
class Checks:
    """What a health check costs the server.

    Parameters
    ----------
    work : seconds until it is answered at speed 1, >= 0.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Checks(work=0.01)
    Checks(work=0.01)
    """

    work: float = 0.0

    def __post_init__(self) -> None:
        check_real("work", self.work, low=0.0)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


class Checking:
    """Who carries the probes of one run.

    Parameters
    ----------
    run : the run, with its engine, stations and balancers.
    signals : of each client.
    coins : stream that decides which probes a server fails.
    """

    def __init__(self, run: Any, signals: list[list[Any]], coins: Stream) -> None:
        self.run, self.engine, self.stations, self.coins = run, run.engine, run.stations, coins
        self.work = run.scenario.checks.work
        self.probers = [[signal for signal in each if isinstance(signal, ActiveHealth)] for each in signals]
        self.planned: list[float | None] = [None] * len(signals)
        for client, probers in enumerate(self.probers):
            if probers:
                self._turn(client, 0.0)

    def _turn(self, client: int, now: float) -> None:
        """All that is due is sent, and the next turn is planned."""
        balancer = self.run.balancers[client]
        balancer.advance(now)
        for prober in self.probers[client]:
            for probe in prober.take(now):
                self._send(client, probe, now)
        due, planned = balancer.advance(now), self.planned[client]
        if due is not None and (planned is None or planned <= now or due < planned):
            self.planned[client] = max(due, now)
            self.engine.plan(self.planned[client], lambda then: self._turn(client, then))

    def _send(self, client: int, probe: Any, now: float) -> None:
        server, net = self.run.index[probe.id], self.engine.net
        there = 0.0 if net is None else net.there(client, server)
        self.engine.plan(now + there, lambda then: self._asked(client, server, probe, then))

    def _asked(self, client: int, server: int, probe: Any, now: float) -> None:
        """The probe has arrived; what it finds decides."""
        engine, speed = self.engine, self.stations.speed(server)
        if not self.stations.up(server):
            verdict, after = REFUSED, 0.0
        elif engine.failing[server] > 0.0 and self.coins.uniform() < engine.failing[server]:
            verdict, after = _failed(probe.check, engine.fail_code[server]), engine.fails_after[server]
        elif speed == 0.0:
            return  # nobody will ever answer
        elif engine.faulty[server] > 0.0 and self.coins.uniform() < engine.faulty[server]:
            verdict, after = _failed(probe.check, engine.fault_code[server]), self.work / speed
        else:
            verdict, after = PASSED, self.work / speed
        back = 0.0 if engine.net is None else engine.net.back(client, server)
        engine.plan(now + after + back, lambda then: self._answered(client, probe, verdict, then))

    def _answered(self, client: int, probe: Any, verdict: Verdict, now: float) -> None:
        balancer = self.run.balancers[client]
        if probe.id in balancer.view.ids:
            balancer.report(probe.id, probe.result(verdict))
        self._turn(client, now)


def _failed(check: Any, code: int) -> Verdict:
    """A failure of this kind, as the check sees it."""
    outcome = OUTCOMES[code]
    if isinstance(check, HttpCheck) and outcome in STATUS:
        seen: Verdict = check.judge(STATUS[outcome])
        return seen
    return Verdict(False, outcome.value)
