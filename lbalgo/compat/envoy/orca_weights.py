"""What a host reports of itself (ORCA), the weight that makes, and which weights count at an update.

Pure functions and two records. Source: Envoy 1.40, `client_side_weighted_round_robin.v3`; `xds.data.orca.v3`; replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from lbalgo.compat.envoy.host import WEIGHTS
from lbalgo.errors import ConfigError
from lbalgo.spec import check_real

NESTED_METRICS = ("utilization", "named_metrics", "request_cost")
PLAIN_METRICS = ("cpu_utilization", "mem_utilization", "application_utilization", "eps", "rps_fractional")


@dataclass(frozen=True)
class OrcaLoadReport:
    """A host's report of its own load, by ORCA's names.

    Parameters
    ----------
    cpu_utilization, mem_utilization, application_utilization : shares; the first and the last may exceed 1.
    rps_fractional : requests a second (qps).
    eps : errors a second.
    utilization, named_metrics, request_cost : name to value.

    Raises
    ------
    ConfigError : a value is not finite and >= 0 (named metrics may be negative).

    Source: `xds.data.orca.v3.OrcaLoadReport`.

    Examples
    --------
    >>> OrcaLoadReport(cpu_utilization=0.5, rps_fractional=1000).eps
    0.0
    """

    cpu_utilization: float = 0.0
    mem_utilization: float = 0.0
    application_utilization: float = 0.0
    rps_fractional: float = 0.0
    eps: float = 0.0
    utilization: Mapping[str, float] = field(default_factory=dict)
    named_metrics: Mapping[str, float] = field(default_factory=dict)
    request_cost: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in PLAIN_METRICS:
                check_real(f.name, value, low=0.0)
            elif not isinstance(value, Mapping):
                raise ConfigError(f.name, value, "must be a mapping from name to value")
            else:
                for name, number in value.items():
                    check_real(f"{f.name}[{name!r}]", number)

    def metric(self, name: str) -> float:
        """The metric of this name, 0 if it was not reported; ``named_metrics.*`` is the greatest of all of them.

        Examples
        --------
        >>> report = OrcaLoadReport(0.25, named_metrics={"queue": 0.75, "disk": 0.5})
        >>> report.metric("cpu_utilization"), report.metric("named_metrics.disk"), report.metric("named_metrics.*")
        (0.25, 0.5, 0.75)
        """
        if name in PLAIN_METRICS:
            return float(getattr(self, name))
        kind, _, inner = name.partition(".")
        values: Mapping[str, float] = getattr(self, kind) if kind in NESTED_METRICS else {}
        if inner == "*":
            return float(max(values.values(), default=0.0))
        return float(values.get(inner, 0.0))


def report_weight(report: OrcaLoadReport, metric_names: Sequence[str] = (), penalty: float = 0.0) -> int | None:
    """The weight a report makes; None if it is to be ignored.

    Parameters
    ----------
    report : of a host.
    metric_names : metrics that go before the application's utilization and the processor's.
    penalty : `error_utilization_penalty`.

    Examples
    --------
    >>> report_weight(OrcaLoadReport(application_utilization=0.5, rps_fractional=1000, eps=100), penalty=1.5)
    1538
    >>> report_weight(OrcaLoadReport(rps_fractional=100)) is None
    True
    """
    qps = report.rps_fractional
    if qps <= 0:
        return None
    utilization = max((report.metric(name) for name in metric_names), default=0.0)
    if utilization <= 0:
        utilization = report.application_utilization
    if utilization <= 0:
        utilization = report.cpu_utilization
    utilization += penalty * report.eps / qps
    if utilization <= 0:
        return None
    return int(min(qps / utilization, float(WEIGHTS)))


class Reporting:
    """What one host has reported.

    Attributes
    ----------
    weight : of the last report that counts.
    since, last : when reports began, and the last one, seconds; None before the first.
    """

    __slots__ = ("last", "since", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.since: float | None = None
        self.last: float | None = None

    def take(self, weight: int, now: float) -> None:
        """A report of this weight came in at `now` (seconds)."""
        self.weight, self.last = weight, now
        if self.since is None:
            self.since = now

    def valid(self, now: float, blackout: float, expiration: float) -> bool:
        """Whether the weight counts at `now` (seconds); expiry ends the series of reports."""
        if self.since is None or self.last is None or now - blackout < self.since:
            return False
        if self.last < now - expiration:
            self.since = None
            return False
        return True


def updated_weights(valid: Sequence[int | None]) -> list[int]:
    """The weights of an update: the valid ones, and for the others (None) their median, 1 if there are none.

    Examples
    --------
    >>> updated_weights([2000, 4000, None]), updated_weights([None, None])
    ([2000, 4000, 3000], [1, 1])
    """
    known = sorted(weight for weight in valid if weight is not None)
    middle = len(known) // 2
    median = 1
    if known:
        median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) // 2
    return [median if weight is None else weight for weight in valid]
