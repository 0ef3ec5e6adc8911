"""Envoy 1.40: the same decisions from the same parameters.

Every fact was replayed against the running program or is marked as described only. `Host` is the backend; ids,
mappings and endpoints are read with Envoy's defaults for what they lack.
"""

from lbalgo.compat.envoy.bounded_load import BoundedPicker
from lbalgo.compat.envoy.composite import PriorityPicker
from lbalgo.compat.envoy.host import Host, Locality, host_of, hosts_of
from lbalgo.compat.envoy.hosts import (
    HostSet,
    LocalityHosts,
    PriorityLoad,
    effective_locality_weights,
    host_sets,
    priority_load,
)
from lbalgo.compat.envoy.maglev import Maglev
from lbalgo.compat.envoy.request_hash import (
    CookieHash,
    FilterStateHash,
    HeaderHash,
    QueryParameterHash,
    Request,
    RequestHash,
    SourceIpHash,
)
from lbalgo.compat.envoy.retry import RetryPolicy, choose_host, previous_priorities
from lbalgo.compat.envoy.ring_hash import HashFunction, RingHash

__all__ = [
    "BoundedPicker",
    "CookieHash",
    "FilterStateHash",
    "HashFunction",
    "HeaderHash",
    "Host",
    "HostSet",
    "Locality",
    "LocalityHosts",
    "Maglev",
    "PriorityLoad",
    "PriorityPicker",
    "QueryParameterHash",
    "Request",
    "RequestHash",
    "RetryPolicy",
    "RingHash",
    "SourceIpHash",
    "choose_host",
    "effective_locality_weights",
    "host_of",
    "host_sets",
    "hosts_of",
    "previous_priorities",
    "priority_load",
]
