"""Envoy's captured outlier event logs, event by event and counter by counter; and that a changed rule would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat.envoy import outlier_engine, outlier_monitor, outlier_rates
from lbalgo.compat.envoy.outlier import OutlierDetection
from tests.golden.systems import Strange, envoy_outlier, replayer
from tests.golden.systems.envoy_outlier import replay

DATA = json.loads((Path(__file__).parent / "vectors" / "envoy" / "outlier.json").read_text("utf-8"))
RATES = {"failure_percentage", "sr_and_fp_same_tick", "success_rate_n8_stdev1000"}


def failing():
    return {result.name for result in replay("outlier", DATA) if result.mismatches}


def test_every_scenario_replays():
    assert replayer("outlier", DATA) is replay
    assert replayer("more", DATA) is replay, "known by its fields"
    results = list(replay("outlier", DATA))
    assert len(results) == len(DATA["cfg"]) >= 10
    assert all(result.decisions >= 8 for result in results)
    assert failing() == set()


def test_the_captured_logs_have_something_to_say():
    events = [event for config in DATA["cfg"].values() for event in config["events"]]
    assert {event["type"] for event in events if "type" in event} >= {
        "CONSECUTIVE_5XX",
        "CONSECUTIVE_GATEWAY_FAILURE",
        "FAILURE_PERCENTAGE",
        "SUCCESS_RATE",
    }


def test_gateway_errors(monkeypatch):
    monkeypatch.setattr(outlier_engine, "GATEWAY", (502, 503))
    assert {"gateway", "partial_counter_survives_interval"} <= failing()


def test_runs_of_the_ejected_are_not_begun_anew(monkeypatch):
    """A run ends at its threshold even where the ejection is not carried out; while the host is out it goes on."""
    fire = outlier_engine.Engine._fire

    def kept(self, slot, kind, instant):
        runs = self.monitors[slot].run_5xx
        fire(self, slot, kind, instant)
        self.monitors[slot].run_5xx = runs

    monkeypatch.setattr(outlier_engine.Engine, "_fire", kept)
    assert {"enforcing0_resets", "gateway"} <= failing()


def test_the_budget_counts_the_one_to_go(monkeypatch):
    eject = outlier_engine.Engine._eject

    def generous(self, *args, **kwargs):
        self.active -= 1
        try:
            eject(self, *args, **kwargs)
        finally:
            self.active += 1

    monkeypatch.setattr(outlier_engine.Engine, "_eject", generous)
    assert {"max_percent_33_n3", "max_percent_34_n3"} <= failing()


def test_the_interval_is_read_after_it_has_ended(monkeypatch):
    monkeypatch.setattr(outlier_monitor.Monitor, "end_interval", lambda self: None)
    assert failing() == RATES


def test_the_population_deviates_by_its_whole_number(monkeypatch):
    def sample(rates, factor):
        mean = sum(rates) / len(rates)
        deviation = (sum((r - mean) ** 2 for r in rates) / (len(rates) - 1)) ** 0.5
        return mean, mean - factor / 1000 * deviation

    monkeypatch.setattr(outlier_rates, "success_rate_threshold", sample)
    assert failing() == {"sr_and_fp_same_tick", "success_rate_n8_stdev1000"}


def test_backoff_is_taken_back(monkeypatch):
    monkeypatch.setattr(outlier_engine.Engine, "_over", lambda self, since, backoff, jitter, instant: backoff > 0)
    assert len(failing()) >= 7


def test_without_quirks_two_scenarios_differ(monkeypatch):
    """One has two ejections of a host in a tick, in the other a host that has just returned counts in the mean."""
    monkeypatch.setattr(
        envoy_outlier, "settings", lambda name, given, made=envoy_outlier.settings: tame(made(name, given))
    )
    assert failing() == {"sr_and_fp_same_tick", "success_rate_n8_stdev1000"}


def tame(spec):
    data = spec.to_dict()
    return OutlierDetection.from_dict({**data, "quirks": False})


def test_what_is_not_understood_is_refused():
    with pytest.raises(Strange, match="more"):
        list(replay("outlier", {**DATA, "more": {}}))
    for path, value in (
        ("outlier_detection", {"monitors": []}),
        ("odd", 1),
        ("events", [{"at": ["now", 0], "action": "EJECT", "host": 0, "num_ejections": 1}]),
        ("events", [{"at": ["tick", 1], "action": "EJECT", "host": 0, "num_ejections": 1, "why": ""}]),
        ("stats", {"odd": 1}),
    ):
        one = json.loads(json.dumps(DATA))
        next(iter(one["cfg"].values()))[path] = value
        with pytest.raises(Strange):
            list(replay("outlier", one))
