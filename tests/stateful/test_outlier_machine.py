"""Outlier ejection against a dictionary: membership, outcomes, time and restarts interleaved at will.

The model runs every tick one by one, in exact whole quarters of a second, keeps one dictionary per backend, counts
the ejected by looking, and knows nothing of evidence rows, slots, skipped ticks or ages.
"""

import json
from fractions import Fraction

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lbalgo import ConsecutiveErrors, ConsecutiveGatewayErrors, FailurePercentage, Outcome, OutlierEjection, SuccessRate
from lbalgo.events import Ejected, EjectionWithheld, Readmitted
from lbalgo.signals.standing import TRANSITIONS

INTERVAL, BASE, CAP, FORGET = 8, 12, 40, 60  # quarters of a second
PERCENT = 40
ERRORS, GATEWAY, FACTOR, VOLUME, SHARE = 3, 2, Fraction(11, 10), 3, 60
ERROR_CODES = {Outcome.SERVER_ERROR, Outcome.GATEWAY_ERROR, Outcome.LOCAL_ERROR, Outcome.TIMEOUT}
IDS = "abcdefg"


def detectors(gateway_enforcement=100):
    return [
        ConsecutiveGatewayErrors(GATEWAY, gateway_enforcement),
        ConsecutiveErrors(ERRORS),
        SuccessRate(3, VOLUME, float(FACTOR)),
        FailurePercentage(SHARE, 2, VOLUME),
    ]


def machine(detectors, always):
    return OutlierEjection(detectors, INTERVAL / 4, BASE / 4, CAP / 4, PERCENT, always)


class Model:
    """The rules, as one would write them on paper."""

    def __init__(self, always, enforced):
        self.always, self.enforced = always, enforced
        self.now, self.tick = None, None
        self.here, self.gone, self.log = {}, {}, []

    def fresh(self):
        return {"out": None, "backoff": 0, "times": 0, "back": None, "e": 0, "g": 0, "ok": 0, "all": 0, "why": ""}

    def until(self, b):
        return b["out"] + min(b["backoff"] * BASE, CAP)

    def tell(self, kind, id, *more):
        self.log.append((kind, self.now, id, *more))

    def advance(self, now):
        while self.tick is not None and self.tick <= now:
            self.now = self.tick
            self.one_tick()
            self.tick += INTERVAL
        self.now = max(self.now, now)
        self.gone = {id: (left, b) for id, (left, b) in self.gone.items() if left + FORGET > self.now}

    def one_tick(self):
        away = {id: b for id, (left, b) in self.gone.items() if left + FORGET > self.now}
        for id, b in [*self.here.items(), *away.items()]:
            if b["out"] is not None and self.until(b) <= self.now:
                b.update(out=None, back=self.now, e=0, g=0)
                if id in self.here:
                    self.tell("Readmitted", id)
        rates = {id: Fraction(b["ok"], b["all"]) for id, b in self.here.items() if b["out"] is None and b["all"]}
        heard = {id: rate for id, rate in rates.items() if self.here[id]["all"] >= VOLUME}
        named = [("SuccessRate", id) for id in self.worst(heard) if len(heard) >= 3 and self.far(heard, id)]
        named += [
            ("FailurePercentage", id) for id in self.worst(heard) if len(heard) >= 2 and 100 * (1 - heard[id]) >= SHARE
        ]
        for b in [*self.here.values(), *away.values()]:
            b.update(ok=0, all=0)
        for why, id in named:
            if self.here[id]["out"] is None:
                self.suspect(why, id)
        for b in [*self.here.values(), *away.values()]:
            if b["out"] is None and b["back"] is not None and b["back"] < self.now:
                b["backoff"] = max(0, b["backoff"] - 1)

    def worst(self, rates):
        return sorted(rates, key=lambda id: (rates[id], id))

    def far(self, rates, id):
        mean = sum(rates.values()) / len(rates)
        variance = sum((rate - mean) ** 2 for rate in rates.values()) / len(rates)
        return rates[id] < mean and (mean - rates[id]) ** 2 > FACTOR**2 * variance

    def suspect(self, why, id):
        out = sum(b["out"] is not None for b in self.here.values())
        b = self.here[id]
        if Fraction(out + 1, len(self.here)) > Fraction(PERCENT, 100) and not (self.always and out == 0):
            self.tell("Withheld", id, why, "budget")
        elif why == "ConsecutiveGatewayErrors" and not self.enforced:
            self.tell("Withheld", id, why, "enforcement")
        else:
            b.update(out=self.now, times=b["times"] + 1, why=why)
            if b["backoff"] * BASE < CAP + BASE:
                b["backoff"] += 1
            self.tell("Ejected", id, why, b["times"], self.until(b))

    def sync(self, ids, now):
        if self.now is None:
            self.now, self.tick = now, now + INTERVAL
        self.advance(now)
        before, self.here = self.here, {}
        for id, b in before.items():
            if id not in ids:
                self.gone[id] = self.now, b
                if b["out"] is not None:
                    self.tell("Readmitted", id)
        for id in ids:
            self.here[id] = before[id] if id in before else self.gone.pop(id)[1] if id in self.gone else self.fresh()
            b = self.here[id]
            if id not in before and b["out"] is not None:
                self.tell("Ejected", id, b["why"], b["times"], self.until(b))

    def observe(self, id, outcome, now):
        self.advance(now)
        b = self.here[id]
        if outcome is Outcome.CANCELLED:
            return
        b["all"] += 1
        if outcome not in ERROR_CODES:
            b.update(ok=b["ok"] + 1, e=0, g=0)
            return
        gateway = outcome is not Outcome.SERVER_ERROR
        b.update(e=b["e"] + 1, g=b["g"] + 1 if gateway else 0)
        for counter, threshold, why in (("g", GATEWAY, "ConsecutiveGatewayErrors"), ("e", ERRORS, "ConsecutiveErrors")):
            if b["out"] is None and b[counter] == threshold and (gateway or counter == "e"):
                self.suspect(why, id)
                b[counter] = 0


class EjectionMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.signal = None

    @precondition(lambda self: self.signal is None)
    @rule(always=st.booleans(), enforced=st.booleans(), origin=st.integers(-40, 40))
    def begin(self, always, enforced, origin):
        self.always, self.detectors = always, detectors(100 if enforced else 0)
        self.signal, self.model = machine(self.detectors, always), Model(always, enforced)
        self.signal.forget_after = FORGET / 4
        self.now, self.shift, self.ids, self.log = origin, 0, [], []
        self.versions = {}
        self.both_sync(list(IDS[:5]))

    def both_sync(self, ids):
        self.signal.sync(ids, (self.now + self.shift) / 4)
        self.model.sync(ids, self.now)
        self.ids = ids

    @precondition(lambda self: self.signal)
    @rule(ids=st.lists(st.sampled_from(IDS), unique=True, max_size=7))
    def sync(self, ids):
        self.both_sync(ids)

    @precondition(lambda self: self.signal)
    @rule(gone=st.sampled_from(IDS))
    def lose_one(self, gone):
        self.both_sync([id for id in self.ids if id != gone])

    @precondition(lambda self: self.signal and self.ids)
    @rule(
        which=st.integers(0, 6),
        outcome=st.sampled_from(list(Outcome)),
        times=st.integers(1, 5),
        early=st.sampled_from([0, 0, 0, 3, 30]),
        split=st.booleans(),
    )
    def outcomes(self, which, outcome, times, early, split):
        slot = which % len(self.ids)
        for _ in range(times):
            if split:
                self.signal.advance((self.now + self.shift) / 4)
                if self.signal.evidence.record(slot, list(Outcome).index(outcome)):
                    self.signal.tripped(slot, (self.now + self.shift) / 4)
            else:
                self.signal.observe(slot, outcome, None, (self.now + self.shift - early) / 4)
            self.model.observe(self.ids[slot], outcome, self.now)

    @precondition(lambda self: self.signal and self.ids)
    @rule(failing=st.sets(st.integers(0, 6), max_size=3), volume=st.integers(1, 6))
    def interval_of_traffic(self, failing, volume):
        """Everybody answers `volume` requests; the failing ones fail two of three, never many in a row."""
        for k in range(volume):
            for slot, id in enumerate(self.ids):
                outcome = Outcome.SERVER_ERROR if slot in failing and k % 3 != 2 else Outcome.SUCCESS
                self.signal.observe(slot, outcome, None, (self.now + self.shift) / 4)
                self.model.observe(id, outcome, self.now)

    @precondition(lambda self: self.signal)
    @rule(quarters=st.sampled_from([0, 1, 3, 4, 8, 8, 8, 12, 16, 41, 100]))
    def time_passes(self, quarters):
        self.now += quarters
        self.signal.advance((self.now + self.shift) / 4)
        self.model.advance(self.now)

    @precondition(lambda self: self.signal)
    @rule()
    def until_the_deadline(self):
        now = self.signal.deadline * 4 - self.shift
        assert now == int(now) > self.now
        self.now = int(now)
        self.signal.advance(self.signal.deadline)
        self.model.advance(self.now)

    @precondition(lambda self: self.signal)
    @rule(shift=st.integers(-400, 400))
    def restart(self, shift):
        """Another process, whose clock began at another time, goes on from the snapshot."""
        state = json.loads(json.dumps(self.signal.snapshot()))
        self.read_events()
        self.signal, self.shift = machine(self.detectors, self.always), shift
        self.signal.forget_after = FORGET / 4
        self.signal.restore(state, (self.now + shift) / 4)
        assert self.signal.snapshot() == state
        self.versions = {}

    def read_events(self):
        for event in self.signal.drain_events():
            now = event.now * 4 - self.shift
            if isinstance(event, Ejected):
                until = event.until * 4 - self.shift
                self.log.append(("Ejected", now, event.id, event.detector, event.times, until))
            elif isinstance(event, EjectionWithheld):
                self.log.append(("Withheld", now, event.id, event.detector, event.reason))
            else:
                assert isinstance(event, Readmitted)
                self.log.append(("Readmitted", now, event.id))

    @invariant()
    def same_as_the_model(self):
        if self.signal is None:
            return
        factors, states = np.ones(len(self.ids)), np.zeros(len(self.ids), np.uint8)
        self.signal.apply(factors, states)
        assert states.tolist() == [2 * (self.model.here[id]["out"] is not None) for id in self.ids]
        assert self.versions.setdefault(self.signal.version, states.tolist()) == states.tolist()
        kept = self.signal.snapshot()
        for place, model in (("members", self.model.here), ("away", {i: b for i, (_, b) in self.model.gone.items()})):
            ours = {i: r if place == "members" else r[1] for i, r in kept[place].items()}
            assert {i: (r["backoff"], r["times"], r["evidence"]) for i, r in ours.items()} == {
                i: (b["backoff"], b["times"], [b["e"], b["g"], b["ok"], b["all"]]) for i, b in model.items()
            }
            for i, r in ours.items():
                names = ("ADMITTED", "EJECTED") if place == "members" else ("AWAY", "AWAY_EJECTED")
                assert r["standing"] == names[model[i]["out"] is not None]

    @invariant()
    def the_events_tell_the_same_story(self):
        if self.signal is None:
            return
        self.read_events()
        assert grouped(self.log) == grouped(self.model.log)
        balance = sum((e[0] == "Ejected") - (e[0] == "Readmitted") for e in self.log)
        assert balance == sum(b["out"] is not None for b in self.model.here.values())


def grouped(log):
    """In one instant readmissions of different backends have no order among themselves."""
    out = []
    for entry in log:
        if entry[0] == "Readmitted" and out and out[-1][0] == "Readmitted" and out[-1][1] == entry[1]:
            out[-1] = ("Readmitted", entry[1], out[-1][2] | {entry[2]})
        else:
            out.append(("Readmitted", entry[1], {entry[2]}) if entry[0] == "Readmitted" else entry)
    return out


EjectionMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestEjectionMachine = EjectionMachine.TestCase


def test_every_standing_moves_by_the_table():
    """Every entry of the table is used by some history, and a move outside it cannot be made."""
    used = set()

    class Watched(dict):
        def __getitem__(self, move):
            used.add(move)
            return super().__getitem__(move)

    import lbalgo.signals.outlier as engine

    table, engine.TRANSITIONS = engine.TRANSITIONS, Watched(TRANSITIONS)
    try:
        signal = OutlierEjection([ConsecutiveErrors(1)], max_ejection_percent=0)
        signal.sync(["a", "b"], 0.0)
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
        signal.observe(1, Outcome.TIMEOUT, None, 1.0)
        signal.sync([], 2.0)
        signal.sync(["a", "b"], 3.0)
        signal.advance(40.0)
        signal.observe(0, Outcome.TIMEOUT, None, 41.0)
        signal.sync([], 42.0)
        signal.advance(200.0)
        signal.forget_after = 1.0
        signal.advance(201.0)
        signal.sync(["a"], 202.0)
        signal.observe(0, Outcome.TIMEOUT, None, 202.0)
        signal.sync([], 203.0)
        signal.advance(205.0)
    finally:
        engine.TRANSITIONS = table
    assert used == set(TRANSITIONS)
