"""nginx: who gets the next request of an upstream block.

`RoundRobin`, `LeastConn`, `IpHash`, `Hash` and `Random` decide as nginx 1.22.1 does, replayed against captured
decisions; `LeastTime` and `Sticky` are of later versions and follow their description only. `Server` is a ``server``
line. All methods work on one machine (`upstream`), which knows weights, turns, failures and what is under way.
"""

from lbalgo.compat.nginx.config import load
from lbalgo.compat.nginx.described import LeastTime, Sticky
from lbalgo.compat.nginx.keyed import Hash, IpHash
from lbalgo.compat.nginx.methods import session_of
from lbalgo.compat.nginx.policies import LeastConn, Random, RoundRobin
from lbalgo.compat.nginx.server import Server, address

__all__ = [
    "Hash",
    "IpHash",
    "LeastConn",
    "LeastTime",
    "Random",
    "RoundRobin",
    "Server",
    "Sticky",
    "address",
    "load",
    "session_of",
]
