"""Balancer, both twins at once, against a dictionary: members, signals, time and leases that outlive them.

The model knows who is a member, who is remembered, what each signal says, and which leases are open at which
incarnation of which backend; from that it predicts every pick, every refusal, every event's effect and every count.
"""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from lbalgo import NoBackend, Outcome, State
from lbalgo.events import MembersChanged, PanicChanged, StateChanged
from lbalgo.testing import FakeClock
from tests.balancer.doubles import OUTCOMES, TWINS, Diary, Least, Manual

IDS = list("abcde")
FORGET = 10.0


class Refusal(Exception):
    pass


class Books(RuleBasedStateMachine):
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.clock, self.now = FakeClock(), 0.0
        self.members, self.left, self.incarnation = {"a": 1.0, "b": 1.0}, {}, {"a": 0, "b": 0}
        self.said = [{}, {}]  # two signals: id to (factor, state), as of the last look
        self.open, self.outcomes, self.refused, self.fallbacks = {}, dict.fromkeys(OUTCOMES, 0), {}, 0
        self.opened, self.panic_picks = 0, 0
        self.rows = {}  # incarnation to row, once seen
        self.refusing = False
        self.sides = []
        for twin in TWINS:
            load, signals, events = Diary(), [Manual(), Manual()], []
            policy = Least(load, self.trap)
            lb = twin(
                policy, self.members, signals=signals, clock=self.clock, forget_after=FORGET, on_event=events.append
            )
            self.sides.append((lb, load, signals, events))

    def trap(self, view):
        if self.refusing:
            raise Refusal

    def each(self, call):
        """What a call gave or raised, the same for both twins."""
        results = []
        for side in self.sides:
            try:
                results.append((call(*side), None))
            except (NoBackend, Refusal) as error:
                results.append((None, error))
        one, two = results
        assert type(one[1]) is type(two[1])
        assert str(one[1]) == str(two[1])
        return results

    def state(self, id):
        return max(said.get(id, (1.0, 0))[1] for said in self.said)

    def factor(self, id):
        return math.prod(sorted(said.get(id, (1.0, 0))[0] for said in self.said))

    def candidates(self):
        return [i for i, w in self.members.items() if w > 0 and self.state(i) < State.DRAINING]

    def panic(self):
        healthy = [i for i in self.candidates() if self.state(i) == State.HEALTHY]
        return len(healthy) < 0.5 * len(self.candidates())

    def eligible(self):
        able = [i for i in self.candidates() if self.panic() or self.state(i) == State.HEALTHY]
        return sorted(able, key=lambda i: self.open.get((i, self.incarnation[i]), 0))  # stable: ties by slot

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, FORGET]))
    def pass_time(self, seconds):
        self.now = self.clock.advance(seconds)

    @rule(members=st.dictionaries(st.sampled_from(IDS), st.sampled_from([0.0, 1.0, 2.0])), refuse=st.booleans())
    def update(self, members, refuse):
        self.refusing = (refuse and members != self.members) or (list(members) != list(self.members) and refuse)
        results = self.each(lambda lb, *_: lb.update(members))
        if self.refusing:
            assert all(isinstance(error, Refusal) for _, error in results)
            self.refusing = False
            return
        for id in members:
            if id not in self.members:
                since = self.left.pop(id, None)
                if since is None or self.now - since >= FORGET:
                    self.incarnation[id] = self.incarnation.get(id, -1) + 1
        for id in self.members:
            if id not in members:
                self.left[id] = self.now
        self.members = members

    @rule(
        which=st.integers(0, 1),
        id=st.sampled_from(IDS),
        factor=st.sampled_from([1.0, 0.3, 0.7]),
        state=st.sampled_from(State),
    )
    def signal_moves(self, which, id, factor, state):
        for _, _, signals, _ in self.sides:
            signals[which].say(id, factor, state)
        self.said[which][id] = (factor, state)
        self.each(lambda lb, *_: lb.advance())

    @rule(target=leases, exclude=st.sets(st.sampled_from(IDS), max_size=3), retry=st.booleans())
    def acquire(self, exclude, retry):
        able = self.eligible()
        allowed = [i for i in able if i not in exclude] if retry else able
        call = (lambda lb, *_: lb.acquire(exclude=exclude)) if retry else (lambda lb, *_: lb.acquire())
        results = self.each(call)
        if not allowed:
            reason = "excluded" if able else "ineligible" if self.members else "empty"
            assert [error.reason for _, error in results] == [reason, reason]
            self.refused[reason] = self.refused.get(reason, 0) + 1
            return None
        backends = [lease.backend.id for lease, _ in results]
        assert backends == [allowed[0]] * 2
        owner = (allowed[0], self.incarnation[allowed[0]])
        self.open[owner] = self.open.get(owner, 0) + 1
        self.opened += 1
        self.panic_picks += self.panic()
        self.fallbacks += retry and able[0] in exclude
        return owner, [lease for lease, _ in results]

    @rule(held=consumes(leases), outcome=st.sampled_from(OUTCOMES), twice=st.booleans())
    def done(self, held, outcome, twice):
        if held is None:
            return
        owner, pair = held
        for lease in pair:
            lease.done(outcome)
            if twice:
                lease.done(Outcome.SUCCESS)
        self.close(owner, outcome)

    @rule(held=leases)
    def drop_is_not_done_while_held(self, held):
        assert held is None or all(lease.backend.id == held[0][0] for lease in held[1])

    @rule()
    def acquire_and_drop(self):
        able = self.eligible()
        results = self.each(lambda lb, *_: lb.acquire() is not None)
        if not able:
            reason = "ineligible" if self.members else "empty"
            self.refused[reason] = self.refused.get(reason, 0) + 1
            assert all(isinstance(error, NoBackend) for _, error in results)
            return
        self.opened += 1
        self.panic_picks += self.panic()
        self.outcomes[Outcome.CANCELLED] += 1

    def close(self, owner, outcome):
        self.open[owner] -= 1
        self.outcomes[outcome] += 1

    @precondition(lambda self: self.members)
    @rule(error=st.sampled_from([TimeoutError, OSError, ValueError]))
    def block(self, error):
        outcome = {TimeoutError: Outcome.TIMEOUT, OSError: Outcome.LOCAL_ERROR}.get(error, Outcome.CANCELLED)
        for lb, *_ in self.sides:
            try:
                with lb.acquire():
                    raise error
            except (error, NoBackend):
                pass
        if self.eligible():
            self.opened += 1
            self.panic_picks += self.panic()
            self.outcomes[outcome] += 1
        else:
            self.refused["ineligible"] = self.refused.get("ineligible", 0) + 1

    @invariant()
    def view_is_as_the_model_says(self):
        for lb, *_ in self.sides:
            view = lb.view
            assert view.ids == tuple(self.members)
            assert view.weights.tolist() == list(self.members.values())
            assert view.factors.tolist() == [self.factor(i) for i in self.members]
            assert view.states.tolist() == [self.state(i) for i in self.members]
            assert view.panic == self.panic()

    @invariant()
    def rows_are_stable(self):
        for lb, *_ in self.sides[:1]:
            for id, row in zip(lb.view.ids, lb.view.rows.tolist(), strict=True):
                owner = (id, self.incarnation[id])
                assert self.rows.setdefault(owner, row) == row
            held = [self.rows[owner] for owner, n in self.open.items() if n]
            now = [
                self.rows[i, self.incarnation[i]] for i in self.members if not self.open.get((i, self.incarnation[i]))
            ]
            assert len(set(held + now)) == len(held + now), "a row in use belongs to one incarnation"

    @invariant()
    def books_balance(self):
        for lb, load, _, _ in self.sides:
            stats = lb.stats()
            assert stats.opened == self.opened == stats.closed + stats.open_leases
            assert stats.outcomes == self.outcomes
            assert stats.no_backend == self.refused
            assert (stats.excluded_fallbacks, stats.panic_picks) == (self.fallbacks, self.panic_picks)
            expected = dict.fromkeys(self.members, 0)
            for (id, _), n in self.open.items():
                if n:
                    expected[id] = expected.get(id, 0) + n
            assert stats.in_flight == expected
            loads = {self.rows[owner]: n for owner, n in self.open.items() if n}
            assert {row: n for row, n in load.open.items() if n} == loads

    @invariant()
    def events_replay(self):
        assert self.sides[0][3] == self.sides[1][3]
        members, states, panic = [], {}, False
        for event in self.sides[0][3]:
            if isinstance(event, MembersChanged):
                members = [i for i in members if i not in event.left] + list(event.joined)
                states = {i: states.get(i, State.HEALTHY) for i in members}
            elif isinstance(event, StateChanged):
                assert states[event.id] == event.old
                states[event.id] = event.new
            elif isinstance(event, PanicChanged):
                assert event.panic != panic
                panic = event.panic
        assert set(members) == set(self.members)
        assert states == {i: self.state(i) for i in self.members}
        assert panic == self.panic()


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
