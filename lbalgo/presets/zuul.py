"""Netflix's edge balancer, of Zuul 2: the better of two, by what it sees itself and by what servers say of themselves.

Whoever balances sees its own requests and their errors at once, but not those of other balancers; a server knows its
whole load, but tells it late. So three views are joined (`Blend`): requests in flight from here, the utilisation that
servers report (`Balancer.report(id, Report(…))`), and errors seen. Only two servers drawn at random are compared, as
all balancers would run to the best of all at the same time. A server that is new, or failed last, has one request at a
time until it has answered well; a new one then gets its share over its first 90 s. The worst are left out altogether,
as long as enough others are there.

What is published is the shape, not the code: this balancer is not in open-source Zuul.

Costs: those of the parts.
Source: Smith, "Rethinking Netflix's Edge Load Balancing", Netflix Technology Blog (2018).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.loads.blend import Blend
from lbalgo.policies.power_of_two import PowerOfTwo
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.detectors import FailurePercentage
from lbalgo.signals.outlier import OutlierEjection
from lbalgo.spec import check_real

ARTICLE = "Smith, Rethinking Netflix's Edge Load Balancing (2018)"
FAILURES = 50.0  # percent; ours
VOLUME, HOSTS = 10, 2  # responses in an interval, servers with as many; ours
BLEND = Blend()
LEFT_OUT = 50.0  # percent of the servers at most; ours


def zuul(failures: float = FAILURES, *, load: Blend = BLEND) -> Preset:
    """The edge balancer that Netflix describes for Zuul 2.

    Parameters
    ----------
    failures : percent of failures from which a server is left out, in (0, 100].
    load : how the three views are joined.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of `PowerOfTwo` with a `Blend`, and of `OutlierEjection`.
    Source: Netflix Technology Blog, 2018.

    Examples
    --------
    >>> preset = zuul()
    >>> preset.value("PowerOfTwo.choices"), preset.value("Blend.ramp")
    (2, 90.0)
    """
    if not isinstance(load, Blend):
        raise ConfigError("load", load, "must be a Blend")
    failures = check_real("failures", failures, low=0.0, high=100.0, open_low=True)
    return Preset(
        "Netflix Zuul 2",
        PowerOfTwo(load=load),
        partial(_parts, failures),
        (
            Source("PowerOfTwo.choices", ARTICLE, "Choice of 2"),
            Source("Blend", ARTICLE, "in flight, server utilisation and errors, with probation"),
            Source("OutlierEjection", ARTICLE, "Filtering"),
            Source("Blend.ramp", ARTICLE, "Server age: the first 90 s, as others quote it"),
        ),
        (
            "The article was read in its opening and in summaries by others: 90 s is second-hand, and one request at a"
            " time on probation too.",
            "In which time statistics fade: 30 s were found in no document.",
            "How the three views become one number: the formula, and what a utilisation and an error weigh, are ours.",
            f"From which share of errors a server is left out, and how many may be: {FAILURES:g} % of at least"
            f" {VOLUME} requests in 10 s, and at most {LEFT_OUT:g} % of the servers, are ours.",
            "What is done when few servers are healthy: the panic threshold of 50 % is ours.",
        ),
        (
            "Thresholds relax by degrees when too few servers pass them there; here a budget ends the leaving out.",
            "Servers are left out by their utilisation too there; here it only counts in the comparison.",
        ),
    )


def _parts(failures: float) -> Any:
    return (OutlierEjection((FailurePercentage(failures, HOSTS, VOLUME),), max_ejection_percent=LEFT_OUT),), ()
