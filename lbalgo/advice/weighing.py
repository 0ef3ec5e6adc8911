"""Weights that the algorithm does not look at, or that leave nobody.

Costs: O(backends). Sources: the modules of the policies named; Envoy, "Random", "Locality weighted load balancing";
HAProxy Configuration Manual, "balance first".
"""

from __future__ import annotations

from collections.abc import Iterator

from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding, Severity

IGNORING = {  # policies that serve unequal weights alike, and what to use instead
    "RoundRobin": "use WeightedRoundRobin",
    "envoy.Random": "use ROUND_ROBIN or LEAST_REQUEST",
    "haproxy.First": "use another balance; order and maxconn decide here",
}
REFUSING = ("Jump", "JumpBack")  # which are not built at all with unequal weights


def weights_ignored(setup: Setup) -> Iterator[Finding]:
    """Unequal weights under a policy that serves all alike."""
    weights = {float(w) for w in setup.view.weights if w > 0}
    if len(weights) < 2:
        return
    told = f"weights from {min(weights):g} to {max(weights):g} change nothing"
    if setup.kind in IGNORING:
        yield Finding("weight", told, IGNORING[setup.kind])
    if setup.kind in REFUSING:
        yield Finding("weight", f"{setup.kind} refuses unequal weights", "use Rendezvous or Maglev", Severity.ERROR)


def locality_weights_ignored(setup: Setup) -> Iterator[Finding]:
    """Envoy's weights of localities count only where it is told so."""
    given = {getattr(backend, "locality_weight", 0) for backend in setup.view.backends}
    told = getattr(setup.policies[-1], "locality_weighted_lb_config", None)
    if told is False and len(given) > 1:
        yield Finding(
            "load_balancing_weight",
            "the weights of localities change nothing",
            "set locality_weighted_lb_config",
        )


def nobody_has_weight(setup: Setup) -> Iterator[Finding]:
    """Backends, but none that takes traffic."""
    if len(setup.view) and not setup.size:
        yield Finding("weight", "no backend takes new traffic", "give one a weight above 0", Severity.ERROR)
