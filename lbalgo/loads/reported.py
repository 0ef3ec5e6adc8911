"""`Reported`: the load that a backend states of itself.

Only the backend knows what all its clients together ask of it. Where it says so, in answers or out of band, the caller
hands it on: `Balancer.report(id, Report(…))`. The load is

    utilisation + errors * eps / qps

Reports age. One that is older than `expiry` counts as none; after silence, or at first, reports count only when they
have come for `blackout` seconds, as a backend that has just started is idle for another reason than being fast. Of
those of whom nothing counts the load is `unknown`. A report made before the last one (`Report.at`) is dropped. gRPC
drops reports of utilisation 0 as well; here 0 is what an idle backend says.

Between two reports this load stands still, and all who see it run to the same backend: use it with `PowerOfTwo`, and in
a `Sum` with `InFlight`, which counts what was sent since.

Costs: O(1) each; memory 40 bytes a row.
Sources: gRPC A58 (blackout, expiry, error penalty), where the same numbers make a weight; Envoy, ORCA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import ReportLoad
from lbalgo.spec import check_real, from_dict, to_dict

BLACKOUT = 10.0  # seconds; this and the next two are gRPC's defaults
EXPIRY = 180.0
ERRORS = 1.0
UNKNOWN = 0.5  # ours: neither idle nor full


@dataclass(frozen=True)
class Reported:
    """Reported utilisation, and the share of errors times `errors`.

    Parameters
    ----------
    unknown : load of those of whom no report counts, from 0 to 1e9.
    errors : what an error share of 1 adds, from 0 to 1e9.
    blackout : seconds for which reports must have come until they count, >= 0.
    expiry : seconds after which a report counts no more, > 0.

    Raises
    ------
    ConfigError : a parameter is out of its range; by the state's `reported`, for what is no `Report`; else as
        `InFlight`.

    Costs: O(1) each; 40 bytes a row.
    Source: gRPC A58.

    Examples
    --------
    >>> from lbalgo.report import Report
    >>> load = Reported(blackout=0.0).start()
    >>> load.reported(0, Report(0.75, qps=100.0, eps=5.0), 1.0)
    >>> load.at(0), load.at(1)
    (0.8, 0.5)
    >>> load.advance(181.0)
    >>> load.at(0)
    0.5
    """

    unknown: float = UNKNOWN
    errors: float = ERRORS
    blackout: float = BLACKOUT
    expiry: float = EXPIRY

    def __post_init__(self) -> None:
        check_real("unknown", self.unknown, low=0.0, high=1e9)
        check_real("errors", self.errors, low=0.0, high=1e9)
        check_real("blackout", self.blackout, low=0.0)
        check_real("expiry", self.expiry, low=0.0, open_low=True)

    def start(self) -> ReportLoad:
        """A new state, without reports."""
        return ReportLoad(self, self.unknown, self.errors, self.blackout, self.expiry)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Reported:
        """The load `to_dict` described."""
        return from_dict(cls, data)
