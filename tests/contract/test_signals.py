"""Every signal of ours, and an honest one of a user, under the laws of signals."""

from hypothesis import settings

from lbalgo import (
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    FailurePercentage,
    OutlierEjection,
    SlowStart,
    SuccessRate,
)
from lbalgo.signals import Breaker, FailureEwma, LatencyQuantile, Sequential, Statistical
from lbalgo.testing import SignalContract
from tests.contract.pause import Pause

FEW = settings(max_examples=settings.default.max_examples // 2)


class TestPause(SignalContract):
    longest = 30.0
    signal = Pause
    settings = FEW


class TestSlowStart(SignalContract):
    longest = 40.0

    def signal(self):
        return SlowStart(window=30, steps=4)


class TestSlowStartSteep(SignalContract):
    longest = 40.0
    settings = FEW

    def signal(self):
        return SlowStart(window=0.7, aggression=2.5, floor=0.01, steps=7)


class TestOutlierEjection(SignalContract):
    longest = 60.0

    def signal(self):
        return OutlierEjection([ConsecutiveErrors(5), ConsecutiveGatewayErrors(3)], max_ejection_percent=60)


class TestOutlierEjectionJudging(SignalContract):
    longest = 30.0

    def signal(self):
        detectors = [
            ConsecutiveErrors(8, enforcement=50),
            SuccessRate(minimum_hosts=2, request_volume=2, stdev_factor=0.5),
            FailurePercentage(50, minimum_hosts=1, request_volume=3, enforcement=70),
        ]
        return OutlierEjection(
            detectors, interval=5, base_ejection_time=7, max_ejection_percent=100, max_ejection_time_jitter=3, seed=5
        )


class TestOutlierEjectionWatching(SignalContract):
    longest = 30.0
    settings = FEW

    def signal(self):
        detectors = [
            FailureEwma(5.0, 0.8, request_volume=1),
            Sequential(0.1, 0.5, 0.05, 0.05),
            Breaker(50, 3.0, 2, probes=2),
            LatencyQuantile(0.5, 1.5, 1.0, 2, 1),
            Statistical(1.0, minimum_hosts=2, request_volume=2),
        ]
        return OutlierEjection(
            detectors, interval=5, base_ejection_time=7, max_ejection_percent=80, max_ejection_time_jitter=3, seed=5
        )
