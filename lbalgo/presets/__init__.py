"""Presets: known systems rebuilt from this library's parts, with the document behind every value.

For systems that run elsewhere and cannot be observed here: what is documented is a value with its source, what is not
is listed in words, and nothing is exact that does not say so. (Systems whose every pick was compared are in
`lbalgo.compat`.) One file a system; each function gives a `Preset`.

>>> from lbalgo import presets
>>> balancer = presets.nginx_plus(slow_start=30).balancer({"a": 2, "b": 1}, seed=0)
>>> [balancer.acquire().backend.id for _ in range(3)]
['a', 'b', 'a']
"""

from lbalgo.presets.aws import Routing, alb, nlb
from lbalgo.presets.cassandra import cassandra
from lbalgo.presets.katran import katran
from lbalgo.presets.kubernetes import kubernetes
from lbalgo.presets.maglev import google_maglev
from lbalgo.presets.nginx import Method, nginx_plus
from lbalgo.presets.preset import Parts, Preset, Source, Value
from lbalgo.presets.unimog import unimog
from lbalgo.presets.zuul import zuul

__all__ = [
    "Method",
    "Parts",
    "Preset",
    "Routing",
    "Source",
    "Value",
    "alb",
    "cassandra",
    "google_maglev",
    "katran",
    "kubernetes",
    "nginx_plus",
    "nlb",
    "unimog",
    "zuul",
]
