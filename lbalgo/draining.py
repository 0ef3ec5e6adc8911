"""Will a deploy lose requests? The times of a backend's end, checked against each other; where defaults come from.

A backend is told to stop at 0. Four clocks run from there, and none knows of the others:

    0 ............ propagation       balancers hear of it, one by one; until then all send as before
    0 .... pre_stop                  a hook waits; the backend serves as before
           pre_stop ....... + drain  it accepts nothing new, and ends what it has
    0 ........................ grace then it is killed

The last request arrives at L = min(propagation, pre_stop), and if it is one of the slow ones it ends at L + p99. So
nothing is refused if propagation <= min(pre_stop, grace), and of 100 requests that arrive at L at most one is cut if
L + p99 <= min(pre_stop + drain, grace). One more thing is worth a warning: pre_stop + drain > grace, as the drain then
never comes to its end. These are all the findings there are; each fix is the least that is enough, and with all of them
made there is nothing left to find.

What p99 hides: who is in flight at an instant is not who arrives. The slow ones are in flight for longer, so that of
those found there more than one in a hundred can have more than p99 still to go: with exponential times 1 in 100, with
a tail of x**-1.5 it is 14 (docs/guide/drain.md). And one request in a hundred is a loss, however slow it is.

Costs: O(1).
Source: the model is that of the Kubernetes documentation, "Termination of Pods"; the checks are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbalgo.findings import Finding, Severity
from lbalgo.signals.timeline import NANOSECONDS, nanoseconds
from lbalgo.spec import LIMIT, check_real


@dataclass(frozen=True, slots=True)
class Default:
    """A default of some system.

    Attributes
    ----------
    name : the setting, as that system calls it.
    seconds : its default.
    meaning : what it is for.
    source : the document that says so.
    """

    name: str
    seconds: float
    meaning: str
    source: str


ELB_DEREGISTRATION_DELAY = Default(
    "ELB `deregistration_delay.timeout_seconds`",
    300.0,
    "a target stays draining so long, or until nothing is in flight; 0 to 3600",
    "AWS, Elastic Load Balancing, target groups: deregistration delay",
)
ENVOY_DRAIN_TIME = Default(
    "Envoy `--drain-time-s`",
    600.0,
    "over this time a server that restarts, or is drained, discourages requests",
    "Envoy, command line options, 1.39",
)
ENVOY_DRAIN_TIMEOUT = Default(
    "Envoy `drain_timeout`",
    5.0,
    "between the two GOAWAYs of a connection",
    "Envoy, HttpConnectionManager v3",
)
ENVOY_DELAYED_CLOSE = Default(
    "Envoy `delayed_close_timeout`",
    1.0,
    "a closed connection waits so long for its peer to close",
    "Envoy, HttpConnectionManager v3",
)
KUBERNETES_GRACE = Default(
    "Kubernetes `terminationGracePeriodSeconds`",
    30.0,
    "from the beginning of the preStop hook to SIGKILL; 2 more, once, for a hook that still runs",
    "Kubernetes, Pod Lifecycle, Termination of Pods",
)
DEFAULTS = (ELB_DEREGISTRATION_DELAY, ENVOY_DRAIN_TIME, ENVOY_DRAIN_TIMEOUT, ENVOY_DELAYED_CLOSE, KUBERNETES_GRACE)


def check_drain(p99: float, drain: float, grace: float, pre_stop: float, propagation: float) -> tuple[Finding, ...]:
    """What will go wrong when a backend with these times is told to stop; nothing, if it is well.

    Parameters
    ----------
    p99 : seconds within which 99 of 100 requests end.
    drain : seconds for which it ends what it has, after the hook.
    grace : seconds after which it is killed.
    pre_stop : seconds for which a hook waits first, while it serves as before.
    propagation : seconds until the last balancer has heard and sends nothing more.

    Returns
    -------
    at most one finding for each of `pre_stop`, `drain` and `grace`, in this order.

    Raises
    ------
    ConfigError : a time is negative, or no number.

    Costs: O(1).
    Source: Kubernetes, Termination of Pods, for the model; the checks are ours.

    Examples
    --------
    >>> for finding in check_drain(p99=10, drain=25, grace=30, pre_stop=0, propagation=5):
    ...     print(finding)
    error: pre_stop: for 5 s requests are sent to a backend that accepts none; set pre_stop to 5 s or more
    >>> check_drain(p99=10, drain=25, grace=30, pre_stop=5, propagation=5)
    ()
    """
    times = (("p99", p99), ("drain", drain), ("grace", grace), ("pre_stop", pre_stop), ("propagation", propagation))
    slow, ends, kill, hook, heard = (nanoseconds(check_real(name, value, low=0.0, high=LIMIT)) for name, value in times)
    last = min(heard, hook)  # when the last request arrives, if the backend lives
    stops = hook + ends
    good_hook = max(hook, heard)
    good_ends = max(ends, heard + slow - good_hook)
    good_kill = good_hook + good_ends
    findings = []
    if heard > hook:
        findings.append(
            Finding(
                "pre_stop",
                f"for {_s(heard - hook)} requests are sent to a backend that accepts none",
                f"set pre_stop to {_s(good_hook)} or more",
                Severity.ERROR,
            )
        )
    if last + slow > stops:
        findings.append(
            Finding(
                "drain",
                f"the last requests have {_s(stops - last)}, and more than 1 in 100 may take longer and be cut",
                f"set drain to {_s(good_ends)} or more",
                Severity.ERROR,
            )
        )
    if last + slow > kill or heard > kill:
        if heard > kill:
            consequence = f"it is killed, and for {_s(heard - kill)} more requests are sent to it"
        else:
            consequence = f"it is killed {_s(kill - last)} after the last request: more than 1 in 100 may be cut"
        findings.append(Finding("grace", consequence, f"set grace to {_s(good_kill)} or more", Severity.ERROR))
    elif good_kill > kill:
        if stops <= kill:
            consequence = f"with what is to be set above, the drain is cut short after {_s(kill - good_hook)}"
        elif hook >= kill:
            consequence = "the drain never begins"
        else:
            consequence = f"the drain is cut short after {_s(kill - hook)}"
        findings.append(Finding("grace", consequence, f"set grace to {_s(good_kill)} or more", Severity.WARNING))
    return tuple(findings)


def _s(duration: int) -> str:
    whole, part = divmod(duration, NANOSECONDS)
    return f"{whole}{f'.{part:09}'.rstrip('0') if part else ''} s"
