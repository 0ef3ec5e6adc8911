"""ORCA load reports: what a backend says of itself with a response or out of band, and which utilisation it means.

Envoy and gRPC read the same report by the same rule, so it stands here for both. Only what is used for balancing is
kept. A field that is 0 counts as not set: the report has no other way to say so.

Sources: xds.data.orca.v3.OrcaLoadReport; gRPC proposals A51, A58, A114; Envoy, "Client-side weighted round robin".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lbalgo.errors import ConfigError
from lbalgo.spec import check_real

FIELDS = ("application_utilization", "cpu_utilization", "mem_utilization")
MAPS = ("named_metrics", "utilization")


@dataclass(frozen=True)
class OrcaReport:
    """One report.

    Parameters
    ----------
    cpu_utilization, mem_utilization, application_utilization : used share of a resource, >= 0; may exceed 1.
    rps_fractional : requests answered per second (`qps` in gRPC's words).
    eps : of these, errors per second.
    utilization, named_metrics : further shares and metrics by name.

    Raises
    ------
    ConfigError : a value is no number, or `rps_fractional` or `eps` is not finite and >= 0.

    Examples
    --------
    >>> OrcaReport(cpu_utilization=0.5, rps_fractional=100.0).rps_fractional
    100.0
    """

    cpu_utilization: float = 0.0
    mem_utilization: float = 0.0
    application_utilization: float = 0.0
    rps_fractional: float = 0.0
    eps: float = 0.0
    utilization: Mapping[str, float] = field(default_factory=dict)
    named_metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in FIELDS:
            _check_number(name, getattr(self, name))
        check_real("rps_fractional", self.rps_fractional, low=0.0)
        check_real("eps", self.eps, low=0.0)
        for name in MAPS:
            entries = getattr(self, name)
            if not isinstance(entries, Mapping):
                raise ConfigError(name, entries, "must be a mapping from name to number")
            for key, value in entries.items():
                _check_number(f"{name}[{key!r}]", value)


def metric(report: OrcaReport, name: str) -> float | None:
    """The metric of this name (``cpu_utilization``, ``named_metrics.queue``, …); None if the report does not have it.

    The first dot ends the map's name; what follows is the key, further dots included.

    Examples
    --------
    >>> metric(OrcaReport(named_metrics={"a.b": 0.5}), "named_metrics.a.b")
    0.5
    """
    if name in FIELDS:
        return float(getattr(report, name))
    group, dot, key = name.partition(".")
    entries: Mapping[str, float] = getattr(report, group) if dot and group in MAPS else {}
    return entries.get(key)


def utilization(report: OrcaReport, names: Sequence[str] = ()) -> float:
    """The utilisation a report means.

    Parameters
    ----------
    report : the report.
    names : metrics of which the greatest counts, if one of them is a number > 0; else `application_utilization`
        counts if it is > 0, else `cpu_utilization`.

    Source: gRPC A114; Envoy 1.40.

    Examples
    --------
    >>> report = OrcaReport(cpu_utilization=0.25, named_metrics={"queue": 0.75})
    >>> utilization(report), utilization(report, ["named_metrics.queue", "mem_utilization"])
    (0.25, 0.75)
    """
    found = [value for name in names if (value := metric(report, name)) is not None and value > 0]  # NaN is not > 0
    if found:
        return max(found)
    return report.application_utilization if report.application_utilization > 0 else report.cpu_utilization


def check_metric_names(name: str, names: object) -> tuple[str, ...]:
    """A tuple of strings; else ConfigError naming the parameter."""
    if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
        raise ConfigError(name, names, "must be a tuple of metric names")
    return names


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(name, value, "must be a number")
    if math.isinf(value):
        raise ConfigError(name, value, "must be finite, or NaN")
