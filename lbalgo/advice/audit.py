"""The audit: every check, over one setup; the worst first.

A check is a function from a setup to the findings it has. It judges what is there and what is stated; about what is
neither, it says nothing.

Costs: O(backends), and the build of a ring or table once for its evenness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lbalgo.advice import affinity, ejecting, overload, probing, stopping, tables, warming, weighing
from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding
from lbalgo.spec import check_enum

Check = Callable[[Setup], Iterator[Finding]]
CHECKS: Final[tuple[Check, ...]] = (
    stopping.drain_times,
    stopping.sessions_stay,
    affinity.sticky_without_fallback,
    affinity.endless_sessions,
    affinity.unbounded_sessions,
    affinity.written_by_clients,
    affinity.chosen_keys,
    affinity.address_affinity,
    overload.no_bound,
    overload.first_without_end,
    overload.retries_without_budget,
    overload.throttled_for_good,
    probing.nobody_watches,
    probing.late_detection,
    probing.one_failure_decides,
    probing.slow_probes,
    tables.not_prime,
    tables.moves_too_much,
    tables.too_coarse,
    tables.uneven,
    tables.moves_nearly_all,
    tables.points_change,
    warming.begins_at_the_top,
    warming.warms_alone,
    warming.weights_stand_still,
    warming.never_begins,
    warming.sees_no_requests,
    ejecting.never_ejects,
    ejecting.ejects_all,
    ejecting.too_few_hosts,
    ejecting.masked,
    ejecting.too_little_traffic,
    ejecting.failures_of_one,
    weighing.weights_ignored,
    weighing.locality_weights_ignored,
    weighing.nobody_has_weight,
)


def audit(setup: Setup) -> tuple[Finding, ...]:
    """What is wrong with a setup, the worst first.

    Parameters
    ----------
    setup : the configuration and the facts.

    Raises
    ------
    ConfigError : it is no `Setup`.

    Costs: O(backends), and a ring or table is built once.
    Source: ours; each check names what it goes by.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.gates import Limits
    >>> setup = Setup(lb.RoundRobin(), {"a": 2, "b": 1}, signals=[lb.OutlierEjection()], gates=[Limits()])
    >>> for finding in audit(setup):
    ...     print(finding)
    warning: weight: weights from 1 to 2 change nothing; use WeightedRoundRobin
    """
    check_enum("setup", setup, Setup)
    found = [finding for check in CHECKS for finding in check(setup)]
    return tuple(sorted(found, key=lambda finding: -finding.severity))
