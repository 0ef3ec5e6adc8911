"""What a trace says of a workload: how unequal its costs are, how bursty it is, how hot its hottest key.

Burstiness is the squared coefficient of variation of the times between requests: 1 for requests that know nothing of
each other, 0 for an even pace, more for bursts.

Costs: O(requests).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from lbalgo.advice.workload import Workload
from lbalgo.errors import ConfigError
from lbalgo.sim.traces import Trace
from lbalgo.spec import to_dict
from lbalgo.types import F64

LEAST = 100  # requests; fewer say nothing about variance


@dataclass(frozen=True)
class Measured:
    """What a trace has.

    Parameters
    ----------
    requests : how many.
    rate : requests a second.
    burstiness : squared coefficient of variation of the times between them.
    variance : squared coefficient of variation of the costs; None without costs.
    hot_share : fraction of the requests that have the most frequent key; None without keys.
    """

    requests: int
    rate: float
    burstiness: float
    variance: float | None
    hot_share: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    def into(self, workload: Workload) -> Workload:
        """The workload with what the trace says of it."""
        found = {"variance": self.variance, "hot_share": self.hot_share if workload.keyed else None}
        return replace(workload, **{name: value for name, value in found.items() if value is not None})  # type: ignore[arg-type]


def measured(trace: Trace) -> Measured:
    """What a trace has.

    Raises
    ------
    ConfigError : it is no trace, has too few requests, all at one instant, or none of them costs anything.

    Examples
    --------
    >>> from lbalgo.sim import read_trace
    >>> lines = [f"{i},{1 + i % 2 * 2},k{i % 4}" for i in range(100)]
    >>> told = measured(read_trace("\\n".join(["time,cost,key", *lines])))
    >>> told.rate, told.burstiness, told.variance, told.hot_share
    (1.0, 0.0, 0.25, 0.25)
    """
    if not isinstance(trace, Trace):
        raise ConfigError("trace", trace, "must be a Trace")
    n = len(trace.times)
    if n < LEAST:
        raise ConfigError("trace", n, f"must have {LEAST} requests or more")
    if trace.times[0] == trace.times[-1]:
        raise ConfigError("trace", trace.times[0], "must not be of one instant")
    if trace.costs is not None and not any(trace.costs):
        raise ConfigError("trace", 0.0, "must have a cost above 0")
    return Measured(
        n,
        (n - 1) / (trace.times[-1] - trace.times[0]),
        _variation(np.diff(trace.times)),
        None if trace.costs is None else _variation(np.array(trace.costs)),
        None if trace.keys is None else max(Counter(trace.keys).values()) / n,
    )


def _variation(values: F64) -> float:
    return float(values.var() / values.mean() ** 2)
