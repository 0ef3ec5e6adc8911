"""Signals: sans-IO state machines that say, from time and outcomes, what each backend is good for now."""

from lbalgo.signals.detectors import ConsecutiveErrors, ConsecutiveGatewayErrors, FailurePercentage, SuccessRate
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.signals.slow_start import SlowStart

__all__ = [
    "ConsecutiveErrors",
    "ConsecutiveGatewayErrors",
    "FailurePercentage",
    "OutlierEjection",
    "SlowStart",
    "SuccessRate",
]
