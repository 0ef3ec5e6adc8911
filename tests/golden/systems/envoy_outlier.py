"""Replays Envoy's captured outlier event logs through `lbalgo.compat.envoy.OutlierDetector`, event by event."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from lbalgo.compat.envoy import OutlierDetection, OutlierDetector, Result
from tests.golden.systems import Replayed, Strange

CONFIGURATION = {"bursts", "events", "hosts", "outlier_detection", "stats", "unreachable"}
EVENT = {"action", "at", "enforced", "host", "num_ejections", "type", "sr", "fp_host_sr"}
CLOCKS = {"raw_rel_s", "secs_since_last_action"}  # of the wall
DURATIONS = {"interval", "base_ejection_time", "max_ejection_time", "max_ejection_time_jitter"}
OWN = {"quirks", "seed"}  # ours, not Envoy's
STATS = "ejections_"


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """One result a configuration: every event, then every counter."""
    if unknown := set(data) - {"cfg", "meta", "note"}:
        raise Strange(f"{stem}: {sorted(unknown)}")
    for name, config in data["cfg"].items():
        yield Replayed(name, *compare(name, config))


def settings(name: str, given: Any) -> OutlierDetection:
    """The settings by Envoy's names, durations and wrapped values as JSON has them."""
    values: dict[str, Any] = {}
    known = {f.name for f in dataclasses.fields(OutlierDetection)} - OWN
    for field, value in given.items():
        if field not in known:
            raise Strange(f"{name}: outlier_detection.{field}")
        plain = value["value"] if isinstance(value, dict) else value
        values[field] = seconds(plain) if field in DURATIONS else plain
    return OutlierDetection(**values)


def seconds(value: Any) -> float:
    """A duration: ``"1.1s"`` or a number."""
    return float(value.removesuffix("s")) if isinstance(value, str) else float(value)


def run(name: str, config: Any) -> tuple[dict[tuple[str, int], list[Any]], dict[str, int]]:
    """What the detector says at each instant, and its counters in the end."""
    detector = OutlierDetector(settings(name, config["outlier_detection"]))
    hosts = [str(i) for i in range(config["hosts"])]
    detector.sync(hosts, 0.0)
    told: dict[tuple[str, int], list[Any]] = {}
    last = max([len(config["bursts"]) - 1, *(event["at"][1] for event in config["events"])])
    for k in range(last + 1):
        if k:
            detector.advance(float(k))
            told["tick", k] = [plain(event) for event in detector.drain_events()]
        for host, status, count in config["bursts"][k] if k < len(config["bursts"]) else ():
            for _ in range(count):
                if status == -1:
                    detector.put_result(host, Result.LOCAL_ORIGIN_CONNECT_FAILED, k + 0.25)
                else:
                    detector.put_result(host, Result.LOCAL_ORIGIN_CONNECT_SUCCESS, k + 0.25)
                    detector.put_http_response(host, status, k + 0.25)
        told["burst", k] = [plain(event) for event in detector.drain_events()]
    return told, {name: count for name, count in detector.stats.items() if count}


def plain(event: Any) -> Any:
    """An event as the capture has it; an UNEJECT has neither type nor enforcement there."""
    ejected = event.action.name == "EJECT"
    return (
        event.action.name,
        int(event.id),
        event.num_ejections,
        event.type.name if ejected else "CONSECUTIVE_5XX",
        event.enforced if ejected else True,
        (event.host_success_rate, event.cluster_average_success_rate, event.cluster_success_rate_ejection_threshold),
    )


def captured(name: str, event: Any) -> Any:
    """The same of a captured event."""
    if unknown := set(event) - EVENT - CLOCKS:
        raise Strange(f"{name}: events: {sorted(unknown)}")
    rates = tuple(event["sr"]) if "sr" in event else (event.get("fp_host_sr"), None, None)
    return (
        event["action"],
        event["host"],
        event["num_ejections"],
        event.get("type", "CONSECUTIVE_5XX"),
        event.get("enforced", True),
        rates,
    )


def compare(name: str, config: Any) -> tuple[int, int]:
    """Decisions and mismatches: events at each instant (inside a tick in any order), and counters."""
    if unknown := set(config) - CONFIGURATION:
        raise Strange(f"{name}: {sorted(unknown)}")
    for at in (event["at"][0] for event in config["events"]):
        if at not in ("tick", "burst"):
            raise Strange(f"{name}: an event at {at!r}")
    told, stats = run(name, config)
    expected: dict[tuple[str, int], list[Any]] = {}
    for event in config["events"]:
        expected.setdefault((event["at"][0], event["at"][1]), []).append(captured(name, event))
    decisions = mismatches = 0
    for at in {**told, **expected}:
        ours, theirs = told.get(at, []), expected.get(at, [])
        if at[0] == "tick":  # in Envoy the order of a hash map
            ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
        decisions += max(1, len(theirs))
        mismatches += sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
    for counter in {*stats, *config["stats"]}:
        if not counter.startswith(STATS):
            raise Strange(f"{name}: stats.{counter}")
        decisions += 1
        mismatches += stats.get(counter, 0) != config["stats"].get(counter, 0)
    return decisions, mismatches
