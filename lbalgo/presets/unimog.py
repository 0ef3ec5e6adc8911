"""Cloudflare's Unimog: a table of buckets, each of which knows its server and the one before: the second hop.

Nobody tracks connections. A packet goes to its bucket's server; if that one has no socket for it and it opens no
connection, it is passed on to the bucket's previous server, where an older connection may be. So a bucket may change
hands, and its connections live on, as long as it changes once in their time. A control loop measures the servers' load
and moves buckets from busy ones to idle ones: here that is a weight that the caller gives anew by `Balancer.update`.

`lbalgo.gates.chances.chances(balancer.picker, key)` names both servers of a packet, `deliver` who of them takes it.

Costs: those of `StableTable`.
Source: Wragg, "Unimog - Cloudflare's edge load balancer" (2020).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lbalgo.policies.maglev import TABLE_SIZE
from lbalgo.policies.stable_table import StableTable
from lbalgo.presets.maglev import health, probing_or_none
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.probing import Probing

ARTICLE = "Wragg, Unimog - Cloudflare's edge load balancer (2020)"


def unimog(table_size: int = TABLE_SIZE, *, probing: Probing | None = None) -> Preset:
    """A data center behind Unimog: a bucket table that is repaired, with second hops.

    Parameters
    ----------
    table_size : number of buckets, a prime; above 100 times the servers.
    probing : the parameters of health checks; None for none: Unimog takes health from elsewhere.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of `StableTable`.
    Source: Cloudflare's blog, 2020: forwarding logic, maintaining established connections.

    Examples
    --------
    >>> from lbalgo.gates.chances import chances
    >>> balancer = unimog(1009).balancer(["a", "b"], seed=0)
    >>> old = balancer.picker.pick("flow")
    >>> balancer.update(["a", "b", "c", "d", "e", "f"])
    >>> old.id in [hop.id for hop in chances(balancer.picker, "flow")]
    True
    """
    return Preset(
        "Cloudflare Unimog",
        StableTable(table_size),
        partial(_parts, probing_or_none(probing)),
        (Source("StableTable", ARTICLE, "Forwarding logic; Maintaining established connections"),),
        (
            "The article was read in summaries by others, not as a whole.",
            "How many buckets there are: more than 100 times the servers, it is told; 65537 is ours.",
            "Which buckets a change of weights moves: the fewest is ours.",
            "How load becomes weights: the control loop is the caller's.",
            "What is done when few servers are healthy: the panic threshold of 50 % is ours.",
        ),
        (
            "The number of buckets is a power of two there, as it is told; here a prime.",
            "An unhealthy server leaves the table there; here its buckets are walked past until it leaves the pool.",
            "Keys are hashed by XXH64; which hash of the 4-tuple is used there is not told.",
        ),
    )


def _parts(probing: Probing | None) -> Any:
    return health(probing), ()
