"""A balancer with gates, both twins at once, against a list: who is in flight where, and that every gate's books close.

The gates are limits, one that says no as it is told, and one that fails as it is told; members come and go meanwhile.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

import lbalgo as lb
from lbalgo import NoBackend, NotAdmitted, Outcome
from lbalgo.gates import ADMIT, Decision, Limits, Reason
from lbalgo.testing import FakeClock
from tests.balancer.doubles import OUTCOMES, TWINS
from tests.balancer.test_gates import Doorman

IDS = list("abcd")
POOL, EACH = 5, 2


class Gated(RuleBasedStateMachine):
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.members, self.flying = ["a", "b"], []
        self.outcomes, self.refused, self.declined = dict.fromkeys(OUTCOMES, 0), {}, {}
        self.answer, self.trap = ADMIT, None
        self.sides = []
        for twin in TWINS:
            limits, door, weak = Limits(POOL, EACH), Doorman(), Doorman()
            pool = twin(lb.Maglev(251), self.members, gates=[limits, door, weak], seed=0, clock=FakeClock())
            self.sides.append((pool, limits, door, weak))

    def expect(self, key, exclude):
        """Where the request goes, or the error, by type and reason."""
        if len(self.flying) >= POOL:
            return NotAdmitted, Reason.POOL_LIMIT
        if not self.answer.admitted:
            return NotAdmitted, self.answer.reason
        order = [backend.id for backend in self.sides[0][0].picker.walk(key)]
        allowed = [id for id in order if id not in exclude]
        free = [id for id in allowed if self.flying.count(id) < EACH]
        if free:
            return free[0]
        if allowed:
            return NotAdmitted, Reason.BACKEND_LIMIT
        return NoBackend, "excluded" if order else "empty"

    def tell(self, answer=None, trap=None):
        for _, _, door, weak in self.sides:
            door.answer, weak.trap = self.answer if answer is None else answer, trap

    @rule(answer=st.sampled_from([ADMIT, ADMIT, Decision(Reason.SHED)]))
    def doorman_is_told(self, answer):
        self.answer = answer
        self.tell()

    @rule(members=st.lists(st.sampled_from(IDS), unique=True))
    def update(self, members):
        self.members = members
        for pool, *_ in self.sides:
            pool.update(members)

    @rule(target=leases, key=st.integers(0, 20), exclude=st.sets(st.sampled_from(IDS), max_size=3))
    def acquire(self, key, exclude):
        expected, pair = self.expect(key, exclude), []
        for pool, *_ in self.sides:
            try:
                pair.append(pool.acquire(key, exclude=exclude))
            except NoBackend as refusal:
                reason = refusal.decision.reason if isinstance(refusal, NotAdmitted) else refusal.reason
                assert (type(refusal), reason) == expected
        if not pair:
            kind, reason = expected
            word = "overloaded" if kind is NotAdmitted else reason
            self.refused[word] = self.refused.get(word, 0) + 1
            if kind is NotAdmitted:
                self.declined[reason] = self.declined.get(reason, 0) + 1
            return None
        assert [lease.backend.id for lease in pair] == [expected] * 2
        self.flying.append(expected)
        return expected, pair

    @rule(key=st.integers(0, 20))
    def acquire_and_a_gate_fails(self, key):
        expected = self.expect(key, ())
        if isinstance(expected, str):
            self.tell(trap="started")
            for pool, *_ in self.sides:
                try:
                    pool.acquire(key)
                except ArithmeticError:
                    continue
                raise AssertionError("its error comes out")
            self.tell()

    @rule(held=consumes(leases), outcome=st.sampled_from(OUTCOMES), fails=st.booleans())
    def done(self, held, outcome, fails):
        if held is None:
            return
        id, pair = held
        self.tell(trap="finished" if fails else None)
        for lease in pair:
            try:
                lease.done(outcome)
            except ArithmeticError:
                assert fails
        self.tell()
        self.flying.remove(id)
        self.outcomes[outcome] += 1

    @rule(key=st.integers(0, 20))
    def dropped(self, key):
        if isinstance(self.expect(key, ()), str):
            for pool, *_ in self.sides:
                pool.acquire(key)
            self.outcomes[Outcome.CANCELLED] += 1

    @invariant()
    def books_close(self):
        for pool, limits, door, _ in self.sides:
            stats = pool.stats()
            assert stats.open_leases == len(self.flying) == limits.in_flight
            assert {id: n for id, n in stats.in_flight.items() if n} == {i: self.flying.count(i) for i in self.flying}
            assert limits.full() == {id for id in self.flying if self.flying.count(id) >= EACH}
            assert (stats.outcomes, stats.no_backend, stats.not_admitted) == (
                self.outcomes,
                self.refused,
                self.declined,
            )
            words = door.words()
            assert words.count("started") - words.count("finished") == len(self.flying)

    @invariant()
    def twins_heard_the_same(self):
        one, other = self.sides
        assert one[2].heard == other[2].heard and one[3].heard == other[3].heard


TestGated = Gated.TestCase
TestGated.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
