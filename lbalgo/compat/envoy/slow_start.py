"""Envoy's slow start: a host that has become healthy works its way up to its weight within a window.

Inside the window its weight is multiplied by max((age / window) ** (1 / aggression), min_weight_percent / 100), age in
whole milliseconds and at least 1. Only the weighted scheduler reads weights, and it reads a host's when the host goes
back in after a turn: a host that went in at a tiny weight stays there until that turn comes, however long it has been
warm by then. While any host is inside its window the scheduler is used even if all configured weights are equal.

Which of two events begins a window: without active health checks, that the host is seen healthy for the first time;
with them, every return to HEALTHY.

Source: Envoy 1.40 documentation, "Slow start mode"; its statistics were compared with captured ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, from_dict, to_dict

AGGRESSION = 1.0  # Envoy's default: linear
MIN_WEIGHT_PERCENT = 10.0  # Envoy's default
YOUNGEST = 1  # milliseconds; no age counts as less


@dataclass(frozen=True)
class SlowStartConfig:
    """Envoy's `slow_start_config`.

    Parameters
    ----------
    slow_start_window : seconds; whole milliseconds count, at least 1.
    aggression : shape of the ramp, 1 is linear; whatever is not above 0 counts as 1.
    min_weight_percent : percent of the weight a host has at least, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy 1.40, `config.cluster.v3.Cluster.SlowStartConfig`.

    Examples
    --------
    >>> SlowStartConfig(4.0, aggression=2.0).factor(1000)
    0.5
    """

    slow_start_window: float
    aggression: float = AGGRESSION
    min_weight_percent: float = MIN_WEIGHT_PERCENT

    def __post_init__(self) -> None:
        check_real("slow_start_window", self.slow_start_window, low=0.001)
        if isinstance(self.aggression, bool) or not isinstance(self.aggression, (int, float)):
            raise ConfigError("aggression", self.aggression, "must be a number")
        if math.isinf(self.aggression):
            raise ConfigError("aggression", self.aggression, "must not be infinite")
        if not self.aggression > 0:
            object.__setattr__(self, "aggression", 1.0)
        check_real("min_weight_percent", self.min_weight_percent, low=0.0, high=100.0)

    @property
    def window(self) -> int:
        """The window in milliseconds."""
        return int(self.slow_start_window * 1000 + 0.5)

    def factor(self, age: int) -> float:
        """What the weight of a host is multiplied by.

        Parameters
        ----------
        age : milliseconds since it became healthy, truncated.

        Examples
        --------
        >>> slow = SlowStartConfig(10.0)
        >>> slow.factor(0), slow.factor(2500), slow.factor(10_000)
        (0.1, 0.25, 1.0)
        """
        if age >= self.window:
            return 1.0
        share = max(YOUNGEST, age) / self.window
        if self.aggression != 1.0 and share != 1.0:
            share = share ** (1.0 / self.aggression)
        return max(share, self.min_weight_percent / 100.0)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> SlowStartConfig:
        """The configuration `to_dict` described."""
        return from_dict(cls, data)


def age(since: float, now: float) -> int:
    """Whole milliseconds from `since` to `now`, in seconds: exact to the microsecond, then truncated.

    Examples
    --------
    >>> age(0.1, 0.4)
    300
    """
    return round((now - since) * 1e6) // 1000
