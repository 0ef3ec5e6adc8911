"""`run`: from a scenario to its result.

What is made here: the engine with its queue and stations, the stream of random numbers for each purpose, and who
chooses. Pickers with nothing around them the engine calls by itself; for all else there is one `Balancer` for each
client, told virtual time. Which of the two it is cannot be seen in a result, only in how long it takes: tests compare
them bit for bit.

Costs: about 45 ns an event where compiled pickers choose, 300 where a `Balancer` does, more if it has signals
(`python -m benchmarks.simulator`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from lbalgo.active import (
    Balancer,
    Engine,
    EventQueue,
    ForeignLoad,
    LoadPicker,
    LoadState,
    Stations,
    Stream,
    TicketPicker,
    VirtualClock,
)
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.estimators import LogHistogram
from lbalgo.sim.changes import MEMBERSHIP
from lbalgo.sim.checking import Checking
from lbalgo.sim.courses import Courses, reason
from lbalgo.sim.happening import Happening
from lbalgo.sim.network import Travel
from lbalgo.sim.result import Result
from lbalgo.sim.scenario import Scenario
from lbalgo.sim.telling import Telling
from lbalgo.types import F64, OUTCOME_CODES, Outcome
from lbalgo.view import View

ARRIVALS, WORK, CLIENTS, KEYS, COSTS, COINS, CHOICES, COPIES, NETWORK, CHECKS = range(10)  # purposes of streams
STRETCH = 1 << 17  # events between two reports of progress, and two looks at whether somebody has pressed Ctrl-C
OUTCOMES = tuple(Outcome)
CALLED_OFF = OUTCOME_CODES[Outcome.TIMEOUT]  # this and the next one are the client's words, not the server's
LOW, HIGH, STEPS = 2.0**-30, 2.0**40, 32  # seconds that a histogram tells apart, and its buckets to a doubling: 1.1 %
SHIFT = 45  # bits of a latency that are dropped before it is tallied; 7 are left of its fraction: .4 %
LEAST, MOST = (int(np.array(edge).view(np.int64)) >> SHIFT for edge in (LOW, HIGH))


def run(scenario: Scenario, *, progress: Callable[[float], object] | None = None) -> Result:
    """Simulates a scenario.

    Parameters
    ----------
    scenario : what is simulated.
    progress : called now and then with the fraction that is done.

    Raises
    ------
    ConfigError : the scenario asks for what its policy cannot give.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.sim import Poisson, Scenario
    >>> scenario = Scenario(lb.PowerOfTwo(), servers=10, arrivals=Poisson(8.0), duration=100.0)
    >>> run(scenario).fingerprint() == run(scenario).fingerprint()
    True
    """
    return Run(scenario).go(progress)


class Run:
    """One run of a scenario, as far as it has come.

    Attributes
    ----------
    engine, stations, clock : the parts that move.
    pickers, balancers : who chooses, one for each client; one of the two is empty.
    """

    def __init__(self, scenario: Scenario, *, by_balancers: bool = False) -> None:
        if not isinstance(scenario, Scenario):
            raise ConfigError("scenario", scenario, "must be a Scenario")
        self.scenario = scenario
        self.ids = [endpoint.id for endpoint in scenario.endpoints]
        self.index = {id: i for i, id in enumerate(self.ids)}
        groups = [group for group in scenario.servers for _ in range(group.count)]
        queue, self.clock = EventQueue(), VirtualClock()
        self.stations = Stations(
            queue,
            [group.slots for group in groups],
            [group.sharing for group in groups],
            [group.speed for group in groups],
            [-1 if group.queue_limit is None else group.queue_limit for group in groups],
        )
        self.kept: list[Any] = []
        self.histogram = LogHistogram(LOW, HIGH, STEPS) if scenario.histogram else None
        self.tally = np.zeros(MOST - LEAST + 1, dtype=np.int64)
        keys = scenario.keys
        self.engine = Engine(
            queue,
            self.stations,
            self.clock,
            _feed(scenario).__next__,
            self._take,
            stop=scenario.duration,
            warm=scenario.warmup,
            coins=Stream(scenario.seed, COINS),
            names=None if keys is None else keys.names(),
            keys=0 if keys is None else keys.count,
        )
        if scenario.rows:
            self.engine.rows = []
        if scenario.network is not None:
            places = [(endpoint.id, endpoint.zone) for endpoint in scenario.endpoints]
            self.engine.net = Travel(scenario.network, places, Stream(scenario.seed, NETWORK))
        self.events: list[tuple[int, Any]] = []
        self.pickers: list[Any] = []
        self.balancers: list[Any] = []
        seeds = Stream(scenario.seed, CHOICES).words(scenario.clients).tolist()
        if by_balancers or not self._directly(seeds):
            self._by_balancers(seeds)
        self.happening = Happening(self)

    def _directly(self, seeds: list[int]) -> bool:
        """Whether pickers choose with nobody in between."""
        scenario = self.scenario
        around = scenario.signals or scenario.gates or scenario.costs is not None or scenario.trying
        around = around or scenario.reports is not None or scenario.probes is not None
        if around or any(isinstance(change, MEMBERSHIP) for change in scenario.changes):
            return False
        view = View.of(scenario.endpoints, panic_below=scenario.panic_below)
        if not view.eligible.any():
            return False  # refusals are a balancer's business
        for seed in seeds:
            picker = scenario.policy.build(view)
            if hasattr(picker, "reseed"):
                picker.reseed(seed)
            self.pickers.append(picker)
        if all(type(picker) in (LoadPicker, TicketPicker) and picker.view.ids == view.ids for picker in self.pickers):
            self.engine.choose_by(self.pickers)
        else:
            self.engine.pick_by(self.pickers, [_load(picker) for picker in self.pickers], self.index)
        return True

    def _by_balancers(self, seeds: list[int]) -> None:
        scenario = self.scenario
        self.pickers = []
        self.gates = [[make() for make in scenario.gates] for _ in seeds]
        signals = [[make() for make in scenario.signals] for _ in seeds]
        self.balancers = [
            Balancer(
                scenario.policy,
                scenario.at_first,
                signals=signals[client],
                gates=self.gates[client],
                clock=self.clock,
                seed=seed,
                panic_below=scenario.panic_below,
                on_event=self._hears(client),
            )
            for client, seed in enumerate(seeds)
        ]
        self.events.clear()
        self.telling = Telling(self) if scenario.reports is not None or scenario.probes is not None else None
        self.engine.ask(self._acquire, self._done)
        Checking(self, signals, Stream(scenario.seed, CHECKS))
        if scenario.trying:
            self.engine.course = Courses(self, Stream(scenario.seed, COPIES))

    def _hears(self, client: int) -> Callable[[Any], object]:
        return lambda event: self.events.append((client, event))

    def _acquire(self, client: int, key: Any, cost: float) -> Any:
        try:
            lease = self.balancers[client].acquire(key, cost=cost)
        except NoBackend as refusal:
            return reason(refusal)
        server = self.index[lease.backend.id]
        return server, self.token(client, server, lease)

    def token(self, client: int, server: int, lease: Any) -> Any:
        """What `_done` needs to know of a request that is about to be sent."""
        if self.telling is None:
            return lease
        self.telling.sent(client)
        return client, lease, self.clock.now, self.stations.present(server)

    def _done(self, token: Any, server: int, code: int) -> None:
        if self.telling is None:
            token.done(OUTCOMES[code])
        else:
            client, lease, began, met = token
            lease.done(OUTCOMES[code])
            if code < CALLED_OFF:
                self.telling.answered(client, server, code, self.clock.now - began, met)

    def _take(self, latencies: Any) -> None:
        if self.histogram is None:
            self.kept.append(np.array(latencies))
        else:
            bits = np.array(latencies).view(np.int64) >> SHIFT
            self.tally += np.bincount(np.clip(bits, LEAST, MOST) - LEAST, minlength=len(self.tally))

    def kept_as(self) -> tuple[F64, LogHistogram | None]:
        """All latencies, or the histogram of them."""
        if self.histogram is not None:
            found = np.flatnonzero(self.tally)
            middles = ((found + LEAST << SHIFT) + (1 << SHIFT - 1)).view(np.float64)
            for value, times in zip(middles.tolist(), self.tally[found].tolist(), strict=True):
                self.histogram.add(value, times)
            self.tally[:] = 0
        return np.concatenate(self.kept) if self.kept else np.empty(0), self.histogram

    def go(self, progress: Callable[[float], object] | None = None) -> Result:
        """The rest of the run, and its result."""
        while self.engine.go(STRETCH):
            if progress is not None:
                progress(self.engine.now / self.scenario.duration)
        if progress is not None:
            progress(1.0)
        return self.happening.result()


def _load(picker: Any) -> LoadState | None:
    """The picker's load as the engine can tell it."""
    load = getattr(picker, "load", None)
    return load if load is None or isinstance(load, LoadState) else ForeignLoad(load)


def _values(distribution: Any, stream: Stream) -> Callable[[int], F64]:
    """What gives the next n values: drawn, or in an order of their own."""
    return distribution.start(stream) if hasattr(distribution, "start") else partial(distribution.draw, stream)


def _feed(scenario: Scenario) -> Iterator[Any]:
    """Blocks of requests until the run's end, and None from then on."""
    seed, m = scenario.seed, scenario.clients
    clients = Stream(seed, CLIENTS)
    work = _values(scenario.service, Stream(seed, WORK))
    costs = None if scenario.costs is None else _values(scenario.costs, Stream(seed, COSTS))
    draw = None if scenario.keys is None else scenario.keys.start(Stream(seed, KEYS))
    for instants in scenario.arrivals.start(Stream(seed, ARRIVALS)):
        times = np.ascontiguousarray(instants[: int(np.searchsorted(instants, scenario.duration, side="right"))])
        n = len(times)
        if n:
            yield (
                times,
                work(n),
                (clients.uniforms(n) * m).astype(np.int64) if m > 1 else None,
                None if draw is None else draw(times),
                None if costs is None else costs(n),
            )
        if n < len(instants):
            break
    while True:
        yield None
