"""Which hosts an interval's rates condemn: success rate against the mean, failure percentage against a threshold.

Both look at the hosts that were in when the tick began to judge, so that one host can be condemned by both. Sums run in
the order of hosts; Envoy's order is that of a hash map, so its last bit may differ where rates are not whole numbers.

Cost: O(N). Source: Envoy 1.40 documentation, "Outlier detection"; replayed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.compat.envoy.outlier import EjectionType, OutlierDetection, truncated


@dataclass(frozen=True, slots=True)
class Verdict:
    """A host condemned by a rate.

    Parameters
    ----------
    slot : of the host.
    kind : by which detector.
    rates : as the event log has them: the host's success rate, and for success rates mean and threshold.
    """

    slot: int
    kind: EjectionType
    rates: tuple[int, ...]


def verdicts(
    spec: OutlierDetection, hosts: int, counts: Mapping[int, tuple[int, int]], *, local: bool = False
) -> list[Verdict]:
    """All verdicts of one tick, in the order in which they are carried out.

    Parameters
    ----------
    spec : settings.
    hosts : number of all hosts.
    counts : successes and requests of the interval by slot, of hosts that are in and had requests.
    local : whether these are local results, which have kinds of their own.

    Examples
    --------
    >>> spec = OutlierDetection(success_rate_minimum_hosts=3, success_rate_request_volume=10)
    >>> verdicts(spec, 5, {slot: (10, 10) for slot in range(4)} | {4: (0, 10)})[0].rates
    (0, 80, 4)
    """
    if hosts < spec.success_rate_minimum_hosts and hosts < spec.failure_percentage_minimum_hosts:
        return []
    rates = {slot: 100.0 * good / total for slot, (good, total) in counts.items()}
    compared = {slot: rate for slot, rate in rates.items() if counts[slot][1] >= spec.success_rate_request_volume}
    found: list[Verdict] = []
    if compared and len(compared) >= spec.success_rate_minimum_hosts:
        kind = EjectionType.SUCCESS_RATE_LOCAL_ORIGIN if local else EjectionType.SUCCESS_RATE
        mean, threshold = success_rate_threshold(list(compared.values()), spec.success_rate_stdev_factor)
        logged = truncated(mean), truncated(threshold)
        found += [
            Verdict(slot, kind, (truncated(compared[slot]), *logged))
            for slot in _order(spec, compared)
            if compared[slot] < threshold
        ]
    judged = {slot: rate for slot, rate in rates.items() if counts[slot][1] >= spec.failure_percentage_request_volume}
    if judged and len(judged) >= spec.failure_percentage_minimum_hosts:
        kind = EjectionType.FAILURE_PERCENTAGE_LOCAL_ORIGIN if local else EjectionType.FAILURE_PERCENTAGE
        found += [
            Verdict(slot, kind, (truncated(judged[slot]),))
            for slot in _order(spec, judged)
            if 100.0 - judged[slot] >= spec.failure_percentage_threshold
        ]
    return found


def success_rate_threshold(rates: list[float], stdev_factor: int) -> tuple[float, float]:
    """Mean of the rates and the rate below which a host is out: mean - factor / 1000 x population standard deviation.

    Examples
    --------
    >>> success_rate_threshold([100.0, 100.0, 70.0], 1000)
    (90.0, 75.85786437626905)
    """
    total = squares = 0.0
    for rate in rates:
        total += rate
    mean = total / len(rates)
    for rate in rates:
        squares += (rate - mean) ** 2
    return mean, mean - stdev_factor / 1000.0 * math.sqrt(squares / len(rates))


def _order(spec: OutlierDetection, rates: Mapping[int, float]) -> list[int]:
    return list(rates) if spec.quirks else sorted(rates, key=lambda slot: (rates[slot], slot))
