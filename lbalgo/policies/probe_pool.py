"""`ProbePool`: the answers to probes that a `Prequal` client holds, and how its backends have answered requests lately.

*Probes.* One to a backend: a newer answer replaces the older. A probe is dropped when it is older than `age`, when its
uses are spent, when the pool is full and another comes (the oldest goes), and, so that the pool does not fill up with
what nobody wants, after so many requests: the oldest and the worst in turn, the worst being the hot probe of most
requests in flight, or, where none is hot, the one of greatest latency. Whoever is sent a request has one more in flight
at once, probe or not yet another.

*Uses.* Each probe may serve so many requests on average that the pool neither runs dry nor goes stale:

    reuse = max(1, (1 + delta) / ((1 - m / n) * probes - remove))

for m places, n backends, and so many probes sent and removed a request; without bound where the denominator is not
positive. It is rounded up and down so that the sum over all probes is right; the paper draws which.

*Errors.* A backend that fails at once looks idle and fast. So the share of failures among its answers is kept: with
`tau` an answer is forgotten to 1/e, and `PRIOR` good answers are added, so that one failure is no verdict. Above
`aversion` the backend is *averse*: it comes after all others, probed or not. The more often it failed the longer: one
that failed twice in a row is out for tau * ln 1.6 = 0.47 tau, one that failed a hundred times for 4.4 tau.

Costs: O(1) an event, O(m) for each second removal; memory 200 bytes a probe, and as much for each backend that failed.
Source: Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: introducing Prequal", NSDI 2024; the
rule about errors is ours, the paper says only that it has one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.walked import OpenRequests
from lbalgo.spec import check_integer, check_real, check_row
from lbalgo.types import Outcome

PRIOR = 5.0  # good answers every backend is given; ours
MOST = 1e15  # greatest number of requests, and seconds, that a probe may say


@dataclass(frozen=True)
class Probe:
    """What a backend answers to a probe.

    Parameters
    ----------
    rif : requests in flight at the backend, >= 0.
    latency : what a request would take there now, in seconds, >= 0.

    Raises
    ------
    ConfigError : a number is not finite, or negative.

    Source: Prequal, NSDI 2024.

    Examples
    --------
    >>> Probe(rif=3, latency=0.25)
    Probe(rif=3, latency=0.25)
    """

    rif: float
    latency: float

    def __post_init__(self) -> None:
        check_real("rif", self.rif, low=0.0, high=MOST)
        check_real("latency", self.latency, low=0.0, high=MOST)


def reuse_budget(probes: float, remove: float, pool: int, backends: int, delta: float = 1.0) -> float:
    """How many requests a probe may serve on average; infinite where nothing wears the pool out.

    Parameters
    ----------
    probes : sent for a request, > 0.
    remove : removed from the pool for a request, >= 0.
    pool : places in it.
    backends : in all, >= 1.
    delta : by how much more than it needs the pool is used, >= 0.

    Examples
    --------
    >>> [round(reuse_budget(p, r, 16, 100), 2) for p, r in ((3, 1), (1, 0.25), (0.5, 0.25), (0.25, 0.25))]
    [1.32, 3.39, 11.76, inf]
    """
    surplus = (1.0 - pool / backends) * probes - remove
    return max(1.0, (1.0 + delta) / surplus) if surplus > 0.0 else math.inf


def hot_above(loads: Sequence[float], quantile: float) -> float:
    """The load above which one is hot: of k sorted loads the one at floor(quantile * (k - 1)).

    Examples
    --------
    >>> [hot_above([5, 1, 4, 2, 3], q) for q in (0.0, 0.5, 0.7, 1.0)]
    [1, 3, 3, 5]
    """
    return sorted(loads)[math.floor(quantile * (len(loads) - 1))]


class Held:
    """A probe in the pool: what it said, when it came (seconds), and how often it may still serve."""

    __slots__ = ("came", "latency", "left", "rif")

    def __init__(self, rif: float, latency: float, came: float, left: float) -> None:
        self.rif, self.latency, self.came, self.left = rif, latency, came, left


class ProbePool:
    """The live load of `Prequal`, made by its `start`.

    Parameters
    ----------
    spec : the policy.

    Attributes
    ----------
    held : the probes by row, the oldest first.
    backends : how many there are to probe; a picker that is built says so.
    owed : probes to send for the requests since some were last taken; at most as many as the pool has places.
    """

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.held: dict[int, Held] = {}
        self.backends = 0
        self.owed = 0.0
        self._open = OpenRequests()
        self._to_remove = self._uses = 0.0
        self._oldest = True
        self._answers: dict[int, tuple[float, float, float]] = {}  # failures, answers, when last (seconds)

    @property
    def latest(self) -> float:
        """The latest instant it was told, in seconds."""
        return self._open.latest

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        row = self._open.started(row, cost, now)
        self._expire()
        probe = self.held.get(row)
        if probe is not None:
            probe.rif += 1.0
            probe.left -= 1.0
            if probe.left < 1.0:
                del self.held[row]
        self.owed = min(self.owed + self.spec.probes, float(self.spec.pool))
        self._to_remove += self.spec.remove
        while self._to_remove >= 1.0:
            self._to_remove -= 1.0
            self._remove()

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds); what was cancelled says nothing."""
        row, _ = self._open.finished(row, outcome, latency, now, cost)
        self._expire()
        if outcome is not Outcome.CANCELLED:
            failed, answers = self._recent(row)
            self._answers[row] = failed + (outcome is not Outcome.SUCCESS), answers + 1.0, self.latest

    def reported(self, row: int, probe: Any, now: float) -> None:
        """The backend in `row` has answered a probe, at `now` (seconds).

        Raises
        ------
        ConfigError : `probe` is no `Probe`; the row or `now` is invalid.
        """
        row = check_row(row)
        if not isinstance(probe, Probe):
            raise ConfigError("report", probe, "must be a Probe")
        self.advance(now)
        left, spec = math.inf, self.spec
        reuse = reuse_budget(spec.probes, spec.remove, spec.pool, max(self.backends, 1), spec.delta)
        if reuse < math.inf:
            self._uses += reuse
            left = float(math.floor(self._uses))
            self._uses -= left
        self.held.pop(row, None)
        if len(self.held) == spec.pool:
            del self.held[next(iter(self.held))]
        self.held[row] = Held(float(probe.rif), float(probe.latency), self.latest, left)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self._open.advance(now)
        self._expire()

    def at(self, row: int) -> float:
        """Requests in flight at the backend in `row` as its probe has it; without one, those of this client."""
        row = check_row(row)
        return self.held[row].rif if row in self.held else float(self._open.count(row))

    def averse(self, row: int) -> bool:
        """Whether the backend in `row` has failed too often lately."""
        if row not in self._answers:
            return False
        failed, answers = self._recent(row)
        return bool(failed > self.spec.aversion * (answers + PRIOR))

    def take(self, most: int) -> int:
        """How many probes to send now, whole ones, at most so many; they are owed no more."""
        due = min(math.floor(self.owed), most)
        self.owed -= due
        return due

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is known of it."""
        row = self._open.restart(row)
        self.held.pop(row, None)
        self._answers.pop(row, None)

    def _recent(self, row: int) -> tuple[float, float]:
        """Failures and answers, as far as they are remembered now."""
        failed, answers, when = self._answers.get(row, (0.0, 0.0, self.latest))
        kept = math.exp((when - self.latest) / self.spec.tau)
        return failed * kept, answers * kept

    def _expire(self) -> None:
        while self.held:
            oldest = next(iter(self.held))
            if self.latest - self.held[oldest].came <= self.spec.age:
                return
            del self.held[oldest]

    def _remove(self) -> None:
        """The oldest and the worst, in turn."""
        if not self.held:
            return
        if self._oldest:
            del self.held[next(iter(self.held))]
        else:
            line = hot_above([probe.rif for probe in self.held.values()], self.spec.quantile)
            hot = any(probe.rif > line for probe in self.held.values())
            worst = max(self.held, key=lambda row: self.held[row].rif if hot else self.held[row].latency)
            del self.held[worst]
        self._oldest = not self._oldest

    def snapshot(self) -> dict[str, Any]:
        """How the backends have answered, with ages in seconds; probes are too short-lived to be kept."""
        rows = [[row, *self._recent(row)] for row in self._answers]
        return {"type": "Prequal", "answers": rows}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds), and nothing else of answers and probes.

        Raises
        ------
        ConfigError : it is something else; nothing has changed.
        """
        rows = check_state("Prequal", state, "answers")["answers"]
        if not isinstance(rows, Sequence) or not all(isinstance(known, Sequence) and len(known) == 3 for known in rows):
            raise ConfigError("state['answers']", rows, "must be rows, each with failures and answers")
        name, known = "state['answers']", dict[int, tuple[float, float]]()
        for row, failed, answers in rows:
            total = check_real(name, answers, low=0.0, high=MOST)
            known[check_integer(name, row, low=0, high=2**31 - 1)] = (
                check_real(name, failed, low=0.0, high=total),
                total,
            )
        self.advance(now)
        self.held.clear()
        self._answers = {row: (*counts, self.latest) for row, counts in known.items()}

    def check_invariants(self) -> None:
        """Raises AssertionError where the pool contradicts itself."""
        came = [probe.came for probe in self.held.values()]
        assert len(came) <= self.spec.pool, "no more probes than places"
        assert came == sorted(came), "the oldest comes first"
        assert all(self.latest - when <= self.spec.age for when in came), "none is too old"
        assert all(probe.left >= 1.0 for probe in self.held.values()), "each may serve once more"
        assert 0.0 <= self.owed <= self.spec.pool and 0.0 <= self._to_remove < 1.0 and 0.0 <= self._uses < 1.0

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"
