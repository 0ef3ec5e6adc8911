"""Slow starts that cannot act.

A ramp acts if it begins below 1, if there are others that could take the rest, if the algorithm looks at weights that
change, and if the window sees requests at all: whoever gets none while it warms is as cold after as before.

Costs: O(servers). Sources: Envoy, "Slow start mode"; HAProxy Configuration Manual, "slowstart", "static-rr",
"hash-type"; nginx, "slow_start" (not with hash, ip_hash and random; not with a single server).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding
from lbalgo.signals.slow_start import Ramp

STATIC = {  # algorithms that no slow start reaches, and why
    "haproxy.First": "first looks at no weights",
    "haproxy.StaticRR": "static-rr keeps the weights it started with",
    "haproxy.Hash": "a map-based hash keeps the weights it started with",
    "nginx.Hash": "nginx refuses slow_start with hash",
    "nginx.IpHash": "nginx refuses slow_start with ip_hash",
    "nginx.Random": "nginx refuses slow_start with random",
}
LEAST = 1.0  # requests that a backend must get while it warms


@dataclass(frozen=True)
class Warming:
    """A slow start: the field it is called by, its window in seconds, and the factors of its steps."""

    field: str
    window: float
    factors: Sequence[float]


def warmings(setup: Setup) -> Iterator[Warming]:
    """The slow starts of a setup."""
    signal = setup.signal("SlowStart")
    if signal is not None:
        yield Warming("SlowStart.window", signal.spec.window, signal.spec.factors())
    config = getattr(setup.policies[-1], "slow_start_config", None)
    if config is not None:
        floor = min(max(config.min_weight_percent / 100.0, 1e-9), 1.0)
        ramp = Ramp(config.slow_start_window, config.aggression, floor)
        yield Warming("slow_start_config", config.slow_start_window, ramp.factors())
    if setup.system == "haproxy":
        slow = [server.slowstart for server in setup.view.backends if server.slowstart]
        if slow:
            yield Warming("slowstart", min(slow), Ramp(min(slow), floor=1 / 16, steps=16).factors())
    if setup.system == "nginx" and setup.says("slow_start", of_server=True):
        yield Warming("slow_start", 0.0, ())  # not in the open-source nginx, so the loader keeps no value


def begins_at_the_top(setup: Setup) -> Iterator[Finding]:
    """A floor of 1: there is no ramp."""
    for warming in warmings(setup):
        if warming.factors and min(warming.factors) >= 1.0:
            yield Finding(
                warming.field, "a new backend gets its full share at once", "set the floor to 0.1, or drop it"
            )


def warms_alone(setup: Setup) -> Iterator[Finding]:
    """A pool of one: the factor is relative to the others."""
    for warming in warmings(setup) if setup.size == 1 else ():
        yield Finding(warming.field, "the only backend gets everything, cold or warm", "add a backend, or drop it")


def weights_stand_still(setup: Setup) -> Iterator[Finding]:
    """An algorithm that does not look at weights that change."""
    consistent = getattr(getattr(setup.policies[-1], "hash_type", None), "method", None)
    dynamic = setup.kind == "haproxy.Hash" and getattr(consistent, "value", "") == "consistent"
    for warming in warmings(setup):
        if setup.kind in STATIC and not dynamic:
            yield Finding(warming.field, f"it never acts: {STATIC[setup.kind]}", "use another algorithm, or drop it")


def never_begins(setup: Setup) -> Iterator[Finding]:
    """HAProxy's slow start begins when a server comes up, which one without checks never does."""
    slow = [s for s in setup.view.backends if setup.system == "haproxy" and s.slowstart]
    unchecked = [server.id for server in slow if server.check is None]
    if unchecked and not setup.says("agent-check", of_server=True):
        yield Finding(
            "slowstart",
            f"it never begins for {unchecked[0]!r}: without check it never goes down, so it never comes up",
            "add check to the server",
        )


def sees_no_requests(setup: Setup) -> Iterator[Finding]:
    """A window in which the backend is sent less than one request."""
    each = setup.rate_each
    if each is None or setup.size < 2:
        return
    for warming in warmings(setup):
        if warming.factors:
            got = each * warming.window * sum(warming.factors) / len(warming.factors)
            if got < LEAST:
                yield Finding(
                    warming.field,
                    f"in its {warming.window:g} s a backend is sent {got:.2g} requests: it is as cold after as before",
                    f"set the window to {warming.window * LEAST / got:.3g} s or more, or warm it by other means",
                )
