"""Is a drain long enough for what is in flight, and does it end before the kill?

The arithmetic is `lbalgo.draining.check_drain`'s; here it is given what the setup says. Without a grace period nobody
is killed. A `Drain` signal that is part of the setup says how long the drain is, if the facts do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbalgo.advice.setup import Setup
from lbalgo.draining import check_drain
from lbalgo.findings import Finding, Severity
from lbalgo.spec import LIMIT


def drain_times(setup: Setup) -> Iterator[Finding]:
    """`drain` shorter than `p99`; `grace` shorter than the drain; a stop before everybody has heard."""
    facts, signal = setup.facts, setup.signal("Drain")
    drain = facts.drain if facts.drain is not None or signal is None else signal.patience
    if facts.p99 is not None and drain is not None:
        grace = LIMIT if facts.grace is None else facts.grace
        yield from check_drain(facts.p99, drain, grace, facts.pre_stop, facts.propagation)


def sessions_stay(setup: Setup) -> Iterator[Finding]:
    """Sessions that a draining backend keeps, with nobody to end them at the deadline."""
    sticky = setup.gate("Sticky")
    if setup.signal("Drain") is not None and sticky is not None and sticky.draining and not setup.gate("DrainGate"):
        yield Finding(
            "gates",
            "sessions stay on a draining backend until it leaves the pool, whatever the drain's deadline",
            "add DrainGate(drain) to the gates, or set Sticky(draining=False)",
            Severity.WARNING,
        )
