"""The signals of the library keep what every signal promises."""

from hypothesis import settings

from lbalgo import (
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    FailurePercentage,
    OutlierEjection,
    SlowStart,
    SuccessRate,
)
from lbalgo.testing import SignalContract

FEWER = settings(max_examples=max(1, settings.default.max_examples // 4))


class TestSlowStart(SignalContract):
    longest = 40.0
    settings = FEWER

    def signal(self):
        return SlowStart(30.0, aggression=1.5, steps=7)


class TestOutlierEjection(SignalContract):
    longest = 40.0
    settings = FEWER

    def signal(self):
        return OutlierEjection(
            [
                ConsecutiveGatewayErrors(3, 60),
                ConsecutiveErrors(4),
                SuccessRate(2, 3, 0.9),
                FailurePercentage(70, 1, 3),
            ],
            interval=5.0,
            base_ejection_time=8.0,
            max_ejection_time=30.0,
            max_ejection_percent=60,
            max_ejection_time_jitter=3.0,
        )
