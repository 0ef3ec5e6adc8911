"""Linux IPVS's schedulers, by description: there is no kernel here to replay decisions against.

`VirtualService` has rr, wrr, lc, wlc, sed, nq, fo, ovf and twos; `SourceHashing` is sh, `DestinationHashing` dh,
`MaglevHashing` mh, and `LocalityLeastConnection` lblc and lblcr.
"""

from lbalgo.compat.ipvs.hashing import AddressHash, HSipHash
from lbalgo.compat.ipvs.locality import LocalityLeastConnection
from lbalgo.compat.ipvs.picking import AddressPicker
from lbalgo.compat.ipvs.schedulers import Scheduler, VirtualService
from lbalgo.compat.ipvs.server import RealServer, hash_input
from lbalgo.compat.ipvs.tables import DestinationHashing, MaglevHashing, SourceHashing

__all__ = [
    "AddressHash",
    "AddressPicker",
    "DestinationHashing",
    "HSipHash",
    "LocalityLeastConnection",
    "MaglevHashing",
    "RealServer",
    "Scheduler",
    "SourceHashing",
    "VirtualService",
    "hash_input",
]
