"""Envoy's own ejections, event by event, from the same bursts of responses."""

import json
from pathlib import Path

import pytest

from lbalgo import (
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    FailurePercentage,
    Outcome,
    OutlierEjection,
    SuccessRate,
)
from lbalgo.events import Ejected, EjectionWithheld, Readmitted

CONFIGS = json.loads((Path(__file__).parent / "envoy_outlier.json").read_text())["configs"]
TWICE = "sr_and_fp_same_tick"  # shows the double ejection, which this machine does not have
TYPES = {
    "ConsecutiveErrors": "CONSECUTIVE_5XX",
    "ConsecutiveGatewayErrors": "CONSECUTIVE_GATEWAY_FAILURE",
    "SuccessRate": "SUCCESS_RATE",
    "FailurePercentage": "FAILURE_PERCENTAGE",
}


def machine(c):
    """Envoy's configuration, defaults included; its detectors in the order in which it asks them."""
    detectors = []
    if c.get("consecutive_gateway_failure", 5):
        detectors.append(
            ConsecutiveGatewayErrors(
                c.get("consecutive_gateway_failure", 5), c.get("enforcing_consecutive_gateway_failure", 0)
            )
        )
    if c.get("consecutive_5xx", 5):
        detectors.append(ConsecutiveErrors(c.get("consecutive_5xx", 5), c.get("enforcing_consecutive_5xx", 100)))
    detectors.append(
        SuccessRate(
            c.get("success_rate_minimum_hosts", 5),
            c.get("success_rate_request_volume", 100),
            c.get("success_rate_stdev_factor", 1900) / 1000,
            c.get("enforcing_success_rate", 100),
        )
    )
    detectors.append(
        FailurePercentage(
            c.get("failure_percentage_threshold", 85),
            c.get("failure_percentage_minimum_hosts", 5),
            c.get("failure_percentage_request_volume", 50),
            c.get("enforcing_failure_percentage", 0),
        )
    )
    return OutlierEjection(
        detectors,
        interval=float(c["interval"].rstrip("s")),
        base_ejection_time=float(c["base_ejection_time"].rstrip("s")),
        max_ejection_percent=c.get("max_ejection_percent", 10),
        always_eject_one=False,
    )


def replay(config):
    """Events in Envoy's words, ties inside a tick by host, and the number of withheld-for-budget and ejected."""
    signal = machine(config["outlier_detection"])
    hosts = [str(i) for i in range(config["hosts"])]
    signal.sync(hosts, 0.0)
    told, overflow = [], 0
    times = dict.fromkeys(hosts, 0)

    def tell(where, k):
        nonlocal overflow
        for event in signal.drain_events():
            if isinstance(event, Readmitted):
                told.append([where, k, "UNEJECT", int(event.id), "CONSECUTIVE_5XX", None, times[event.id]])
            elif isinstance(event, Ejected):
                times[event.id] = event.times
                told.append([where, k, "EJECT", int(event.id), TYPES[event.detector], True, event.times])
            elif isinstance(event, EjectionWithheld) and event.reason == "budget":
                overflow += 1
            else:
                told.append([where, k, "EJECT", int(event.id), TYPES[event.detector], False, times[event.id]])

    for k, burst in enumerate(config["bursts"]):
        if k:
            signal.advance(float(k))
            tell("tick", k)
        for host, status, count in burst:
            outcome = Outcome.LOCAL_ERROR if status == -1 else Outcome.from_http(status)
            for _ in range(count):
                signal.observe(host, outcome, None, k + 0.25)
        tell("burst", k)
    last = len(config["bursts"])
    for k in range(last, last + 3):
        signal.advance(float(k))
        tell("tick", k)
    return told, overflow


def by_tick(events):
    """Inside a tick Envoy's order across hosts is that of a hash map; UNEJECT comes before EJECT."""
    return sorted(events, key=lambda e: (e[1], e[0] == "burst", *((e[2] == "EJECT", e[3]) if e[0] == "tick" else ())))


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - {TWICE}))
def test_events(name):
    config = CONFIGS[name]
    told, overflow = replay(config)
    assert by_tick(told) == by_tick([event[:7] for event in config["events"]])
    assert overflow == config["overflow"]


def test_nobody_is_ejected_twice_in_a_tick():
    config = CONFIGS[TWICE]
    assert config["active"] == 2, "Envoy's count of the ejected leaks"
    told, _ = replay(config)
    assert told == [
        ["tick", 1, "EJECT", 5, "SUCCESS_RATE", True, 1],
        ["tick", 2, "EJECT", 4, "SUCCESS_RATE", True, 1],
        ["tick", 3, "UNEJECT", 5, "CONSECUTIVE_5XX", None, 1],
        ["tick", 3, "EJECT", 3, "FAILURE_PERCENTAGE", True, 1],
        ["tick", 4, "UNEJECT", 4, "CONSECUTIVE_5XX", None, 1],
        ["tick", 5, "UNEJECT", 3, "CONSECUTIVE_5XX", None, 1],
    ]


@pytest.mark.parametrize("name", ["success_rate_n8_stdev1000", TWICE])
def test_mean_and_threshold(name):
    """The logged thresholds, truncated as in the log, from the rates of the interval before."""
    config = CONFIGS[name]
    detector = machine(config["outlier_detection"]).spec.detectors[-2]
    out = set()
    for k in range(len(config["bursts"])):
        out -= {e[3] for e in config["events"] if e[:3] == ["tick", k, "UNEJECT"]}
        for event in [e for e in config["events"] if e[:2] == ["tick", k] and len(e) > 7]:
            counts = {}
            for host, status, count in config["bursts"][k - 1]:
                good, total = counts.get(host, (0, 0))
                counts[host] = good + count * (status == 200), total + count
            rates = [
                100 * good / total
                for host, (good, total) in counts.items()
                if host not in out and total >= detector.request_volume
            ]
            rate, mean, low = event[7]
            assert int(sum(rates) / len(rates)) == mean
            assert int(detector.threshold(rates)) == low
            assert rate in [int(r) for r in rates]
        out |= {e[3] for e in config["events"] if e[1:3] == [k, "EJECT"]}
