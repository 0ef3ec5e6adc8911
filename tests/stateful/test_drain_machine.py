"""Drain against a dictionary: orders, leases, membership, time and restarts interleaved at will.

The model keeps, for each backend, when its drain began and how many leases are open, in whole quarters of a second, and
derives everything else from that each time it is asked: it knows no phases, no slots, no ages and no table.
"""

import json

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lbalgo import Outcome, State
from lbalgo.events import DrainCalledOff, Drained, Draining, DrainOverdue
from lbalgo.gates import Request
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.signals.drain import Drain
from lbalgo.signals.drained import TRANSITIONS, DrainOrder, Phase

IDS = "abcd"
PATIENCE, FORGET = 12, 40  # quarters of a second


class DrainMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 0
        self.members, self.left, self.began = ["a", "b"], {}, {}
        self.open, self.leases = dict.fromkeys(IDS, 0), []
        self.heard = dict.fromkeys(IDS, Phase.SERVING)
        self.sticky = True
        self.make()
        self.signal.sync(self.members, 0.0)

    def make(self):
        self.signal = Drain(PATIENCE / 4, self.sticky)
        self.signal.forget_after = FORGET / 4
        self.gate = DrainGate(self.signal)

    def wanted(self, id):
        if id not in self.began:
            return Phase.SERVING
        if not self.open[id]:
            return Phase.EMPTY
        return Phase.OVERDUE if self.now >= self.began[id] + PATIENCE else Phase.DRAINING

    def forget(self):
        for id in [id for id, since in self.left.items() if self.now - since >= FORGET]:
            del self.left[id]
            self.began.pop(id, None)

    @rule(quarters=st.integers(1, 15))
    def wait(self, quarters):
        self.now += quarters
        self.signal.advance(self.now / 4)
        self.forget()

    @rule(ids=st.lists(st.sampled_from(IDS), unique=True))
    def move(self, ids):
        for id in self.members:
            if id not in ids:
                self.left[id] = self.now
        for id in ids:
            self.left.pop(id, None)
        self.members = ids
        self.signal.sync(ids, self.now / 4)
        for id in self.left:
            self.heard.pop(id, None)

    @precondition(lambda self: self.members)
    @rule(data=st.data(), order=st.sampled_from(DrainOrder))
    def order(self, data, order):
        id = data.draw(st.sampled_from(self.members))
        self.signal.reported(self.members.index(id), order, self.now / 4)
        if order is DrainOrder.BEGIN:
            self.began.setdefault(id, self.now)
        else:
            self.began.pop(id, None)

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def start(self, data):
        id = data.draw(st.sampled_from(self.members))
        self.gate.started(self.now / 4, Request(id))
        self.open[id] += 1
        self.leases.append(id)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def finish(self, data):
        id = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        self.gate.finished(self.now / 4, Request(id), Outcome.SUCCESS)
        self.open[id] -= 1

    @rule(ahead=st.sampled_from([0, 4096]), sticky=st.booleans())
    def restart(self, ahead, sticky):
        """Another process, on another clock: leases are gone, drains are not."""
        kept = json.loads(json.dumps(self.signal.snapshot()))
        self.sticky = sticky
        self.make()
        self.signal.restore(kept, self.now / 4)
        assert self.signal.snapshot()["away"] == kept["away"]
        self.leases, self.open = [], dict.fromkeys(IDS, 0)
        self.signal.drain_events()
        self.heard = {id: self.wanted(id) for id in self.members}

    @invariant()
    def phases_states_and_sessions_are_the_models(self):
        drains = {id: self.wanted(id) for id in self.members if id in self.began}
        assert self.signal.phases() == drains
        factors, states = np.ones(len(self.members)), np.zeros(len(self.members), np.uint8)
        self.signal.apply(factors, states)
        assert states.tolist() == [State.DRAINING if id in drains else State.HEALTHY for id in self.members]
        ahead = [self.began[id] + PATIENCE for id in drains if self.began[id] + PATIENCE > self.now]
        assert self.signal.deadline == (min(ahead) / 4 if ahead else None)
        over = {id for id in drains if not self.sticky or self.began[id] + PATIENCE <= self.now}
        assert self.gate.full() == over

    @invariant()
    def events_tell_every_move(self):
        """Replayed, they lead each member along the table to where it is."""
        last = -1.0
        for event in self.signal.drain_events():
            assert last <= event.now <= self.now / 4
            last = event.now
            if event.id not in self.members and event.id not in self.left:
                continue
            before = self.heard.get(event.id)
            after = {
                Draining: Phase.DRAINING,
                Drained: Phase.EMPTY,
                DrainOverdue: Phase.OVERDUE,
                DrainCalledOff: Phase.SERVING,
            }[type(event)]
            if before is not None:
                assert after in {to for (at, _), to in TRANSITIONS.items() if at is before}
            self.heard[event.id] = after
        for id in self.members:
            assert self.heard.setdefault(id, self.wanted(id)) is self.wanted(id)


DrainMachine.TestCase.settings = settings(
    max_examples=max(50, settings.default.max_examples // 2), stateful_step_count=40
)
TestDrain = DrainMachine.TestCase
