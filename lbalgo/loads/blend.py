"""`Blend`: what the caller has open, what the backend says of itself, and how it answered, in one number.

Three views of a backend, each blind in its own way: requests in flight are known at once, but only the caller's own;
utilisation covers all callers, but is old; the share of errors tells a sick backend from a fast one. Their product,

    (in flight + 1) * (1 + utilisation * u) * (1 + errors * e) / r,

has no units to argue about, and each factor is neutral where nothing is known. r rises from `floor` to 1 over the first
`ramp` seconds after a backend's first request: a newcomer has cold caches. e forgets with `tau`, and one good answer is
added to those counted, so that a single failure is no verdict.

*Probation.* A newcomer, and whoever failed last, gets one request at a time until it has given a good answer: while it
has one open its load is beyond those of all others. (If all are on probation they are compared by what they have open.)

Costs: O(1) each, an exponential a read; memory 88 bytes a row.
Source: Netflix' edge load balancer as told in its technical blog (2018): choice of two by in flight, server utilisation
and error rate, probation, 90 s of age, statistics that decay. It gives no formula and it is not in open-source Zuul:
the product, and the constants marked ours, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import BlendLoad
from lbalgo.errors import ConfigError
from lbalgo.loads.reported import Reported
from lbalgo.spec import check_real, from_dict, to_dict

UTILISATION = 1.0  # ours: a full backend is worth half an idle one
ERRORS = 10.0  # ours, after Palantir's Dialogue, where a recent failure counts as ten requests in flight
TAU = 30.0  # seconds, as told
RAMP = 90.0  # seconds, as told
FLOOR = 0.1  # as slow start


@dataclass(frozen=True)
class Blend:
    """In flight x reported utilisation x errors, with probation and a ramp by age.

    Parameters
    ----------
    utilisation, errors : how much a utilisation of 1, and an error share of 1, weigh, from 0 to 1e9.
    tau : seconds in which an answer is forgotten to 1/e, from 1e-3 to 1e9.
    ramp : seconds from the first request until a backend counts as grown up, from 1e-3 to 1e9.
    floor : part of its worth a newcomer has, from 1e-6 to 1.
    reports : which reports count, and the utilisation of those without.

    Raises
    ------
    ConfigError : a parameter is invalid; by the state, as `InFlight` and `Reported`.

    Costs: O(1) each; 88 bytes a row.
    Source: Netflix technology blog, 2018, without a formula; the formula is ours.

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> load = Blend().start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.at(0) > 1e9  # on probation, with one open
    True
    >>> load.finished(0, Outcome.SUCCESS, 0.1, 0.1)
    >>> load.at(0)
    10.0
    >>> load.advance(90.0)
    >>> load.at(0)
    1.0
    """

    utilisation: float = UTILISATION
    errors: float = ERRORS
    tau: float = TAU
    ramp: float = RAMP
    floor: float = FLOOR
    reports: Reported = Reported(unknown=0.0, errors=0.0)

    def __post_init__(self) -> None:
        check_real("utilisation", self.utilisation, low=0.0, high=1e9)
        check_real("errors", self.errors, low=0.0, high=1e9)
        check_real("tau", self.tau, low=1e-3, high=1e9)
        check_real("ramp", self.ramp, low=1e-3, high=1e9)
        check_real("floor", self.floor, low=1e-6, high=1.0)
        if not isinstance(self.reports, Reported):
            raise ConfigError("reports", self.reports, "must be a Reported")

    def start(self) -> BlendLoad:
        """A new state, in which all are newcomers."""
        return BlendLoad(self, self.reports.start())

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Blend:
        """The load `to_dict` described."""
        return from_dict(cls, data, {"reports": _reports})


def _reports(data: object) -> object:
    return Reported.from_dict(data) if isinstance(data, Mapping) else data
