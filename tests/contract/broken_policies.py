"""Policies and pickers that break one law each, and differ from Maglev in that alone."""

import itertools
import random
from dataclasses import dataclass

import numpy as np

from lbalgo import Maglev, NoBackend, View, hash_key
from lbalgo.testing import MinimalContract
from lbalgo.testing import strategies as some
from tests.contract.quick import QUICK

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
        tried = (self.inner.pick(attempt or key) for attempt in range(100))
        return next((b for b in tried if b.id not in exclude), None) or self.inner.pick(key, exclude=exclude)


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
