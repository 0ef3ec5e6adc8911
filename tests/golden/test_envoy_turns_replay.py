"""Envoy's captured decisions without a key, or their law; and that a changed constant would be seen."""

import dataclasses
import json
from pathlib import Path

import pytest

from lbalgo.compat.envoy import edf, edf_machine, least_request, orca_weights, round_robin, zone_aware
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from tests.golden.systems import Strange, replayer
from tests.golden.systems import envoy_turns as turns
from tests.golden.systems.envoy_turns import replay

VECTORS = Path(__file__).parent / "vectors" / "envoy"
STEMS = ("round_robin", "least_request", "slow_start", "zone_aware", "orca_weights", "load_split")
FILES = {stem: json.loads((VECTORS / f"{stem}.json").read_text("utf-8")) for stem in STEMS}


def replayed(stem):
    return {result.name: result for result in replay(stem, FILES[stem])}


def failing(stem):
    return {name for name, result in replayed(stem).items() if result.mismatches}


@pytest.mark.parametrize("stem", STEMS)
def test_every_configuration_replays(stem):
    assert replayer(stem, FILES[stem]) is replay
    results = replayed(stem)
    assert len(results) >= 5 - 2 * (stem == "slow_start")
    assert all(result.decisions >= 4 for result in results.values())
    assert failing(stem) == set()


@pytest.mark.parametrize("stem", STEMS)
def test_a_file_of_another_name_is_known_by_its_fields(stem):
    results = list(replay("more", FILES[stem]))
    assert results == list(replayed(stem).values())


def test_the_term_that_breaks_ties(monkeypatch):
    monkeypatch.setattr(edf, "AUGMENT", 0.0)
    assert {"rr_w_1_2_3", "rr_w_n50"} <= failing("round_robin")


def test_the_start_is_modulo_a_tenth_of_the_words(monkeypatch):
    monkeypatch.setattr(edf, "MOST_PICKS", 1_000_003)
    assert failing("least_request") >= {"lrw_5w", "lrw_5w_bias05", "lrw_5w_bias2"}


def test_localities_count_by_their_weights(monkeypatch):
    made = edf_machine.effective_locality_weights
    monkeypatch.setattr(
        edf_machine, "effective_locality_weights", lambda *args, **kwargs: [w**2 for w in made(*args, **kwargs)]
    )
    assert failing("round_robin") == {"rr_locw"}


def test_the_busy_count_more_by_one(monkeypatch):
    monkeypatch.setattr(edf_machine.HostMachine, "active", lambda self, slot: self._active.get(self.rows[slot], 0) + 1)
    assert failing("least_request") >= {"lrw_5w", "lrw_5w_bias05", "lrw_5w_bias2"}


def defaults(monkeypatch, kind, **changed):
    """Other defaults for the fields of a specification."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = kind.__init__.__defaults__
    names = names[len(names) - len(given) :]
    monkeypatch.setattr(
        kind.__init__, "__defaults__", tuple(changed.get(n, d) for n, d in zip(names, given, strict=True))
    )


def test_two_choices(monkeypatch):
    defaults(monkeypatch, least_request.LeastRequest, choice_count=3)
    assert failing("least_request") == {"lr_n2_c2", "lr_n5_c2_ties"}


def test_ties_of_a_full_scan_are_drawn(monkeypatch):
    first = staticmethod(lambda machine, slots: min(slots, key=machine.active))
    monkeypatch.setattr(least_request.LeastRequestChoice, "_scan", first)
    assert failing("least_request") == {"lr_n5_fullscan"}


def test_slow_start_is_a_share_of_the_window(monkeypatch):
    factor = SlowStartConfig.factor
    monkeypatch.setattr(turns.envoy.SlowStartConfig, "factor", lambda self, age: factor(self, age // 2))
    assert failing("slow_start") == {"ss_lr_a1_m10", "ss_rr_a1_m40", "ss_rr_a2_m10"}


def test_who_slows_down_is_seen_in_our_own_picks(monkeypatch):
    monkeypatch.setattr(edf_machine.HostMachine, "_weight", lambda self, slot: 1.0)
    assert failing("slow_start") == {"ss_lr_a1_m10", "ss_rr_a1_m40", "ss_rr_a2_m10"}


def test_a_share_of_localities_is_of_ten_thousand(monkeypatch):
    monkeypatch.setattr(zone_aware, "WHOLE", 10)
    assert {"za_7_6_7", "za_residual", "basis_num"} <= failing("zone_aware")


def test_small_clusters_are_not_routed(monkeypatch):
    defaults(monkeypatch, zone_aware.ZoneAwareLbConfig, min_cluster_size=1)
    assert failing("zone_aware") == {"flz_small_cluster"}


def test_errors_weigh_by_their_share(monkeypatch):
    def wrong(report, names=(), penalty=0.0):
        return orca_weights.report_weight(report, names, 0.0)

    monkeypatch.setattr("lbalgo.compat.envoy.orca.report_weight", wrong)
    assert failing("orca_weights") == {"case 1"}


def test_the_median_of_an_even_number(monkeypatch):
    def upper(valid):
        known = sorted(w for w in valid if w is not None)
        return [known[len(known) // 2] if w is None and known else 1 if w is None else w for w in valid]

    monkeypatch.setattr("lbalgo.compat.envoy.orca.updated_weights", upper)
    assert failing("orca_weights") == {"case 3"}


def test_overprovisioning(monkeypatch):
    defaults(monkeypatch, round_robin.RoundRobin, overprovisioning_factor=100)
    assert {"rr_71_72", "rr_spill", "rr_degraded"} <= failing("load_split")


def test_the_bound_is_tight_enough_to_see_a_bias():
    """A tenth more for one of five hosts is beyond; the law itself with its own noise is not."""
    law = [0.2] * 5
    assert turns.beyond([2000] * 5, law, 10_000) == 0
    assert turns.beyond([2000, 2100, 1900, 2050, 1950], law, 10_000) == 0
    assert turns.beyond([2300, 1925, 1925, 1925, 1925], law, 10_000) == 1
    assert turns.beyond([2000] * 4 + [1999], law, 10_000) == 1, "everybody is counted"
    assert turns.beyond([1, 9999], [0.0, 1.0], 10_000) == 2, "what cannot happen has no noise"


def test_what_is_not_understood_is_refused():
    for stem, data in FILES.items():
        with pytest.raises(Strange):
            list(replay(stem, {**data, "more": 1}))
    one = json.loads(json.dumps(FILES["load_split"]))
    next(iter(one["cfg"].values()))["policy"] = "maglev"
    with pytest.raises(Strange, match="maglev"):
        list(replay("load_split", one))
    for stem, group in (
        ("round_robin", "cfg"),
        ("least_request", "stat"),
        ("slow_start", "cfg"),
        ("zone_aware", "cfg2"),
    ):
        one = json.loads(json.dumps(FILES[stem]))
        next(iter(one[group].values()))["odd"] = 1
        with pytest.raises(Strange, match="odd"):
            list(replay(stem, one))
