"""Google's Maglev: a lookup table that all balancers fill alike, and a table of tracked connections before it.

Either alone is not enough. The lookup table changes when backends come and go, and a few connections with it; tracking
keeps those where they are, but each balancer knows only its own, and forgets them when it restarts. Together a
connection breaks only if the table changed and its packets came to another balancer as well.

Keys are `flow_key`s of the 5-tuple. A packet that opens a connection (`opening` of `FlowTable.pick`) is decided anew.

Costs: those of the parts.
Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.gates.flow_table import CAPACITY, FlowTable
from lbalgo.policies.maglev import TABLE_SIZE, Maglev
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.probing import Probing

PAPER = "Eisenbud et al., Maglev, NSDI 2016"


def google_maglev(table_size: int = TABLE_SIZE, *, capacity: int = CAPACITY, probing: Probing | None = None) -> Preset:
    """Google's network load balancer: Maglev hashing behind connection tracking.

    Parameters
    ----------
    table_size : a prime; 65537 or 655373 in the paper's evaluation. For shares within 1 % above 100 times the backends.
    capacity : most connections tracked, 2 to 2**24.
    probing : the parameters of health checks; None for none, as the paper has none to give.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of `Maglev` and `FlowTable`.
    Source: NSDI 2016, 3.3 (tracking) and 3.4 (hashing).

    Examples
    --------
    >>> balancer = google_maglev().balancer(["a", "b"], seed=0)
    >>> before = [balancer.acquire(key).backend.id for key in range(100)]
    >>> balancer.update(["a", "b", "c"])
    >>> before == [balancer.acquire(key).backend.id for key in range(100)]
    True
    """
    policy = Maglev(table_size)
    FlowTable(capacity)  # refuses what is no capacity
    return Preset(
        "Google Maglev",
        policy,
        partial(flow_parts, probing_or_none(probing), capacity),
        (
            Source("Maglev", PAPER, "3.4 Consistent hashing"),
            Source("Maglev.table_size", PAPER, "5.3 Consistent hashing: the small table"),
            Source("FlowTable", PAPER, "3.3 Backend selection: connection tracking"),
        ),
        (
            "How many connections are tracked, and for how long: capacity and idle times are ours.",
            "Intervals and thresholds of the health checks: the paper has none.",
            "How weights count: the paper says that turns may differ in frequency, not how; the phased rule is ours.",
            "What is done when few backends are healthy: the panic threshold of 50 % is ours.",
        ),
        (
            "An unhealthy backend leaves the table there; here its positions are walked past, and no other key moves.",
            "Hash functions and permutations are ours: which backend has which position is not Google's.",
        ),
    )


def flow_parts(probing: Probing | None, capacity: int) -> Any:
    """Health checks, if any, and a flow table."""
    return health(probing), (FlowTable(capacity),)


def health(probing: Probing | None) -> tuple[Any, ...]:
    """Health checks with these parameters, or none."""
    return () if probing is None else (ActiveHealth.of(probing),)


def probing_or_none(probing: Any) -> Probing | None:
    """These parameters of health checks, if they are any, or None."""
    if probing is not None and not isinstance(probing, Probing):
        raise ConfigError("probing", probing, "must be a Probing, or None")
    return probing
