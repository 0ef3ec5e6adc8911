"""Probes: does anybody notice a dead backend, how late at worst, and how easily is a living one called dead?

The worst case is `Probing.worst_case_detection`: an interval until the first probe fails, the rest of the run, and the
last timeout. HAProxy's `inter` is its timeout too, unless `timeout check` says otherwise, which a loader does not keep.

Costs: O(servers). Sources: HAProxy Configuration Manual, "inter", "fall"; nginx, "max_fails".
"""

from __future__ import annotations

from collections.abc import Iterator

from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding, Severity
from lbalgo.signals.probing import Probing

WATCHERS = ("ActiveHealth", "OutlierEjection", "haproxy.HealthChecks", "envoy.OutlierDetector")


def probings(setup: Setup) -> dict[str, Probing]:
    """The probes of this setup, by the field they are called by; HAProxy's servers with equal checks are one."""
    found: dict[str, Probing] = {}
    signal = setup.signal("ActiveHealth")
    if signal is not None:
        found["ActiveHealth"] = signal.spec
    for server in setup.view.backends if setup.system == "haproxy" else ():
        check = server.check
        if check is not None:
            times = (check.inter, check.inter, check.rise, check.fall, check.fastinter, check.downinter)
            probing = Probing(Probing.haproxy().check, *times, jitter=0.0)
            if probing not in found.values():
                found[f"server {server.id} check"] = probing
    return found


def nobody_watches(setup: Setup) -> Iterator[Finding]:
    """Nothing takes a dead backend out."""
    backends = [backend for backend in setup.view.backends if backend.weight > 0]
    blind: list[str] = []
    if setup.system == "nginx":
        blind = [b.id for b in backends if not b.max_fails]
        if len(backends) == 1:
            return  # there is nobody else to send to
    elif setup.system == "haproxy":
        blind = [b.id for b in backends if b.check is None]
    elif setup.signal(*WATCHERS) is None and not setup.says("health_checks", "healthChecks"):
        blind = list(setup.view.ids)
    if blind:
        fields = {"": "signals", "envoy": "health_checks", "haproxy": "check", "nginx": "max_fails"}
        fixes = {
            "": "add ActiveHealth or OutlierEjection to the signals",
            "envoy": "add health_checks or outlier_detection",
            "haproxy": "add check to every server",
            "nginx": "set max_fails to 1 or more",
        }
        yield Finding(
            fields[setup.system],
            f"{len(blind)} of {len(setup.view)} backends get their share when they are dead too, {blind[0]!r} for one",
            fixes[setup.system],
            Severity.ERROR,
        )


def late_detection(setup: Setup) -> Iterator[Finding]:
    """How long a dead backend gets requests at worst, against what was asked for."""
    for field, probing in probings(setup).items():
        worst, wanted = probing.worst_case_detection(), setup.facts.detect_within
        each = setup.rate_each
        lost = "" if each is None else f", and about {each * worst:.3g} requests are sent to it"
        if wanted is None:
            fix = "state detect_within to have this judged"
            yield Finding(field, f"at worst a dead backend is noticed after {worst:g} s{lost}", fix, Severity.NOTE)
        elif worst > wanted:
            shorter = f"{probing.interval * wanted / worst:.3g} s"
            timeout = f"{probing.timeout * wanted / worst:.3g} s"
            fix = f"set the interval to {shorter} and the timeout to {timeout} or less, or lower fall"
            yield Finding(field, f"at worst a dead backend is noticed after {worst:g} s, not {wanted:g} s{lost}", fix)


def one_failure_decides(setup: Setup) -> Iterator[Finding]:
    """A single lost packet takes a backend out."""
    for field, probing in probings(setup).items():
        if probing.fall == 1:
            yield Finding(field, "a single probe that is lost takes a healthy backend out", "set fall to 2 or 3")


def slow_probes(setup: Setup) -> Iterator[Finding]:
    """Probes that may take longer than the time between them: the interval is not kept."""
    for field, probing in probings(setup).items():
        if probing.timeout > probing.interval:
            late = f"a backend that does not answer is probed every {probing.timeout:g} s, not {probing.interval:g} s"
            yield Finding(field, late, "set the timeout below the interval")
