"""Overload: is there anything that says no, and what do retries make of a failure?

Costs: O(backends). Sources: Envoy, "Circuit breaking" (1024 each by default); Beyer et al., *Site Reliability
Engineering*, chapters 21 and 22; HAProxy Configuration Manual, "balance first", "maxconn"; nginx, "max_conns".
"""

from __future__ import annotations

from collections.abc import Iterator

from lbalgo.advice.setup import Setup, kind_of
from lbalgo.findings import Finding, Severity

BOUNDS = ("AdaptiveConcurrency", "AdaptiveThrottle", "Limits", "RateControl", "Shedding")
BUDGETS = ("RetryBudget", "RetryConcurrency", "RetryQuota")
SLOTS = {"haproxy": "maxconn", "nginx": "max_conns"}  # the limit of one server
LEAST_K = 1.3  # of AdaptiveThrottle; below, a backend that is merely bursty is throttled for good


def no_bound(setup: Setup) -> Iterator[Finding]:
    """Nothing limits what a backend is sent at a time."""
    if setup.system == "envoy":
        if not setup.says("circuit_breakers", "circuitBreakers"):
            yield Finding(
                "circuit_breakers",
                "each limit is the default of 1024, which small clusters never reach before they fail",
                "set max_requests to a few times what the cluster has in flight at its peak",
                Severity.NOTE,
            )
        return
    if setup.system:
        field = SLOTS[setup.system]
        open_ended = [b.id for b in setup.view.backends if b.weight > 0 and not getattr(b, field, 0)]
        if open_ended:
            yield Finding(
                field,
                f"{len(open_ended)} of {len(setup.view)} servers take all that comes, {open_ended[0]!r} for one",
                f"set {field} to what a server can do at once",
            )
        return
    bounds = [gate for gate in setup.gates if kind_of(gate) in BOUNDS]
    limits = any(kind_of(g) != "Limits" or g.pool is not None or g.per_backend is not None for g in bounds)
    if not limits and "BoundedLoad" not in map(kind_of, setup.policies):
        yield Finding(
            "gates",
            "nothing refuses a request: under overload all of them become slow, and then fail",
            "add Limits, AdaptiveConcurrency or Shedding",
        )


def first_without_end(setup: Setup) -> Iterator[Finding]:
    """HAProxy's `first` goes on to the next server when one is full, and none is ever full."""
    ahead = setup.view.backends[:-1]
    unlimited = [b.id for b in ahead if not getattr(b, "maxconn", 0)] if setup.kind == "haproxy.First" else []
    if unlimited:
        yield Finding(
            "maxconn",
            f"all requests go to {unlimited[0]!r}, and none to those after it",
            "set maxconn on every server, or another balance",
            Severity.ERROR,
        )


def retries_without_budget(setup: Setup) -> Iterator[Finding]:
    """Retries that nothing limits: a failure multiplies the load."""
    if setup.facts.retries > 0 and not any(kind_of(gate) in BUDGETS for gate in setup.gates):
        times = setup.facts.retries + 1
        yield Finding(
            "retries",
            f"when everything fails, backends get {times} times the load; two layers that do so, {times**2} times",
            "add a RetryBudget" if not setup.system else "set a retry budget, or retry at one layer only, once",
        )


def throttled_for_good(setup: Setup) -> Iterator[Finding]:
    """A throttle so tight that a backend which is only bursty never recovers."""
    gate = setup.gate("AdaptiveThrottle")
    if gate is not None and gate.k < LEAST_K:
        yield Finding(
            "AdaptiveThrottle.k",
            f"with k = {gate.k:g} a backend that refuses a burst now and then is throttled for good",
            f"set k to {LEAST_K:g} or more; 2 is usual",
        )
