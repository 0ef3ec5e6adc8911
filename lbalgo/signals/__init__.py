"""Signals: sans-IO state machines that say, from time and outcomes, what each backend is good for now."""

from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.breaker import Breaker
from lbalgo.signals.checks import GrpcCheck, HttpCheck, Serving, TcpCheck, Verdict
from lbalgo.signals.detectors import ConsecutiveErrors, ConsecutiveGatewayErrors, FailurePercentage, SuccessRate
from lbalgo.signals.drain import Drain
from lbalgo.signals.drained import DrainOrder, OpenLeases
from lbalgo.signals.failure_ewma import FailureEwma
from lbalgo.signals.latency import LatencyQuantile
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.signals.probed import Health, Probe, ProbeResult
from lbalgo.signals.probing import Probing
from lbalgo.signals.slow_start import SlowStart
from lbalgo.signals.statistical import Sequential, Statistical

__all__ = [
    "ActiveHealth",
    "Breaker",
    "ConsecutiveErrors",
    "ConsecutiveGatewayErrors",
    "Drain",
    "DrainOrder",
    "FailureEwma",
    "FailurePercentage",
    "GrpcCheck",
    "Health",
    "HttpCheck",
    "LatencyQuantile",
    "OpenLeases",
    "OutlierEjection",
    "Probe",
    "ProbeResult",
    "Probing",
    "Sequential",
    "Serving",
    "SlowStart",
    "Statistical",
    "SuccessRate",
    "TcpCheck",
    "Verdict",
]
