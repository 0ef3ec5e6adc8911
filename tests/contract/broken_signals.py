"""Signals that break one law each, and differ from `Pause` in that alone."""

import random

from hypothesis import settings

from lbalgo import Outcome
from lbalgo.testing import SignalContract
from tests.contract.pause import Pause
from tests.contract.quick import QUICK


class TooSmall(Pause):
    def apply(self, factors, states):
        super().apply(factors, states)
        factors[factors < 1] = 0.0


class Multiplies(Pause):
    def apply(self, factors, states):
        found = factors.copy()
        super().apply(factors, states)
        factors *= found


class HidesItsEnd(Pause):
    def tidy(self):
        version = self.version
        super().tidy()
        self.version = version


class ForgivesWhoLooks(Pause):
    def apply(self, factors, states):
        super().apply(factors, states)
        self.until.clear()


class CountsCalls(Pause):
    def advance(self, now):
        super().advance(now)
        self.until = {id: end - 0.5 for id, end in self.until.items()}
        self.tidy()


class TurnsBack(Pause):
    def advance(self, now):
        self.now = now
        self.tidy()


class PausesFromThen(Pause):
    def observe(self, slot, outcome, latency, now):
        super().observe(slot, outcome, latency, now)
        if outcome is Outcome.OVERLOADED:
            self.until[self.ids[slot]] = now + self.seconds
            self.tidy()


class SetsNoNextDeadline(Pause):
    def advance(self, now):
        deadline = self.deadline
        super().advance(now)
        self.version, self.deadline = 0, deadline


class WakesLate(Pause):
    def tidy(self):
        super().tidy()
        self.deadline = None if self.deadline is None else self.deadline + 5


class CountsBySlot(Pause):
    def sync(self, ids, now):
        before = self.ids
        super().sync(ids, now)
        names = dict(zip(before, ids, strict=False))
        self.until = {names.get(id, id): end for id, end in self.until.items()}
        self.tidy()


class ForgetsAtOnce(Pause):
    def sync(self, ids, now):
        super().sync(ids, now)
        self.until = {id: end for id, end in self.until.items() if id in ids}
        self.tidy()


class BearsAGrudge(Pause):
    def __init__(self):
        super().__init__()
        self.ever = set()

    def observe(self, slot, outcome, latency, now):
        super().observe(slot, outcome, latency, now)
        if outcome is Outcome.OVERLOADED:
            self.ever.add(self.ids[slot])

    def apply(self, factors, states):
        super().apply(factors, states)
        factors[[id in self.ever for id in self.ids]] *= 0.5


class BlamesTheCancelled(Pause):
    def observe(self, slot, outcome, latency, now):
        guilty = Outcome.OVERLOADED if outcome is Outcome.CANCELLED else outcome
        super().observe(slot, guilty, latency, now)


class RestoresNothing(Pause):
    def restore(self, state, now):
        super().restore({**state, "until": {}}, now)


class Guesses(Pause):
    def observe(self, slot, outcome, latency, now):
        if random.random() < 0.5:
            super().observe(slot, outcome, latency, now)


class BrokenSignal(SignalContract):
    settings = settings(QUICK, max_examples=200)
    longest = 30.0

    def __init__(self, kind):
        self.signal = kind


SIGNALS = {
    "test_factors_are_factors_and_states_only_worsen": TooSmall,
    "test_the_order_of_signals_is_irrelevant": Multiplies,
    "test_equal_version_means_equal_apply": HidesItsEnd,
    "test_applying_changes_nothing": ForgivesWhoLooks,
    "test_advancing_in_steps_is_advancing_at_once": CountsCalls,
    "test_an_earlier_now_is_a_no_op": TurnsBack,
    "test_a_late_observation_counts": PausesFromThen,
    "test_the_deadline_is_not_idle": SetsNoNextDeadline,
    "test_nothing_happens_before_the_deadline": WakesLate,
    "test_sync_keeps_the_state_of_survivors": CountsBySlot,
    "test_flapping_erases_nothing": ForgetsAtOnce,
    "test_leavers_are_forgotten": BearsAGrudge,
    "test_cancelled_is_no_evidence": BlamesTheCancelled,
    "test_a_restored_signal_goes_on": RestoresNothing,
    "test_equal_histories_mean_equal_signals": Guesses,
}
