"""Gates that break one law each, and differ from a right one in that alone."""

import random

import lbalgo as lb
from lbalgo import ConfigError, NoBackend
from lbalgo.gates import ADMIT, AdaptiveThrottle, FlowTable, Limits
from lbalgo.testing import AffinityContract, GateContract
from tests.contract.quick import QUICK


class AnswersYes(Limits):
    def admit(self, now, request):
        return super().admit(now, request).admitted


class CountsQuestions(Limits):
    asked = 0

    def admit(self, now, request):
        self.asked += 1
        return ADMIT if self.asked % 5 else super().admit(now, request)


class DrawsLots(AdaptiveThrottle):
    def admit(self, now, request):
        random.random()
        return super().admit(now, request)


class KnowsTheHour(Limits):
    def admit(self, now, request):
        answer = super().admit(now, request)
        return ADMIT if now > 1000 else answer


class Leaks(Limits):
    def finished(self, now, request, outcome, latency=None):
        if request.attempt == 0:
            super().finished(now, request, outcome, latency)


class Forgets(AdaptiveThrottle):
    def restore(self, state, now):
        super().restore({**state, "requests": state["accepts"]}, now)


class TakesAnyState(Limits):
    def restore(self, state, now):
        pass


class TakesAnyInstant(Limits):
    def refused(self, now, request):
        pass


class SaysNoTwice(Limits):
    """Told of a request it never admitted, it calls the caller wrong."""

    def refused(self, now, request):
        super().refused(now, request)
        if request.backend is None and request.bits > 5:
            raise ConfigError("request", request, "was never admitted")


class BrokenGate(GateContract):
    settings = QUICK

    def __init__(self, make):
        self.make = make

    def gate(self):
        return self.make()


GATES = {
    "test_it_is_a_gate_and_answers_with_decisions": lambda: AnswersYes(1),
    "test_admitting_only_decides": lambda: CountsQuestions(1),
    "test_equal_histories_mean_equal_answers": DrawsLots,
    "test_the_origin_of_time_is_irrelevant": lambda: KnowsTheHour(1),
    "test_nothing_is_left_in_flight": lambda: Leaks(2),
    "test_a_restored_gate_goes_on": Forgets,
    "test_bad_snapshots_are_refused": TakesAnyState,
    "test_bad_events_are_refused": TakesAnyInstant,
    "test_a_balancer_closes_its_books": lambda: SaysNoTwice(1),
}


class Blind(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        return picker.pick(key)


class Fickle(FlowTable):
    turn = 0

    def pick(self, picker, key, *, now, exclude=()):
        super().pick(picker, key, now=now, exclude=exclude)
        self.turn += 1
        able = [b for b in picker.walk(key) if b.id not in exclude]
        return able[self.turn % len(able)]


class NoMemory(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        return picker.pick(key, exclude=exclude)


class Reshuffles(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        able = [b for b in picker.walk(key) if b.id not in exclude]
        if not able:
            raise NoBackend("excluded")
        return able[len(picker.backends) % len(able)]


class SaysWrongWhy(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        try:
            return super().pick(picker, key, now=now, exclude=exclude)
        except NoBackend:
            raise NoBackend("empty") from None


class Hopes(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        if not picker.backends:
            return lb.Endpoint("a")
        return super().pick(picker, key, now=now, exclude=exclude)


class Amnesiac(FlowTable):
    def restore(self, state):
        pass


class Dreams(FlowTable):
    def pick(self, picker, key, *, now, exclude=()):
        random.random()
        return super().pick(picker, key, now=now, exclude=exclude)


class BrokenAffinity(AffinityContract):
    settings = QUICK
    policy = lb.Maglev(251)

    def __init__(self, kind):
        self.kind = kind
        if kind is Amnesiac:
            self.policy = lb.RoundRobin()

    def gate(self):
        return self.kind(1000)


AFFINITY = {
    "test_a_choice_is_a_member_and_not_excluded": Blind,
    "test_who_comes_again_goes_where_it_went": Fickle,
    "test_who_is_known_stays_when_somebody_joins": NoMemory,
    "test_when_somebody_leaves_only_its_own_move": Reshuffles,
    "test_the_books_close": SaysWrongWhy,
    "test_an_empty_pool_is_refused": Hopes,
    "test_a_restored_balancer_knows_its_clients": Amnesiac,
    "test_no_global_randomness": Dreams,
}
