"""gRPC's client-side policies, as the proposals (A42 … A114) and the shipped schedulers describe them.

Nothing here was replayed against a running gRPC: the text is the reference, and tests compare with models written from
it by other means. Draws that gRPC takes from a generator of its own are SplitMix64's here, under a seed.
"""

from lbalgo.compat.grpc.endpoint import Connectivity, Endpoint
from lbalgo.compat.grpc.least_request import LeastRequest
from lbalgo.compat.grpc.outlier import OutlierDetection
from lbalgo.compat.grpc.outlier_rules import FailurePercentageEjection, SuccessRateEjection
from lbalgo.compat.grpc.pick_first import PickFirst, Shuffle, interleaved, shuffled, weighted_order
from lbalgo.compat.grpc.stride import Variant, strides, turn
from lbalgo.compat.grpc.subsetting import RandomSubsetting, subset
from lbalgo.compat.grpc.weighted_round_robin import WeightedRoundRobin, weight_of
from lbalgo.compat.grpc.weights import normalized_weights, raw_weights
from lbalgo.compat.orca import OrcaReport, utilization

__all__ = [
    "Connectivity",
    "Endpoint",
    "FailurePercentageEjection",
    "LeastRequest",
    "OrcaReport",
    "OutlierDetection",
    "PickFirst",
    "RandomSubsetting",
    "Shuffle",
    "SuccessRateEjection",
    "Variant",
    "WeightedRoundRobin",
    "interleaved",
    "normalized_weights",
    "raw_weights",
    "shuffled",
    "strides",
    "subset",
    "turn",
    "utilization",
    "weight_of",
    "weighted_order",
]
