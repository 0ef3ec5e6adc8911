"""`Result`: what a run has come to; counts, latencies, and a column for every fact about the servers.

*Measured* are the requests that ended after the warm-up. To go by their end and not by their beginning is what makes
the mean honest: of those that began in time, the longest would not have ended when the run does. Latencies are those of
measured requests that succeeded, from arrival to answer, in the order in which they ended.

Source: Law, Kelton, *Simulation Modeling and Analysis*, 9.5, for batch means; Nearest rank for quantiles: the least
latency such that at least a fraction q of all is no greater.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from lbalgo.active import xxh64
from lbalgo.errors import ConfigError
from lbalgo.estimators import LogHistogram
from lbalgo.events import Ejected
from lbalgo.sim.intervals import Interval, interval
from lbalgo.spec import check_integer, check_real
from lbalgo.types import F64, I64, Outcome

BATCHES = 20  # few enough that batches are long and so nearly independent, enough for the t quantile to be near 2


@dataclass(frozen=True, eq=False)
class Result:
    """What a run has come to.

    Parameters
    ----------
    ids : the servers.
    duration, warmup : of the scenario, seconds.
    arrived, ended, refused : requests of the whole run; `refused` have been sent to nobody.
    events : things that have happened: arrivals, ends, and whatever was planned.
    outcomes : measured requests by how they ended.
    refusals : measured requests that were sent to nobody, by reason.
    latencies : seconds; empty if there is a histogram.
    histogram : the latencies, or None.
    received, answered : by server, of the whole run: requests sent to it, and its answers, a column for each `Outcome`.
    busy, jobs : by server, after the warm-up: integrals over time of slots busy and of requests present.
    slots, most, present : by server: its slots, the most requests there ever were, and those there are at the end.
    times, busy_over_time, jobs_over_time : instants of the samples, and by sample and server the mean slots busy and
        requests present since the one before.
    repeated, moved : requests whose key had been seen before, and those of them that went elsewhere than the last one.
    happened : (client, event) for everything that its balancer said after it was made.
    rows : (arrived, ended, client, key's number or -1, server or -1, outcome's code or reason) by request; or None.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.sim import Poisson, Scenario, run
    >>> result = run(Scenario(lb.Random(), servers=2, arrivals=Poisson(1.0), duration=50_000.0, warmup=1000.0, seed=1))
    >>> 2.0 in result.interval()  # two M/M/1 at utilisation 1/2
    True
    """

    ids: tuple[str, ...]
    duration: float
    warmup: float
    arrived: int
    ended: int
    refused: int
    events: int
    outcomes: dict[Outcome, int]
    refusals: dict[str, int]
    latencies: F64 = field(repr=False)
    histogram: LogHistogram | None = field(repr=False)
    received: I64 = field(repr=False)
    answered: I64 = field(repr=False)
    busy: F64 = field(repr=False)
    jobs: F64 = field(repr=False)
    slots: I64 = field(repr=False)
    most: I64 = field(repr=False)
    present: I64 = field(repr=False)
    times: F64 = field(repr=False)
    busy_over_time: F64 = field(repr=False)
    jobs_over_time: F64 = field(repr=False)
    repeated: int
    moved: int
    happened: tuple[tuple[int, Any], ...] = field(repr=False)
    rows: tuple[tuple[Any, ...], ...] | None = field(repr=False)

    @property
    def in_system(self) -> int:
        """Requests that have neither ended nor been refused when the run ends."""
        return self.arrived - self.ended - self.refused

    @property
    def span(self) -> float:
        """Seconds that were measured."""
        return self.duration - self.warmup

    @property
    def succeeded(self) -> int:
        """Measured requests that ended well."""
        return self.outcomes.get(Outcome.SUCCESS, 0)

    @property
    def failed(self) -> int:
        """Measured requests that ended badly, or were refused."""
        return sum(self.outcomes.values()) - self.succeeded + sum(self.refusals.values())

    @property
    def error_rate(self) -> float:
        """The fraction of measured requests that ended which ended badly or were refused; nan if none ended."""
        every = self.succeeded + self.failed
        return self.failed / every if every else math.nan

    @property
    def throughput(self) -> float:
        """Measured successes a second."""
        return self.succeeded / self.span if self.span else math.nan

    @property
    def mean(self) -> float:
        """Mean latency in seconds; nan without any. Of a histogram, to its precision."""
        if self.histogram is None:
            return float(self.latencies.mean()) if len(self.latencies) else math.nan
        counts = self.histogram.counts()
        total = sum(counts)
        return math.fsum(n * self.histogram.middle(i) for i, n in enumerate(counts)) / total if total else math.nan

    def quantile(self, q: float) -> float:
        """The latency in seconds that a fraction q of the requests does not exceed; nan without any.

        Raises
        ------
        ConfigError : q is not in [0, 1].

        Costs: O(requests); of a histogram O(buckets).
        """
        check_real("q", q, low=0.0, high=1.0)
        if self.histogram is not None:
            found = self.histogram.quantile(q)
            return math.nan if found is None else found
        n = len(self.latencies)
        if n == 0:
            return math.nan
        rank = max(math.ceil(q * n), 1) - 1
        return float(np.partition(self.latencies, rank)[rank])

    def interval(self, confidence: float = 0.95, batches: int = BATCHES) -> Interval:
        """The mean latency (seconds) with its confidence interval, by the means of batches of equal size.

        Raises
        ------
        ConfigError : confidence is not in (0, 1), batches no integer >= 2, or there are fewer latencies than batches.
        """
        check_integer("batches", batches, low=2)
        size = len(self.latencies) // batches
        if size == 0:
            raise ConfigError("batches", batches, f"must be at most the {len(self.latencies)} latencies kept")
        means = self.latencies[len(self.latencies) - size * batches :].reshape(batches, size).mean(axis=1)
        return interval(means.tolist(), confidence)

    @property
    def utilisation(self) -> F64:
        """By server, the fraction of its slots' time that was spent on requests; nan if nothing was measured."""
        return self.busy / (self.slots * self.span) if self.span else np.full(len(self.ids), math.nan)

    @property
    def imbalance(self) -> float:
        """The most requests that a server received over the mean; 1 is even, nan if nobody received any."""
        return float(self.received.max() / self.received.mean()) if self.received.any() else math.nan

    @property
    def ejections(self) -> int:
        """How often a balancer ejected a server."""
        return sum(isinstance(event, Ejected) for _, event in self.happened)

    def columns(self) -> dict[str, list[Any]]:
        """One row for each server, as columns; a data frame of them is one call away."""
        return {
            "id": list(self.ids),
            "received": self.received.tolist(),
            "failed": (self.answered.sum(axis=1) - self.answered[:, 0]).tolist(),
            "utilisation": self.utilisation.tolist(),
            "mean_jobs": (self.jobs / self.span).tolist() if self.span else [math.nan] * len(self.ids),
            "most_jobs": self.most.tolist(),
        }

    def over_time(self) -> dict[str, list[Any]]:
        """One row for each sample and server, as columns."""
        n, looks = len(self.ids), len(self.times)
        return {
            "time": np.repeat(self.times, n).tolist(),
            "id": list(self.ids) * looks,
            "utilisation": (self.busy_over_time / self.slots).ravel().tolist(),
            "mean_jobs": self.jobs_over_time.ravel().tolist(),
        }

    def summary(self) -> dict[str, Any]:
        """The run in one row of plain data."""
        utilisation = self.utilisation
        return {
            "arrived": self.arrived,
            "ended": self.ended,
            "refused": self.refused,
            "in_system": self.in_system,
            "throughput": self.throughput,
            "error_rate": self.error_rate,
            "outcomes": {outcome.value: n for outcome, n in self.outcomes.items()},
            "refusals": dict(self.refusals),
            "mean": self.mean,
            **{f"p{100 * q:g}": self.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)},
            "utilisation": float(utilisation.mean()),
            "utilisation_most": float(utilisation.max()),
            "imbalance": self.imbalance,
            "ejections": self.ejections,
            "repeated": self.repeated,
            "moved": self.moved,
            "events": self.events,
        }

    def fingerprint(self) -> int:
        """64 bits over all that the result says; equal means the same run, to the last bit."""
        parts = [np.ascontiguousarray(self.latencies).tobytes()]
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                value = value.tolist() if each.name != "latencies" else len(value)
            elif isinstance(value, LogHistogram):
                value = value.counts()
            parts.append(f"{each.name}={value!r};".encode())
        return xxh64(b"".join(parts))
