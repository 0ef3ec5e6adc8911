"""`advise`: the one question, whatever it is about."""

from __future__ import annotations

from typing import Any, overload

from lbalgo.advice.audit import audit
from lbalgo.advice.recommend import Recommendation, recommend
from lbalgo.advice.setup import Setup
from lbalgo.advice.workload import Workload
from lbalgo.compat.config import Loaded
from lbalgo.errors import ConfigError
from lbalgo.findings import Finding


@overload
def advise(about: Setup | Loaded) -> tuple[Finding, ...]: ...
@overload
def advise(about: Workload) -> Recommendation: ...
def advise(about: Any) -> Any:
    """What to change about a configuration, or what to take for a workload.

    Parameters
    ----------
    about : a `Setup`, or what a loader of `lbalgo.compat` has read: an audit. A `Workload`: a recommendation.

    Raises
    ------
    ConfigError : it is neither.

    Costs: an audit O(backends); a recommendation some hundredths of a second.
    Source: ours; `audit` and `recommend` of `lbalgo.advice` do it, and take more parameters.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.advice import Setup, Workload
    >>> [finding.field for finding in advise(Setup(lb.RoundRobin(), {"a": 1, "b": 2}))]
    ['signals', 'gates', 'weight']
    >>> advise(Workload(backends=20, balancers=500)).policy
    PowerOfTwo(choices=2, load=InFlight(), force_after=None)
    """
    if isinstance(about, Loaded):
        return audit(Setup.of(about))
    if isinstance(about, Setup):
        return audit(about)
    if isinstance(about, Workload):
        return recommend(about)
    raise ConfigError("about", about, "must be a Setup, a Loaded or a Workload")
