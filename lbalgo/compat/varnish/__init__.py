"""Varnish 7.1: which backend a director of vmod_directors chooses.

`RoundRobin`, `Fallback`, `Random`, `Hash` and `Shard` are the directors, replayed against captured decisions of 7.1.1;
`Backend` is what ``.add_backend()`` is given. Health comes in with the view: UNHEALTHY and DRAINING are sick.
"""

from lbalgo.compat.varnish.alternates import Healthy
from lbalgo.compat.varnish.backend import Backend, h32
from lbalgo.compat.varnish.hashing import Hash
from lbalgo.compat.varnish.ring import By
from lbalgo.compat.varnish.shard import Shard
from lbalgo.compat.varnish.turns import Fallback, Random, RoundRobin

__all__ = ["Backend", "By", "Fallback", "Hash", "Healthy", "Random", "RoundRobin", "Shard", "h32"]
