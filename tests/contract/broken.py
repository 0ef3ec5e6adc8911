"""For every law of `lbalgo.testing` something that breaks it, and differs from something honest in that alone."""

import itertools
import random
from dataclasses import dataclass, field

import numpy as np
from hypothesis import Phase, settings

from lbalgo import Maglev, NoBackend, Outcome, View, hash_key
from lbalgo.reference.loads import InFlightCounts
from lbalgo.testing import LoadContract, MinimalContract, SignalContract
from lbalgo.testing import strategies as some
from tests.contract.pause import Pause

QUICK = settings(phases=[Phase.generate], report_multiple_bugs=False)
BUILDS = itertools.count(1)


class Spoiled:
    """A Maglev picker; subclasses spoil one thing."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


@dataclass(frozen=True)
class Spoils:
    """Maglev, whose pickers are spoiled; subclasses spoil the building itself."""

    picker: type = Spoiled
    seed: int = 0

    def build(self, view, *, previous=None):
        return self.picker(self.make(view, getattr(previous, "inner", None)))

    def make(self, view, previous):
        return Maglev(251, seed=self.seed).build(view, previous=previous)

    def to_dict(self):
        return {"seed": self.seed}

    @classmethod
    def from_dict(cls, data):
        return cls(**data)


class IgnoresExclusion(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick(key)


class LosesTheLast(Spoiled):
    def walk(self, key=None):
        return iter(list(self.inner.walk(key))[:-1])


class WalksByPicking(Spoiled):
    def walk(self, key=None):
        if self.view.eligible.any():
            self.inner.pick()
        return self.inner.walk(key)


class ShowsTheEligible(Spoiled):
    @property
    def backends(self):
        return tuple(b for b, able in zip(self.view.backends, self.view.eligible, strict=True) if able)


class NamesAnotherReason(Spoiled):
    def pick(self, key=None, *, exclude=()):
        if not self.backends:
            raise NoBackend("ineligible")
        return self.inner.pick(key, exclude=exclude)


class ServesTheFirstInNeed(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick(key, exclude=exclude) if self.view.eligible.any() else self.backends[0]


class ServesTheExcludedInNeed(Spoiled):
    def pick(self, key=None, *, exclude=()):
        try:
            return self.inner.pick(key, exclude=exclude)
        except NoBackend:
            return self.inner.pick(key)


class TakesAString(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick(key, exclude=[exclude] if isinstance(exclude, (str, bytes)) else exclude)


class NeverPanics(Spoils):
    def make(self, view, previous):
        return Maglev(251).build(View.of(view, panic_below=0.0), previous=previous)


class SeedsItself(Spoils):
    def make(self, view, previous):
        picker = Maglev(251).build(view, previous=previous)
        picker.reseed(next(BUILDS))
        return picker


class StartsAgain(Spoils):
    def make(self, view, previous):
        return Maglev(251).build(view)


class StartsAgainWhenChanged(Spoils):
    def make(self, view, previous):
        return Maglev(251).build(view, previous=previous if previous is not None and previous.view == view else None)


class IgnoresWeightsOfMappings(Spoils):
    def make(self, view, previous):
        return Maglev(251).build(list(view) if isinstance(view, dict) else view, previous=previous)


class PicklesWithoutCursor(Spoiled):
    def __reduce__(self):
        return _again, (self.policy, self.view)


def _again(policy, view):
    return PicklesWithoutCursor(policy.build(view))


class ForgetsItsSeed(Spoils):
    def to_dict(self):
        return {}


class HashesAsPythonDoes(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick(hash(key) % 2**64, exclude=exclude)


class ThrowsTheDice(Spoiled):
    def pick(self, key=None, *, exclude=()):
        random.random()
        return self.inner.pick(key, exclude=exclude)


class FirstInBulk(Spoiled):
    def pick_many(self, tickets):
        return np.zeros_like(self.inner.pick_many(tickets))


class SharesByWeight(Spoiled):
    def shares(self):
        weights = self.view.weights
        return weights / max(weights.sum(), 1.0)


class FingerprintOfIds(Spoiled):
    def fingerprint(self):
        return hash_key("\n".join(sorted(self.view.ids)))


class WalksBackwards(Spoiled):
    def walk(self, key=None):
        return iter(list(self.inner.walk(key))[::-1])


class RetriesByRehash(Spoiled):
    def pick(self, key=None, *, exclude=()):
        chosen, attempt = self.inner.pick(key), 0
        while chosen.id in exclude:
            attempt += 1
            chosen = self.inner.pick(attempt)
        return chosen


class NumbersAsText(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick(str(key) if type(key) is int else key, exclude=exclude)


class NoKeyIsOneKey(Spoiled):
    def pick(self, key=None, *, exclude=()):
        return self.inner.pick("" if key is None else key, exclude=exclude)


class Modulo:
    """Key mod number of eligible backends: what everybody writes first."""

    def __init__(self, view, order):
        self.view, self.backends = view, view.backends
        self.able = [view.backends[k] for k in order if view.eligible[k]]

    def pick(self, key=None, *, exclude=()):
        return next(b for b in self.walk(key) if b.id not in exclude)

    def walk(self, key=None):
        start = hash_key(key) % max(len(self.able), 1)
        return iter(self.able[start:] + self.able[:start])

    def fingerprint(self):
        return hash_key(repr(self.able))


class ModuloAsListed(Spoils):
    def build(self, view, *, previous=None):
        view = View.of(view, panic_below=getattr(view, "panic_below", 0.5))
        return Modulo(view, range(len(view)))


class ModuloById(Spoils):
    def build(self, view, *, previous=None):
        return Modulo(view, np.argsort(view.ids))


class KeepsWhoStepsIn(Spoils):
    """A rebuild keeps the owners of the previous picker as long as they are eligible: keys do not return."""

    def build(self, view, *, previous=None):
        return Keeper(super().build(view).inner, previous)


class Keeper(Spoiled):
    def __init__(self, inner, previous):
        super().__init__(inner)
        self.previous = previous

    def pick(self, key=None, *, exclude=()):
        if isinstance(self.previous, Keeper):
            kept = self.previous.pick(key)
            if self.view.eligible[self.view.ids.index(kept.id)]:
                return kept
        return self.inner.pick(key)


class ChangesItsPredecessor(Spoils):
    def build(self, view, *, previous=None):
        picker = super().build(view, previous=previous)
        if previous is not None:
            previous.inner = picker.inner
        return picker


class BrokenPolicy(MinimalContract):
    max_size = 8
    weights = some.weights(1.0, 2.0)
    settings = QUICK

    def __init__(self, policy):
        self.policy = policy if not isinstance(policy, type) or issubclass(policy, Spoils) else Spoils(policy)
        self.policy = self.policy() if isinstance(self.policy, type) else self.policy


POLICIES = {
    "test_a_pick_is_eligible_and_not_excluded": IgnoresExclusion,
    "test_walk_yields_every_eligible_backend_once": LosesTheLast,
    "test_walking_consumes_nothing": WalksByPicking,
    "test_backends_are_all_of_the_view_in_slot_order": ShowsTheEligible,
    "test_an_empty_pool_builds_and_refuses": NamesAnotherReason,
    "test_nobody_eligible_is_refused": ServesTheFirstInNeed,
    "test_everybody_excluded_is_refused": ServesTheExcludedInNeed,
    "test_exclude_refuses_one_string": TakesAString,
    "test_panic_serves_the_unhealthy_but_never_the_draining": NeverPanics,
    "test_a_bare_build_is_deterministic": SeedsItself,
    "test_a_rebuild_that_changes_nothing_is_invisible": StartsAgain,
    "test_no_rebuild_restarts_a_sequence": StartsAgainWhenChanged,
    "test_a_policy_builds_from_what_a_beginner_has": IgnoresWeightsOfMappings,
    "test_a_pickled_policy_and_picker_pick_alike": PicklesWithoutCursor,
    "test_a_policy_survives_json": ForgetsItsSeed(seed=1),
    "test_another_process_picks_alike": HashesAsPythonDoes,
    "test_nobody_touches_global_randomness": ThrowsTheDice,
    "test_bulk_equals_scalar": FirstInBulk,
    "test_shares_are_a_law": SharesByWeight,
    "test_equal_fingerprints_mean_equal_mappings": FingerprintOfIds,
    "test_walk_starts_with_the_pick": WalksBackwards,
    "test_a_retry_takes_the_next_of_the_walk": RetriesByRehash,
    "test_a_key_has_one_form": NumbersAsText,
    "test_without_a_key_requests_are_spread": NoKeyIsOneKey,
    "test_listing_order_is_irrelevant": ModuloAsListed,
    "test_signals_move_only_what_fell_or_rose": ModuloById,
    "test_keys_only_return_while_signals_rise": KeepsWhoStepsIn,
    "test_a_picker_outlives_its_successor": ChangesItsPredecessor,
    # Maglev is not minimal, and does not say that it is
    "test_a_join_moves_keys_only_to_the_joiner": Maglev(251),
    "test_a_leave_moves_only_the_leavers_keys": Maglev(251),
    "test_a_weight_moves_keys_only_to_or_from_its_backend": Maglev(251),
}


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
    settings = settings(QUICK, max_examples=400)
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


class BelowNothing(InFlightCounts):
    def at(self, row):
        return super().at(row) - 1


class WearsOff(InFlightCounts):
    def at(self, row):
        load = super().at(row)
        self._counts[row] = int(load / 2)
        return load


class ForgivesFinishing(InFlightCounts):
    def finished(self, row, outcome, latency, now):
        if self.at(row):
            super().finished(row, outcome, latency, now)


class OneForAll(InFlightCounts):
    def at(self, row):
        return float(sum(self._counts.values()))


class CountsAdvances(InFlightCounts):
    times = 0

    def advance(self, now):
        super().advance(now)
        self.times += 1

    def at(self, row):
        return super().at(row) + self.times


class Noisy(InFlightCounts):
    def started(self, row, cost, now):
        for _ in range(random.randrange(1, 9)):
            super().started(row, cost, now)


class ChecksTooLate(InFlightCounts):
    def started(self, row, cost, now):
        self._counts[0] = self._counts.get(0, 0) + 1
        super().started(row, cost, now)
        self._counts[0] -= 1


@dataclass(frozen=True)
class Starts:
    """The specification of a load that is spoiled."""

    state: type = field(default=InFlightCounts, compare=False)
    limit: int = 0

    def start(self):
        return self.state()

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, data):
        return cls(**data)


class BrokenLoad(LoadContract):
    settings = QUICK

    def __init__(self, load):
        self.load = load if isinstance(load, Starts) else Starts(load)


LOADS = {
    "test_a_load_is_finite_and_not_negative": BelowNothing,
    "test_reading_changes_nothing": WearsOff,
    "test_what_was_started_is_finished_once": ForgivesFinishing,
    "test_rows_are_independent": OneForAll,
    "test_time_does_not_run_backwards": CountsAdvances,
    "test_equal_histories_mean_equal_loads": Noisy,
    "test_bad_events_change_nothing": ChecksTooLate,
    "test_a_load_survives_json_and_pickle": Starts(limit=1),
}

BROKEN = {
    "policies": (BrokenPolicy, POLICIES),
    "signals": (BrokenSignal, SIGNALS),
    "loads": (BrokenLoad, LOADS),
}
