"""`FailurePenalty`: a failure counts as a slow answer, however fast it came.

A backend that fails at once has the shortest queue and the best latency of all, so every load-aware policy sends it
more than its share: the sinkhole. The cure is to record, instead of what a failure took, what it costs: at least
`penalty` seconds. With peak EWMA that is a soft ejection: after one failure, a backend whose peers answer in L seconds
needs tau * ln(penalty / L) seconds without traffic to look as good as they do (5 s, 10 ms and 10 s: 62 s).

Costs: none to speak of.
Source: linkerd2-proxy's load biaser (5 s); brpc likewise records failures as computed latencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import PenaltyLoad
from lbalgo.loads.peak_ewma import PeakEwma
from lbalgo.loads.specs import check_load, loaded_from_dict, started
from lbalgo.spec import check_real, to_dict
from lbalgo.types import LoadSpec

PENALTY = 5.0  # seconds; linkerd2-proxy's


@dataclass(frozen=True)
class FailurePenalty:
    """A load that is told a failure took at least `penalty` seconds for each unit of cost.

    Parameters
    ----------
    load : specification of the load that is told; one that looks at no latency is not changed by this.
    penalty : seconds, > 0 and at most 1e9.

    Raises
    ------
    ConfigError : a parameter is invalid; by the state, as `InFlight`.

    Failures are all outcomes but SUCCESS and CANCELLED.

    Costs: O(1).
    Source: linkerd2-proxy.

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> load = FailurePenalty(PeakEwma()).start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.finished(0, Outcome.SERVER_ERROR, 0.001, 0.001)
    >>> load.at(0)
    5.0
    """

    load: LoadSpec = PeakEwma()
    penalty: float = PENALTY

    def __post_init__(self) -> None:
        check_load(self.load)
        check_real("penalty", self.penalty, low=0.0, high=1e9, open_low=True)

    def start(self) -> PenaltyLoad:
        """A new state, the load's own."""
        return PenaltyLoad(self, started(self.load), self.penalty)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the load's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> FailurePenalty:
        """The load `to_dict` described; `load` supplies one of one's own."""
        spec: FailurePenalty = loaded_from_dict(cls, data, load)
        return spec
