"""NGINX Plus: an upstream group with passive and active health checks and slow start.

`slow_start` is of the commercial edition only; a server that comes back after it was unhealthy or unavailable gets its
weight back bit by bit, from zero. (What open-source nginx does, pick for pick, is `lbalgo.compat.nginx`.)

Costs: those of the parts.
Source: nginx.org, ngx_http_upstream_module and ngx_http_upstream_hc_module.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.policies.least_loaded import LeastConnections
from lbalgo.policies.round_robin import WeightedRoundRobin
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import HttpCheck
from lbalgo.signals.detectors import ConsecutiveGatewayErrors
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.signals.probing import Probing
from lbalgo.signals.slow_start import SlowStart
from lbalgo.spec import check_enum, check_integer, check_real
from lbalgo.types import State

UPSTREAM, CHECKS = "nginx.org, ngx_http_upstream_module", "nginx.org, ngx_http_upstream_hc_module"
HEALTH_CHECK = HttpCheck(expected=((200, 399),))
MAX_FAILS, FAIL_TIMEOUT = 1, 10.0  # seconds
INTERVAL, FAILS, PASSES = 5.0, 1, 1  # seconds
TIMEOUT = 5.0  # seconds; ours
TICK = 1.0  # seconds; nginx counts in whole ones
STEPS = 20  # ours
FIRST_SHARE = 1.0 / STEPS  # ours: a step at 0 would send nothing


class Method(enum.Enum):
    """The load balancing method of an upstream group, of those that go with slow start."""

    ROUND_ROBIN = "round robin"
    LEAST_CONN = "least_conn"


POLICIES: dict[Method, Any] = {Method.ROUND_ROBIN: WeightedRoundRobin(), Method.LEAST_CONN: LeastConnections()}


def nginx_plus(
    method: Method = Method.ROUND_ROBIN,
    *,
    slow_start: float = 0.0,
    max_fails: int = MAX_FAILS,
    fail_timeout: float = FAIL_TIMEOUT,
    check: HttpCheck | None = HEALTH_CHECK,
) -> Preset:
    """An upstream group of NGINX Plus, with `health_check` at its defaults.

    Parameters
    ----------
    method : how it chooses; backends have weights.
    slow_start : seconds until a server has its weight back; 0 for at once, the default there.
    max_fails : failures that make a server unavailable, >= 0; 0 for never.
    fail_timeout : seconds for which it is.
    check : the active health check; None for none.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of the parts.
    Source: nginx.org, ngx_http_upstream_module, server; ngx_http_upstream_hc_module, health_check.

    Examples
    --------
    >>> preset = nginx_plus(slow_start=30)
    >>> preset.value("SlowStart.window"), preset.value("OutlierEjection.base_ejection_time")
    (30.0, 10.0)
    """
    check_enum("method", method, Method)
    slow_start = check_real("slow_start", slow_start, low=0.0, high=1e9)
    check_integer("max_fails", max_fails, low=0, high=1_000_000)
    fail_timeout = check_real("fail_timeout", fail_timeout, low=1.0, high=1e9)
    if check is not None and not isinstance(check, HttpCheck):
        raise ConfigError("check", check, "must be an HttpCheck, or None")
    sources = [
        Source(
            type(POLICIES[method]).__name__,
            UPSTREAM,
            "least_conn" if method is Method.LEAST_CONN else "upstream: weighted round robin by default",
        )
    ]
    unconfirmed: list[str] = []
    differs: list[str] = []
    if max_fails:
        sources += [
            Source("ConsecutiveGatewayErrors.threshold", UPSTREAM, "server: max_fails"),
            Source("OutlierEjection.base_ejection_time", UPSTREAM, "server: fail_timeout"),
            Source("OutlierEjection.max_ejection_time", UPSTREAM, "server: fail_timeout"),
        ]
        unconfirmed.append("That any number of servers may be unavailable at once: no limit is documented.")
        differs += [
            "Failures are counted within fail_timeout there; here it is a run of them without a success between.",
            "What a failure is proxy_next_upstream says; here a gateway error, a local error or a timeout.",
            "A group's only server is never unavailable there; here it is, unless max_fails is 0.",
        ]
    if check is not None:
        sources += [
            Source("ActiveHealth.interval", CHECKS, "health_check: interval"),
            Source("ActiveHealth.fall", CHECKS, "health_check: fails"),
            Source("ActiveHealth.rise", CHECKS, "health_check: passes"),
            Source("ActiveHealth.jitter", CHECKS, "health_check: jitter"),
            Source("ActiveHealth.check.expected", CHECKS, "health_check: match, 2xx or 3xx by default"),
            Source("ActiveHealth.initial", CHECKS, "health_check: mandatory, healthy at first without it"),
        ]
        unconfirmed.append(f"How long a health check may take: {TIMEOUT:g} s are ours.")
    if slow_start:
        sources.append(Source("SlowStart.window", UPSTREAM, "server: slow_start"))
        unconfirmed += [
            "That the weight comes back linearly: the page says from zero to its nominal value.",
            f"In which steps it does: {STEPS}, beginning with {FIRST_SHARE:g}, are ours.",
        ]
        differs.append("Slow start is for servers that come back; here for those that are new to the group as well.")
    return Preset(
        "NGINX Plus",
        POLICIES[method],
        partial(_parts, slow_start, max_fails, fail_timeout, check),
        tuple(sources),
        (*unconfirmed, "What happens when no server is available: here nobody is chosen."),
        tuple(differs),
        0.0,
    )


def _parts(slow_start: float, max_fails: int, fail_timeout: float, check: HttpCheck | None) -> Any:
    signals: list[Any] = []
    if max_fails:
        runs = (ConsecutiveGatewayErrors(max_fails),)
        signals.append(OutlierEjection(runs, TICK, fail_timeout, fail_timeout, max_ejection_percent=100.0))
    if check is not None:
        times = INTERVAL, TIMEOUT, PASSES, FAILS
        signals.append(ActiveHealth.of(Probing(check, *times, jitter=0.0, initial=State.HEALTHY, hold_share=1.0)))
    if slow_start:
        signals.append(SlowStart(slow_start, floor=FIRST_SHARE, steps=STEPS))
    return tuple(signals), ()
