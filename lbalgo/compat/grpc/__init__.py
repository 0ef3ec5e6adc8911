"""gRPC's client-side policies, as the proposals (A42 … A114) and the shipped schedulers describe them.

Nothing here was replayed against a running gRPC: the text is the reference, and tests compare with models written from
it by other means. Draws that gRPC takes from a generator of its own are SplitMix64's here, under a seed.
"""

from lbalgo.compat.grpc.connecting import Action, Decision, RingWalk, aggregated, kick
from lbalgo.compat.grpc.endpoint import Connectivity, Endpoint
from lbalgo.compat.grpc.least_request import LeastRequest
from lbalgo.compat.grpc.outlier import OutlierDetection
from lbalgo.compat.grpc.outlier_rules import FailurePercentageEjection, SuccessRateEjection
from lbalgo.compat.grpc.pick_first import PickFirst, Shuffle, interleaved, shuffled, weighted_order
from lbalgo.compat.grpc.ring_hash import RingHash
from lbalgo.compat.grpc.route_hash import ChannelIdHash, HeaderHash, OtherHash, route_hash
from lbalgo.compat.grpc.stride import Variant, strides, turn
from lbalgo.compat.grpc.subsetting import RandomSubsetting, subset
from lbalgo.compat.grpc.weighted_round_robin import WeightedRoundRobin, weight_of
from lbalgo.compat.grpc.weights import normalized_weights, raw_weights
from lbalgo.compat.orca import OrcaReport, utilization

__all__ = [
    "Action",
    "ChannelIdHash",
    "Connectivity",
    "Decision",
    "Endpoint",
    "FailurePercentageEjection",
    "HeaderHash",
    "LeastRequest",
    "OrcaReport",
    "OtherHash",
    "OutlierDetection",
    "PickFirst",
    "RandomSubsetting",
    "RingHash",
    "RingWalk",
    "Shuffle",
    "SuccessRateEjection",
    "Variant",
    "WeightedRoundRobin",
    "aggregated",
    "interleaved",
    "kick",
    "normalized_weights",
    "raw_weights",
    "route_hash",
    "shuffled",
    "strides",
    "subset",
    "turn",
    "utilization",
    "weight_of",
    "weighted_order",
]
