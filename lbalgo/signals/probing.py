"""The parameters of an `ActiveHealth`, what they mean at worst, and those that others use.

The worst case. A backend dies just after it has answered a probe: the next one begins at most `interval` later, the
further ones of the run `fast_interval` after each other, and each takes at most `timeout` to fail. Of `fall` failures

    worst_case_detection = interval + (fall - 1) * fast_interval + timeout,

which is interval * fall + timeout where there is no fast interval. Recovery likewise, with `down_interval` and `rise`.
Jitter only makes intervals shorter, so that it cannot exceed either; a timeout longer than an interval stands in its
place, as no backend is probed twice at a time. Both hold for a caller who sends and reports at once, and detection
where the guard does not hold fire.

Costs: none.
Source: HAProxy (inter, fastinter, downinter, rise, fall), Envoy, AWS ALB and Kubernetes, for the named ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from lbalgo.errors import ConfigError
from lbalgo.signals.checks import Check, GrpcCheck, HttpCheck, TcpCheck, check_from_dict
from lbalgo.signals.timeline import NANOSECONDS, check_duration, nanoseconds
from lbalgo.spec import check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict
from lbalgo.types import State

INTERVAL, TIMEOUT, FALL = 5.0, 2.0, 3  # ours, the balanced preset
RISE = 2  # HAProxy's default
JITTER = 0.1  # ours
HOLD_SHARE = 0.5  # ours: most
CHECK = TcpCheck()
ALB_CHECK = HttpCheck(expected=((200, 200),))  # the default of its matcher
KUBERNETES_CHECK = HttpCheck(expected=((200, 399),))
ENVOY_CHECK = HttpCheck(expected=((200, 200),), retriable=())


@dataclass(frozen=True)
class Probing:
    """The parameters of an `ActiveHealth`, as it describes them.

    Examples
    --------
    >>> Probing.balanced().worst_case_detection(), Probing.haproxy().worst_case_detection()
    (17.0, 8.0)
    """

    check: Check = CHECK
    interval: float = INTERVAL
    timeout: float = TIMEOUT
    rise: int = RISE
    fall: int = FALL
    fast_interval: float | None = None
    down_interval: float | None = None
    jitter: float = JITTER
    spread: float | None = None
    initial: State = State.UNHEALTHY
    hold_share: float = HOLD_SHARE
    hold_window: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.check, (TcpCheck, HttpCheck, GrpcCheck)):
            raise ConfigError("check", self.check, "must be a TcpCheck, an HttpCheck or a GrpcCheck")
        check_duration("interval", self.interval)
        check_duration("timeout", self.timeout)
        check_integer("rise", self.rise, low=1, high=1_000_000)
        check_integer("fall", self.fall, low=1, high=1_000_000)
        for name in ("fast_interval", "down_interval", "hold_window"):
            if getattr(self, name) is not None:
                check_duration(name, getattr(self, name))
        if self.spread is not None:
            check_duration("spread", self.spread, zero=True)
        check_real("jitter", self.jitter, low=0.0, high=0.5)
        check_enum("initial", self.initial, State)
        if self.initial not in (State.HEALTHY, State.UNHEALTHY):
            raise ConfigError("initial", self.initial, "must be HEALTHY or UNHEALTHY")
        check_real("hold_share", self.hold_share, low=0.0, high=1.0)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def worst_case_detection(self) -> float:
        """Seconds from a backend's death to UNHEALTHY at most, where the guard does not hold."""
        return self._worst(self.interval, self.fall)

    def worst_case_recovery(self) -> float:
        """Seconds from the return of a backend that is down to HEALTHY at most."""
        return self._worst(self.interval if self.down_interval is None else self.down_interval, self.rise)

    def _worst(self, first: float, threshold: int) -> float:
        fast, timeout = self.interval if self.fast_interval is None else self.fast_interval, nanoseconds(self.timeout)
        steps = max(nanoseconds(first), timeout) + (threshold - 1) * max(nanoseconds(fast), timeout)
        return (steps + timeout) / NANOSECONDS

    def probes_per_second(self, backends: int, probers: int = 1) -> float:
        """How many probes a pool of healthy backends is sent, and each of them its part, in the mean.

        Parameters
        ----------
        backends : probed by each of the probers.
        probers : processes that probe them, each with an `ActiveHealth` of its own.

        Raises
        ------
        ConfigError : a parameter is negative or no integer.
        """
        check_integer("backends", backends, low=0)
        check_integer("probers", probers, low=0)
        return probers * backends / (self.interval * (1.0 - self.jitter / 2.0))

    @classmethod
    def aggressive(cls, check: Check = CHECK) -> Probing:
        """Every 2 s, 1 s to answer, down after 2: at worst 5 s."""
        return cls(check, 2.0, 1.0, fall=2)

    @classmethod
    def balanced(cls, check: Check = CHECK) -> Probing:
        """Every 5 s, 2 s to answer, down after 3: at worst 17 s."""
        return cls(check, 5.0, 2.0, fall=3)

    @classmethod
    def conservative(cls, check: Check = CHECK) -> Probing:
        """Every 30 s, 5 s to answer, down after 5: at worst 155 s."""
        return cls(check, 30.0, 5.0, fall=5)

    @classmethod
    def haproxy(cls, check: Check = CHECK) -> Probing:
        """HAProxy's: inter 2 s, which is the timeout too, rise 2, fall 3, up until a probe fails; no guard."""
        return cls(check, 2.0, 2.0, 2, 3, jitter=0.0, initial=State.HEALTHY, hold_share=1.0)

    @classmethod
    def alb(cls, check: Check = ALB_CHECK) -> Probing:
        """AWS ALB's for instances: every 30 s, 5 s to answer, up after 5, down after 2, only 200; no guard."""
        return cls(check, 30.0, 5.0, 5, 2, jitter=0.0, hold_share=1.0)

    @classmethod
    def kubernetes(cls, check: Check = KUBERNETES_CHECK) -> Probing:
        """A Kubernetes readiness probe's: every 10 s, 1 s to answer, up after 1, down after 3, 200 to 399; no guard."""
        return cls(check, 10.0, 1.0, 1, 3, jitter=0.0, hold_share=1.0)

    @classmethod
    def envoy(
        cls,
        interval: float,
        timeout: float,
        healthy_threshold: int,
        unhealthy_threshold: int,
        check: Check = ENVOY_CHECK,
    ) -> Probing:
        """Envoy has no defaults for these four, only rules: an HTTP answer that is not expected is final; no guard."""
        return cls(
            check, interval, timeout, healthy_threshold, unhealthy_threshold, jitter=0.0, spread=0.0, hold_share=1.0
        )

    def __repr__(self) -> str:
        told = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        said = {name: f"State.{value.name}" if name == "initial" else repr(value) for name, value in told.items()}
        return f"Probing({', '.join(f'{name}={value}' for name, value in said.items())})"

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Probing:
        """The parameters `to_dict` described."""
        return from_dict(cls, data, {"check": check_from_dict, "initial": enum_from_name(State)})
