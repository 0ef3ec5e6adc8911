"""Ejection: caps that forbid every ejection of this pool or none, and detectors that can never speak in it.

The k-th ejection is allowed if 100 k <= percent * n, or if it is the first and one always may be. A detector speaks if
enough backends have had enough requests in an interval; one that measures in standard deviations (of the population)
must be able to see a single outlier, which stands sqrt(n - 1) of them below the mean, however badly it fails.

Costs: O(detectors). Sources: Envoy, "Outlier detection"; nginx, "max_fails".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding, Severity


@dataclass(frozen=True)
class Rule:
    """A detector: its field, percent of its verdicts that are carried out, and what it needs to speak (0: nothing)."""

    field: str
    enforcement: float
    hosts: int = 0
    volume: int = 0
    deviations: float = 0.0


@dataclass(frozen=True)
class Cap:
    """How many may be ejected; seconds between looks; by which detectors."""

    percent: float
    one_always: bool
    interval: float
    rules: tuple[Rule, ...]

    def most(self, n: int) -> int:
        """How many of n backends may be ejected at a time."""
        allowed = sum(100 * k <= self.percent * n for k in range(1, n + 1))
        return min(n, max(allowed, int(self.one_always)))


def cap_of(setup: Setup) -> Cap | None:
    """The ejection of a setup, native or Envoy's."""
    signal = setup.signal("OutlierEjection", "envoy.OutlierDetector")
    if signal is None:
        return None
    spec = signal.spec
    if setup.system != "envoy":
        rules = tuple(
            Rule(
                type(detector).__name__,
                detector.enforcement,
                getattr(detector, "minimum_hosts", 0),
                getattr(detector, "request_volume", 0) if hasattr(detector, "minimum_hosts") else 0,
                getattr(detector, "stdev_factor", 0.0),
            )
            for detector in spec.detectors
        )
        return Cap(spec.max_ejection_percent, spec.always_eject_one, spec.interval, rules)
    rules = (
        Rule("consecutive_5xx", spec.enforcing_consecutive_5xx),
        Rule("consecutive_gateway_failure", spec.enforcing_consecutive_gateway_failure),
        Rule(
            "success_rate",
            spec.enforcing_success_rate,
            spec.success_rate_minimum_hosts,
            spec.success_rate_request_volume,
            spec.success_rate_stdev_factor / 1000.0,
        ),
        Rule(
            "failure_percentage",
            spec.enforcing_failure_percentage,
            spec.failure_percentage_minimum_hosts,
            spec.failure_percentage_request_volume,
        ),
    )
    on = tuple(rule for rule in rules if rule.enforcement > 0)  # 0 is Envoy's way to have one off
    return Cap(spec.max_ejection_percent, spec.always_eject_one_host, spec.interval, on)


def panic_share(setup: Setup) -> float:
    """The share of healthy backends under which the unhealthy are used again."""
    percent = getattr(setup.policies[-1], "healthy_panic_threshold", None)
    return setup.panic_below if percent is None else float(percent) / 100.0


def never_ejects(setup: Setup) -> Iterator[Finding]:
    """A cap below one backend, or nobody to speak."""
    cap, n = cap_of(setup), setup.size
    if cap is None or n == 0:
        return
    if cap.most(n) == 0:
        least = math.ceil(100.0 / n)
        yield Finding(
            "max_ejection_percent",
            f"{cap.percent:g} % of {n} backends is less than one: nobody is ever ejected",
            f"set it to {least} or more, or always_eject_one{'_host' * (setup.system == 'envoy')}",
        )
    if all(rule.enforcement == 0 for rule in cap.rules):
        yield Finding("detectors", "no verdict is ever carried out", "set an enforcement above 0")


def ejects_all(setup: Setup) -> Iterator[Finding]:
    """A cap that lets everybody go, or so many that the pool panics and the ejected are used again."""
    cap, n = cap_of(setup), setup.size
    if cap is None or n == 0:
        return
    most, panic = cap.most(n), panic_share(setup)
    if most == n and panic == 0.0:
        yield Finding(
            "max_ejection_percent",
            f"all {n} backends can be ejected at once, and then nobody serves",
            "set it to 50 or less, or a panic threshold",
            Severity.ERROR,
        )
    elif n - most < panic * n:
        useful = max(k for k in range(n + 1) if n - k >= panic * n)
        yield Finding(
            "max_ejection_percent",
            f"{most} of {n} can be ejected, but beyond {useful} the pool panics and uses all of them again",
            f"set it to {math.floor(100 * useful / n)} or less" if useful else "add backends: one is too few for this",
        )


def too_few_hosts(setup: Setup) -> Iterator[Finding]:
    """Detectors that need more backends than there are."""
    cap, n = cap_of(setup), setup.size
    for rule in cap.rules if cap is not None else ():
        if rule.hosts > n:
            yield Finding(
                f"{rule.field}.minimum_hosts" if not setup.system else f"{rule.field}_minimum_hosts",
                f"it never speaks: it wants {rule.hosts} backends, and there are {n}",
                f"set it to {n} or less, or use a detector that looks at one backend alone",
            )


def masked(setup: Setup) -> Iterator[Finding]:
    """A factor that a single outlier of this pool cannot reach, however badly it fails."""
    cap, n = cap_of(setup), setup.size
    for rule in cap.rules if cap is not None and n > 0 else ():
        reach = math.sqrt(n - 1)
        if rule.deviations and rule.hosts <= n and reach <= rule.deviations:
            yield Finding(
                f"{rule.field}.stdev_factor" if not setup.system else f"{rule.field}_stdev_factor",
                f"it never speaks: of {n} backends one that fails stands {reach:.3g} deviations below the mean",
                f"set the factor below {reach:.3g}, or use Statistical",
            )


def too_little_traffic(setup: Setup) -> Iterator[Finding]:
    """Detectors that want more requests in an interval than a backend gets."""
    cap, each = cap_of(setup), setup.rate_each
    if cap is None or each is None:
        return
    got = each * cap.interval
    for rule in cap.rules:
        if rule.volume > got:
            yield Finding(
                f"{rule.field}.request_volume" if not setup.system else f"{rule.field}_request_volume",
                f"it hardly ever speaks: it wants {rule.volume} requests an interval, and a backend gets {got:.3g}",
                f"set it to {max(1, math.floor(got))} or less, or the interval longer",
            )


def failures_of_one(setup: Setup) -> Iterator[Finding]:
    """nginx with one server: its failures do not count."""
    if setup.system == "nginx" and len(setup.view) == 1 and setup.says("max_fails", "fail_timeout", of_server=True):
        yield Finding(
            "max_fails", "with one server failures are not counted", "add a server, or drop it", Severity.NOTE
        )
