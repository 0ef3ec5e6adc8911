"""Loads: fast state by row that changes with every request and is read live when one is picked for."""

from lbalgo.loads.blend import Blend
from lbalgo.loads.combined import Product, Sum
from lbalgo.loads.failure_penalty import FailurePenalty
from lbalgo.loads.in_flight import InFlight
from lbalgo.loads.in_flight_age import InFlightAge
from lbalgo.loads.latency_ewma import LatencyEwma
from lbalgo.loads.overdue import Overdue
from lbalgo.loads.peak_ewma import PeakEwma
from lbalgo.loads.reported import Reported

__all__ = [
    "Blend",
    "FailurePenalty",
    "InFlight",
    "InFlightAge",
    "LatencyEwma",
    "Overdue",
    "PeakEwma",
    "Product",
    "Reported",
    "Sum",
]
