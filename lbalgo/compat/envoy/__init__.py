"""Envoy 1.40: the same decisions from the same parameters.

Every fact was replayed against the running program or is marked as described only. `Host` is the backend; ids,
mappings and endpoints are read with Envoy's defaults for what they lack.
"""

from lbalgo.compat.envoy.bounded_load import BoundedPicker
from lbalgo.compat.envoy.composite import PriorityPicker
from lbalgo.compat.envoy.config import load
from lbalgo.compat.envoy.edf import Edf
from lbalgo.compat.envoy.hash_policy import (
    CookieHash,
    FilterStateHash,
    HeaderHash,
    QueryParameterHash,
    SourceIpHash,
)
from lbalgo.compat.envoy.host import Host, Locality, host_of, hosts_of
from lbalgo.compat.envoy.hosts import (
    HostSet,
    LocalityHosts,
    PriorityLoad,
    effective_locality_weights,
    host_sets,
    priority_load,
)
from lbalgo.compat.envoy.least_request import LeastRequest, SelectionMethod, choice_law
from lbalgo.compat.envoy.locality_load_aware import LoadAwareLocality, LoadAwarePicker, load_aware_shares
from lbalgo.compat.envoy.maglev import Maglev
from lbalgo.compat.envoy.orca import ClientSideWeightedRoundRobin, WrrLocality
from lbalgo.compat.envoy.orca_weights import OrcaLoadReport, report_weight, updated_weights
from lbalgo.compat.envoy.outlier import Action, EjectionType, HttpResponse, OutlierDetection, OutlierEvent, Result
from lbalgo.compat.envoy.outlier_detector import OutlierDetector
from lbalgo.compat.envoy.override_host import OverrideHost, OverrideHostSource, OverridePicker
from lbalgo.compat.envoy.random import Random
from lbalgo.compat.envoy.request import Request
from lbalgo.compat.envoy.request_hash import RequestHash
from lbalgo.compat.envoy.retry import RetryPolicy, choose_host, previous_priorities
from lbalgo.compat.envoy.ring_hash import HashFunction, RingHash
from lbalgo.compat.envoy.round_robin import RoundRobin
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.subset import MetadataFallback, Subset, SubsetFallback, SubsetSelector
from lbalgo.compat.envoy.subset_context import SelectionContext
from lbalgo.compat.envoy.subset_picker import SubsetPicker
from lbalgo.compat.envoy.zone_aware import (
    Callers,
    ForceLocalZone,
    LocalityBasis,
    ZoneAwareLbConfig,
    ZoneRouting,
    zone_routing,
)

__all__ = [
    "Action",
    "BoundedPicker",
    "Callers",
    "ClientSideWeightedRoundRobin",
    "CookieHash",
    "Edf",
    "EjectionType",
    "FilterStateHash",
    "ForceLocalZone",
    "HashFunction",
    "HeaderHash",
    "Host",
    "HostSet",
    "HttpResponse",
    "LeastRequest",
    "LoadAwareLocality",
    "LoadAwarePicker",
    "Locality",
    "LocalityBasis",
    "LocalityHosts",
    "Maglev",
    "MetadataFallback",
    "OrcaLoadReport",
    "OutlierDetection",
    "OutlierDetector",
    "OutlierEvent",
    "OverrideHost",
    "OverrideHostSource",
    "OverridePicker",
    "PriorityLoad",
    "PriorityPicker",
    "QueryParameterHash",
    "Random",
    "Request",
    "RequestHash",
    "Result",
    "RetryPolicy",
    "RingHash",
    "RoundRobin",
    "SelectionContext",
    "SelectionMethod",
    "SlowStartConfig",
    "SourceIpHash",
    "Subset",
    "SubsetFallback",
    "SubsetPicker",
    "SubsetSelector",
    "WrrLocality",
    "ZoneAwareLbConfig",
    "ZoneRouting",
    "choice_law",
    "choose_host",
    "effective_locality_weights",
    "host_of",
    "host_sets",
    "hosts_of",
    "load",
    "load_aware_shares",
    "previous_priorities",
    "priority_load",
    "report_weight",
    "updated_weights",
    "zone_routing",
]
