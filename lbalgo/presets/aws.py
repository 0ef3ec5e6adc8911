"""AWS Elastic Load Balancing: the target groups of Application and Network Load Balancers.

An Application Load Balancer chooses a target for every request: in turn, by fewest outstanding requests, or at random
with less for targets that fail more than their peers (automatic target weights). A Network Load Balancer chooses one
for every flow, by a hash of the 5-tuple, and remembers it: `flow_key` gives the keys, or `client_key` where stickiness
by source address is wanted.

Costs: those of the parts.
Source: AWS, Elastic Load Balancing user guides; the API reference where they are older than it.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any

from lbalgo.draining import ELB_DEREGISTRATION_DELAY
from lbalgo.errors import ConfigError
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.gates.flow_table import FlowTable
from lbalgo.gates.sticky import Fallback, Sticky
from lbalgo.policies.least_loaded import LeastConnections
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.round_robin import RoundRobin
from lbalgo.policies.weighted_random import Random
from lbalgo.presets.preset import FAIL_OPEN, Preset, Source
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import Check, HttpCheck, TcpCheck
from lbalgo.signals.drain import Drain
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.signals.probing import ALB_CHECK, Probing
from lbalgo.signals.slow_start import SlowStart
from lbalgo.signals.statistical import Statistical
from lbalgo.spec import check_bool, check_enum, check_real
from lbalgo.types import State

DEREGISTRATION_DELAY = ELB_DEREGISTRATION_DELAY.seconds  # the default of both
COOKIE = 86_400.0  # seconds; the default of stickiness.lb_cookie.duration_seconds
STEPS = 20  # ours: each step of a slow start is a twentieth
FIRST_SHARE = 1.0 / STEPS  # ours: a step at 0 would send nothing
EASED = 60.0  # seconds; ours, a mitigated target's way back
MITIGATED = 50.0  # percent of the targets; ours
TCP_IDLE, UDP_IDLE = 350.0, 120.0  # seconds
HTTP_TIMEOUT, TCP_TIMEOUT = 6.0, 10.0  # seconds; of Network Load Balancers' health checks
HTTP_CODES = HttpCheck(expected=((200, 399),))

ALB_GUIDE = "AWS, User Guide for Application Load Balancers"
ELB_GUIDE = "AWS, User Guide for Elastic Load Balancing"
NLB_GUIDE = "AWS, User Guide for Network Load Balancers"
API = "AWS CloudFormation, AWS::ElasticLoadBalancingV2::TargetGroup"
ALB_CHECKS, NLB_CHECKS = (f"Health checks for {kind} target groups" for kind in ("ALB", "NLB"))


class Routing(enum.Enum):
    """How an Application Load Balancer chooses: its load_balancing.algorithm.type."""

    ROUND_ROBIN = "round_robin"
    LEAST_OUTSTANDING_REQUESTS = "least_outstanding_requests"
    WEIGHTED_RANDOM = "weighted_random"


POLICIES: dict[Routing, Any] = {
    Routing.ROUND_ROBIN: RoundRobin(),
    Routing.LEAST_OUTSTANDING_REQUESTS: LeastConnections(),
    Routing.WEIGHTED_RANDOM: Random(),
}


def alb(
    routing: Routing = Routing.ROUND_ROBIN,
    *,
    slow_start: float = 0.0,
    anomaly_mitigation: bool = False,
    deregistration_delay: float = DEREGISTRATION_DELAY,
    check: HttpCheck = ALB_CHECK,
    secrets: tuple[bytes, ...] | None = None,
    cookie_duration: float = COOKIE,
) -> Preset:
    """A target group of an Application Load Balancer, for targets of type instance or ip.

    Parameters
    ----------
    routing : the algorithm.
    slow_start : seconds, 30 to 900, or 0 for none; with round robin only.
    anomaly_mitigation : whether targets that fail more than their peers get less; with weighted random only.
    deregistration_delay : seconds, above 0 and at most 3600.
    check : what the health check asks and which codes pass.
    secrets : as of `Sticky`: sessions are kept by a cookie; None for no stickiness. The balancer's clock has to be
        `time.time` then.
    cookie_duration : seconds from the last request to the end of a session, 1 to 604800.

    Raises
    ------
    ConfigError : a parameter is out of its range, or does not go with the algorithm.

    Costs: those of the parts; the gate that counts for the drain makes the balancer take its slow path.
    Source: AWS, User Guide for Application Load Balancers, Target groups.

    Examples
    --------
    >>> preset = alb(Routing.LEAST_OUTSTANDING_REQUESTS)
    >>> preset.value("ActiveHealth.rise"), preset.value("ActiveHealth.fall"), preset.value("Drain.patience")
    (5, 2, 300.0)
    """
    check_enum("routing", routing, Routing)
    slow_start = check_real("slow_start", slow_start, low=0.0, high=900.0)
    if 0.0 < slow_start < 30.0:
        raise ConfigError("slow_start", slow_start, "must be 0, or from 30 to 900")
    if slow_start and routing is not Routing.ROUND_ROBIN:
        raise ConfigError("slow_start", slow_start, f"does not go with {routing.value}")
    if check_bool("anomaly_mitigation", anomaly_mitigation) and routing is not Routing.WEIGHTED_RANDOM:
        raise ConfigError("anomaly_mitigation", anomaly_mitigation, f"does not go with {routing.value}")
    delay = check_real("deregistration_delay", deregistration_delay, low=0.0, high=3600.0, open_low=True)
    check_enum("check", check, HttpCheck)
    duration = check_real("cookie_duration", cookie_duration, low=1.0, high=604_800.0)
    sticky = None
    if secrets is not None:
        sticky = Sticky(secrets, ttl=None, idle=duration, fallback=Fallback.PICK, draining=False)
    sources = [
        Source(type(POLICIES[routing]).__name__, ALB_GUIDE, "Edit target group attributes: Routing algorithm"),
        *(
            Source(f"ActiveHealth.{mine}", ALB_GUIDE, f"{ALB_CHECKS}: {theirs}")
            for mine, theirs in (
                ("interval", "HealthCheckIntervalSeconds"),
                ("timeout", "HealthCheckTimeoutSeconds"),
                ("rise", "HealthyThresholdCount"),
                ("fall", "UnhealthyThresholdCount"),
                ("check.expected", "Matcher"),
                ("initial", "one check passed makes a new target healthy"),
            )
        ),
        Source("Balancer.panic_below", ALB_GUIDE, f"{ALB_CHECKS}: fail open when all targets are unhealthy"),
        Source("Drain.patience", ALB_GUIDE, "Edit target group attributes: Deregistration delay"),
        Source("DrainGate", ALB_GUIDE, "Edit target group attributes: Deregistration delay (at once when idle)"),
    ]
    unconfirmed = ["The user guide has a health check timeout of 5 s, the CloudFormation page one of 6 s for HTTP."]
    differs = ["A deregistration delay of 0 is refused: let the target leave the pool instead."]
    if routing is not Routing.ROUND_ROBIN:
        differs.append("Targets have no weights there; here weights of the backends count.")
    if routing is Routing.WEIGHTED_RANDOM:
        unconfirmed.append("That slow start does not go with weighted random: it is refused here.")
    if slow_start:
        sources.append(Source("SlowStart.window", ALB_GUIDE, "Edit target group attributes: Slow start mode"))
        sources.append(Source("SlowStart.aggression", ALB_GUIDE, "Slow start mode: the share increases linearly"))
        unconfirmed.append(
            f"With which share a slow start begins and in which steps it grows: {FIRST_SHARE:g} and {STEPS} are ours."
        )
        differs.append(
            "Targets registered while none is healthy do not start slowly there; here all of them do, in equal shares."
        )
    if anomaly_mitigation:
        sources.append(Source("Statistical.minimum_hosts", "AWS, networking blog", "Automatic target weights (2023)"))
        unconfirmed.append(
            "How much worse than its peers a target must be, how often this is judged, and how many may be mitigated at"
            f" once: an exact binomial test every 10 s and at most {MITIGATED:g} % are ours."
        )
        unconfirmed.append(f"How long it takes a recovered target to have its full share: {EASED:g} s are ours.")
        differs.append("An anomalous target loses its traffic step by step there; here at once, by an ejection.")
        differs.append("Only a target that recovers is eased in there; here whoever joins is as well.")
    if sticky is not None:
        sources.append(Source("Sticky.idle", ALB_GUIDE, "Sticky sessions: stickiness.lb_cookie.duration_seconds"))
        sources.append(Source("Sticky.fallback", ALB_GUIDE, "Sticky sessions: a new target, and a new cookie"))
        sources.append(Source("Sticky.draining", ALB_GUIDE, "Sticky sessions: a deregistered target loses them"))
        differs.append("Cookies are renewed when a tenth of their duration has passed, there with each request.")
    return Preset(
        "AWS Application Load Balancer",
        POLICIES[routing],
        partial(_alb_parts, Probing.alb(check), delay, slow_start, anomaly_mitigation, sticky),
        tuple(sources),
        tuple(unconfirmed),
        tuple(differs),
        FAIL_OPEN,
    )


def _alb_parts(probing: Probing, delay: float, slow_start: float, mitigation: bool, sticky: Sticky | None) -> Any:
    drain = Drain(delay)
    signals: list[Any] = [ActiveHealth.of(probing), drain]
    if slow_start:
        signals.append(SlowStart(slow_start, floor=FIRST_SHARE, steps=STEPS))
    if mitigation:
        signals.append(OutlierEjection((Statistical(minimum_hosts=3),), max_ejection_percent=MITIGATED))
        signals.append(SlowStart(EASED, floor=FIRST_SHARE, steps=STEPS))
    gates: list[Any] = [DrainGate(drain)]
    return tuple(signals), tuple(gates if sticky is None else [*gates, sticky])


def nlb(*, udp: bool = False, deregistration_delay: float = DEREGISTRATION_DELAY, check: Check | None = None) -> Preset:
    """A target group of a Network Load Balancer; its keys are those of `flow_key`, or of `client_key` for stickiness.

    Parameters
    ----------
    udp : whether the flows are of UDP: forgotten after 120 s without a packet, those of TCP after 350 s.
    deregistration_delay : seconds, above 0 and at most 3600.
    check : of health: a `TcpCheck`, or an `HttpCheck`; None: TCP.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A TCP connection that is seen to end is forgotten by `parts.get(FlowTable).end(key)`.

    Costs: those of the parts; a flow table's entry a flow.
    Source: AWS, User Guide for Network Load Balancers, Target groups.

    Examples
    --------
    >>> preset = nlb()
    >>> preset.value("FlowTable.idle"), preset.value("ActiveHealth.timeout")
    (350.0, 10.0)
    """
    idle = UDP_IDLE if check_bool("udp", udp) else TCP_IDLE
    delay = check_real("deregistration_delay", deregistration_delay, low=0.0, high=3600.0, open_low=True)
    check = TcpCheck() if check is None else check
    if not isinstance(check, (TcpCheck, HttpCheck)):
        raise ConfigError("check", check, "must be a TcpCheck or an HttpCheck")
    timeout = HTTP_TIMEOUT if isinstance(check, HttpCheck) else TCP_TIMEOUT
    probing = Probing(check, 30.0, timeout, 5, 2, jitter=0.0, hold_share=1.0, initial=State.UNHEALTHY)
    return Preset(
        "AWS Network Load Balancer",
        Rendezvous(),
        partial(_nlb_parts, probing, delay, idle),
        (
            Source("Rendezvous", ELB_GUIDE, "How Elastic Load Balancing works: Routing algorithm (flow hash)"),
            Source("ActiveHealth.interval", API, "HealthCheckIntervalSeconds"),
            Source("ActiveHealth.timeout", API, "HealthCheckTimeoutSeconds"),
            Source("ActiveHealth.rise", API, "HealthyThresholdCount"),
            Source("ActiveHealth.fall", API, "UnhealthyThresholdCount"),
            Source("ActiveHealth.initial", NLB_GUIDE, f"{NLB_CHECKS}: routing starts once the initial checks passed"),
            Source("Balancer.panic_below", NLB_GUIDE, f"{NLB_CHECKS}: fail open when all targets are unhealthy"),
            Source("FlowTable.idle", "AWS, networking blog", "Introducing NLB TCP configurable idle timeout (2024)"),
            Source("FlowTable.draining", NLB_GUIDE, "Target groups: Deregistration delay (connections go on)"),
            Source("Drain.patience", NLB_GUIDE, "Target groups: Deregistration delay"),
        ),
        (
            "Which hash of the 5-tuple, and how it leads to a target: rendezvous hashing is ours.",
            "How many flows are remembered: the capacity is ours.",
            "Thresholds: older editions of the user guide have 3 for both; the CloudFormation page has 5 and 2.",
            "Whether the first check alone decides on a new target, as here.",
        ),
        (
            "The hash of TCP flows has the sequence number in it; keys here are what the caller makes them.",
            "Passive health checks, which cannot be configured there, are left out.",
            "Half-open connections are not tracked there; here flows of one packet have a part of the table.",
        ),
        FAIL_OPEN,
    )


def _nlb_parts(probing: Probing, delay: float, idle: float) -> Any:
    return (ActiveHealth.of(probing), Drain(delay)), (FlowTable(idle=idle, young_idle=idle),)
