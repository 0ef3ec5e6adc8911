"""Signals: sans-IO state machines that say, from time and outcomes, what each backend is good for now."""

from lbalgo.signals.breaker import Breaker
from lbalgo.signals.detectors import ConsecutiveErrors, ConsecutiveGatewayErrors, FailurePercentage, SuccessRate
from lbalgo.signals.failure_ewma import FailureEwma
from lbalgo.signals.latency import LatencyQuantile
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.signals.slow_start import SlowStart
from lbalgo.signals.statistical import Sequential, Statistical

__all__ = [
    "Breaker",
    "ConsecutiveErrors",
    "ConsecutiveGatewayErrors",
    "FailureEwma",
    "FailurePercentage",
    "LatencyQuantile",
    "OutlierEjection",
    "Sequential",
    "SlowStart",
    "Statistical",
    "SuccessRate",
]
