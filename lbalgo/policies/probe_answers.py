"""`ProbeAnswers`: what a backend has to keep so that it can answer a probe of `Prequal`.

A probe asks how many requests are in flight, and how long one would take that came now. The first is a counter. The
second is an estimate from the requests that have ended lately, each of which remembers how many it *met* when it came.
Two ways to make it:

- *Nearest*, as in the paper: the median latency of those that met about as many as there are now. It assumes nothing of
  how latency depends on load, but knows nothing of loads it has not seen lately, and answers with what is left from
  long ago: few requests that were fast once, at a load that is rare, can attract everybody.
- *Scaled*: each latency is divided by the number it met and itself, and the mean of that is multiplied by the number
  there are and one more. That is exact where requests share the machine, right for a queue of requests that are alike,
  and does not go stale; where a backend serves many side by side without slowing, it says too much for a busy one.

Costs: O(1) a request; an answer O(1) scaled, O(history log history) nearest; memory 100 bytes a request remembered.
Source: Wydrowski, Kleinberg, Rumble, Archer, NSDI 2024, for the nearest; the scaled is ours.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.probe_pool import MOST, Probe
from lbalgo.spec import check_enum, check_integer, check_real

HISTORY = 64  # requests; as an implementation of Prequal has it
NEAR = 5  # of them, those that met about as many; ours


class Estimate(enum.Enum):
    """How a backend estimates the latency of a request to come.

    Examples
    --------
    >>> Estimate.SCALED
    Estimate.SCALED
    """

    NEAREST = "nearest"
    SCALED = "scaled"

    def __repr__(self) -> str:
        return f"Estimate.{self.name}"


class ProbeAnswers:
    """Requests in flight at this backend, and how long another would take.

    Parameters
    ----------
    estimate : how latency is estimated.
    history : how many of the requests that have ended last are remembered, 1 to 65536.
    initial : latency while none has ended, in seconds, >= 0.

    Raises
    ------
    ConfigError : a parameter is invalid; by `finished`, for what was never started.

    Requests that failed are told by `dropped`: their latency is none.

    Costs: O(1) a request; an answer O(1), or O(history log history) for the nearest.
    Source: Prequal, NSDI 2024.

    Examples
    --------
    >>> answers = ProbeAnswers()
    >>> one, two = answers.started(), answers.started()
    >>> answers.finished(one, 0.1)
    >>> answers.finished(two, 0.4)
    >>> answers.probe()  # (0.1 / 1 + 0.4 / 2) / 2
    Probe(rif=0, latency=0.15000000000000002)
    >>> met = answers.started()
    >>> answers.probe()
    Probe(rif=1, latency=0.30000000000000004)
    """

    __slots__ = ("_ended", "_since", "_sum", "estimate", "history", "initial", "rif")

    def __init__(self, estimate: Estimate = Estimate.SCALED, history: int = HISTORY, initial: float = 0.0) -> None:
        self.estimate = check_enum("estimate", estimate, Estimate)
        self.history = check_integer("history", history, low=1, high=65536)
        self.initial = check_real("initial", initial, low=0.0, high=MOST)
        self.rif = 0
        self._ended: deque[tuple[int, float]] = deque()  # how many it met, and its latency
        self._sum = 0.0  # of latency / (met + 1)
        self._since = 0  # requests since it was added up

    def started(self) -> int:
        """A request has come; returns how many it met, which `finished` asks for."""
        self.rif += 1
        return self.rif - 1

    def finished(self, met: int, latency: float) -> None:
        """A request that met so many has ended well, after so many seconds."""
        check_integer("met", met, low=0)
        latency = check_real("latency", latency, low=0.0, high=MOST)
        self.dropped()
        self._remember(met, latency)

    def dropped(self) -> None:
        """A request has ended otherwise.

        Raises
        ------
        ConfigError : none is in flight.
        """
        if self.rif == 0:
            raise ConfigError("rif", 0, "nothing is in flight")
        self.rif -= 1

    def probe(self) -> Probe:
        """The answer to a probe that comes now."""
        return Probe(self.rif, self.latency())

    def latency(self) -> float:
        """How long a request would take that came now, in seconds."""
        if not self._ended:
            return self.initial
        if self.estimate is Estimate.SCALED:
            return min(max(self._sum, 0.0) / len(self._ended) * (self.rif + 1), MOST)
        newest = list(reversed(self._ended))  # of those equally near the newest count
        return median(latency for _, latency in sorted(newest, key=lambda one: abs(one[0] - self.rif))[:NEAR])

    def _remember(self, met: int, latency: float) -> None:
        self._ended.append((met, latency))
        self._sum += latency / (met + 1)
        if len(self._ended) > self.history:
            few, took = self._ended.popleft()
            self._sum -= took / (few + 1)
            self._since += 1
            if self._since == self.history:  # anew, so that no rounding adds up
                self._sum, self._since = sum(took / (few + 1) for few, took in self._ended), 0

    def snapshot(self) -> dict[str, Any]:
        """The requests remembered, as plain data; what is in flight does not survive a process."""
        return {"type": "ProbeAnswers", "ended": [[met, latency] for met, latency in self._ended]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what a snapshot says, and nothing else that has ended.

        Raises
        ------
        ConfigError : it is something else; nothing has changed.
        """
        name, rows = "state['ended']", check_state("ProbeAnswers", state, "ended")["ended"]
        if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) and len(row) == 2 for row in rows):
            raise ConfigError(name, rows, "must be pairs of how many were met, and a latency")
        ended = [(check_integer(name, m, low=0), check_real(name, x, low=0.0, high=MOST)) for m, x in rows]
        self._ended.clear()
        self._sum, self._since = 0.0, 0
        for met, latency in ended:
            self._remember(met, latency)

    def __repr__(self) -> str:
        return f"ProbeAnswers({self.estimate!r}, {self.history}, {self.initial})"
