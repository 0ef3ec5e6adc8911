"""memcached's clients: twemproxy 0.5, libmemcached 1.1.4 and 1.0.16, and pylibmc on top of the latter.

`Twemproxy` and `Libmemcached` are policies, `AutoEject` is twemproxy's ejection as a signal, `pylibmc` turns a dict of
behaviours into a `Libmemcached`. All build from ids that are addresses, "host:port", or from `Server`s.

>>> from lbalgo.compat import memcached
>>> memcached.Twemproxy().build(["10.0.0.1:11211", "10.0.0.2:11211"]).pick("user:1").id
'10.0.0.1:11211'
"""

from lbalgo.compat.memcached.eject import AutoEject
from lbalgo.compat.memcached.libmemcached import (
    Libmemcached,
    LibmemcachedDistribution,
    LibmemcachedHash,
    Version,
    generate_hash_value,
)
from lbalgo.compat.memcached.pylibmc import pylibmc
from lbalgo.compat.memcached.server import Server
from lbalgo.compat.memcached.twemproxy import Twemproxy, TwemproxyDistribution, TwemproxyHash, tagged

__all__ = [
    "AutoEject",
    "Libmemcached",
    "LibmemcachedDistribution",
    "LibmemcachedHash",
    "Server",
    "Twemproxy",
    "TwemproxyDistribution",
    "TwemproxyHash",
    "Version",
    "generate_hash_value",
    "pylibmc",
    "tagged",
]
