"""Kubernetes: a Service as kube-proxy balances it, with readiness probes, and pods that end within their grace period.

A pod that is deleted is at once not ready, so nothing new comes to it, and has its grace period to end what it has;
then it is killed. `Balancer.report(id, DrainOrder.BEGIN)` says that it is deleted. Whether that is long enough is
`lbalgo.draining.check_drain`'s question.

Costs: those of the parts; the gate that counts for the drain makes the balancer take its slow path.
Source: kubernetes.io, Pod Lifecycle; Virtual IPs and Service Proxies; Configure Liveness, Readiness and Startup Probes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lbalgo.draining import KUBERNETES_GRACE
from lbalgo.errors import ConfigError
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.gates.flow_table import FlowTable
from lbalgo.policies.weighted_random import Random
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import Check, GrpcCheck, HttpCheck, TcpCheck
from lbalgo.signals.drain import Drain
from lbalgo.signals.probing import KUBERNETES_CHECK, Probing
from lbalgo.spec import check_bool, check_real

AFFINITY = 10_800.0  # seconds; sessionAffinityConfig.clientIP.timeoutSeconds
LIFECYCLE, PROXIES = "kubernetes.io, Pod Lifecycle", "kubernetes.io, Virtual IPs and Service Proxies"
PROBES = "kubernetes.io, Configure Liveness, Readiness and Startup Probes"


def kubernetes(
    grace_period: float = KUBERNETES_GRACE.seconds,
    *,
    readiness: Check = KUBERNETES_CHECK,
    client_ip: bool = False,
) -> Preset:
    """A Service of Kubernetes, with the defaults of a readiness probe and of a pod's end.

    Parameters
    ----------
    grace_period : seconds from a pod's deletion until it is killed, the pod's terminationGracePeriodSeconds, > 0.
    readiness : what the readiness probe asks.
    client_ip : whether clients stay with a pod, sessionAffinity ClientIP; keys are those of `client_key` then.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of the parts.
    Source: kubernetes.io, as the module says.

    Examples
    --------
    >>> preset = kubernetes()
    >>> preset.value("Drain.patience"), preset.value("ActiveHealth.interval"), preset.value("ActiveHealth.fall")
    (30.0, 10.0, 3)
    """
    grace_period = check_real("grace_period", grace_period, low=0.0, high=1e9, open_low=True)
    if not isinstance(readiness, (TcpCheck, HttpCheck, GrpcCheck)):
        raise ConfigError("readiness", readiness, "must be a TcpCheck, an HttpCheck or a GrpcCheck")
    sources = [
        Source("Random", PROXIES, "iptables proxy mode: a backend is chosen at random"),
        *(
            Source(f"ActiveHealth.{mine}", PROBES, f"Configure Probes: {theirs}")
            for mine, theirs in (
                ("interval", "periodSeconds"),
                ("timeout", "timeoutSeconds"),
                ("rise", "successThreshold"),
                ("fall", "failureThreshold"),
                ("initial", "not ready until a probe succeeds"),
            )
        ),
        Source("Balancer.panic_below", PROBES, "a pod that is not ready receives no traffic"),
        Source("Drain.patience", LIFECYCLE, "Termination of Pods: terminationGracePeriodSeconds"),
        Source("DrainGate", LIFECYCLE, "Termination of Pods: open connections are finished"),
    ]
    unconfirmed = ["What becomes of traffic when all pods of a Service are terminating: here nobody is chosen."]
    if check_bool("client_ip", client_ip):
        sources.append(Source("FlowTable.idle", PROXIES, "Session stickiness timeout: clientIP.timeoutSeconds"))
        sources.append(Source("FlowTable.draining", LIFECYCLE, "Termination of Pods: no regular traffic"))
        unconfirmed += [
            "Whether the stickiness timeout runs from a client's first connection or from its last, as here.",
            "How many clients are remembered: the capacity is ours.",
        ]
    return Preset(
        "Kubernetes Service",
        Random(),
        partial(_parts, grace_period, Probing.kubernetes(readiness), client_ip),
        tuple(sources),
        tuple(unconfirmed),
        (
            "A preStop hook that still runs has 2 s more, once; here the grace period is all there is.",
            "It takes kube-proxy a while to hear of a change; here it is at once.",
        ),
        0.0,
    )


def _parts(grace_period: float, probing: Probing, client_ip: bool) -> Any:
    drain = Drain(grace_period)
    gates: tuple[Any, ...] = (DrainGate(drain),)
    if client_ip:
        gates = (*gates, FlowTable(idle=AFFINITY, young_idle=AFFINITY, draining=False))
    return (ActiveHealth.of(probing), drain), gates
