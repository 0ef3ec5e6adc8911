"""Active health against a model without table, agenda and nanoseconds: flags, counters and a look at everybody."""

import json

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lbalgo import State
from lbalgo.events import HealthChanged, HealthHeld
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import LAST, Verdict
from lbalgo.signals.probing import Probing

IDS = ("a", "b", "c", "d")
TICKS = st.integers(1, 40).map(lambda n: n / 4)
FORGET = 60.0
VERDICTS = st.sampled_from([Verdict(True), LAST, Verdict(False, "no"), Verdict(False, "no", True)])


class Backend:
    """Well or not, by how many results in a row it is on its way to the reverse, and its next probe."""

    def __init__(self, now, spec):
        self.well = spec.initial is State.HEALTHY
        self.fresh, self.held, self.last = True, False, False
        self.against = 0  # results in a row that speak against what it is
        self.failing = None  # since when
        self.next, self.number, self.offered, self.sent = now, 0, False, None
        self.left = None


class Model:
    def __init__(self, spec, now):
        self.spec, self.now, self.known, self.members, self.events = spec, now, {}, [], []

    def wait(self, now):
        self.now = now
        while True:
            late = [(self.known[i].sent + self.spec.timeout, i) for i in self.members if self.known[i].sent is not None]
            if not late or min(late)[0] > now:
                break
            end, id = min(late)
            self.end(id, Verdict(False, "timeout"), end)
        for id, b in list(self.known.items()):
            if b.left is not None and now - b.left >= FORGET:
                del self.known[id]
        self.offer()

    def offer(self):
        for id in self.members:
            b = self.known[id]
            if not b.offered and b.sent is None and b.next <= self.now:
                b.offered, b.number = True, b.number + 1

    def take(self):
        taken = sorted((i, self.known[i].number) for i in self.members if self.known[i].offered)
        for id, _ in taken:
            self.known[id].offered, self.known[id].sent = False, self.now
        return taken

    def end(self, id, verdict, now):
        b, spec = self.known[id], self.spec
        was, held, passed, final = self.state(b), b.held, verdict.passed, verdict.final
        if passed:
            b.failing, b.last = None, verdict.degraded
        elif b.failing is None:
            b.failing = now
        if b.fresh and passed:
            b.well, b.against = True, 0
        elif passed == b.well:
            b.against, b.held = 0, False
        else:
            b.against += 1
            enough = b.fresh or final or held or b.against >= (spec.fall if b.well else spec.rise)
            if not b.well and passed:
                if enough:
                    b.well, b.against = True, 0
            elif enough:
                if self.doubted(b, now):
                    if not held:
                        self.events.append(("held", now, id))
                    b.held = True  # whatever fails from here on asks again
                else:
                    b.well, b.against, b.held = False, 0, False
        b.fresh = False
        if self.state(b) is not was:
            self.events.append((self.state(b), now, id))
        step = spec.fast_interval if b.against else spec.interval if b.well else spec.down_interval
        b.next, b.sent = b.sent + step, None

    def state(self, b):
        if b.fresh:
            return self.spec.initial
        return (State.DEGRADED if b.last else State.HEALTHY) if b.well else State.UNHEALTHY

    def doubted(self, b, now):
        recent = [self.recent(self.known[i], now) for i in self.members]
        counted = [r for r in recent if r is not None]
        return self.recent(b, now) and sum(counted) >= 2 and sum(counted) > self.spec.hold_share * len(counted)

    def recent(self, b, now):
        """Whether it has begun to fail within the window; None if it has failed for longer."""
        if b.failing is None:
            return False
        return True if now - b.failing < self.spec.hold_window else None

    def sync(self, ids):
        for id in self.members:
            if id not in ids:
                self.known[id].left = self.now
                self.gone(id)
        for id in ids:
            if id not in self.known:
                self.known[id] = Backend(self.now, self.spec)
            elif self.known[id].left is not None:
                self.known[id].left = None
                self.gone(id)
        self.members = list(ids)
        self.offer()

    def gone(self, id):
        b = self.known[id]
        b.offered, b.sent = False, None

    def deadline(self):
        due = [self.known[i].sent + self.spec.timeout for i in self.members if self.known[i].sent is not None]
        due += [b.next for b in map(self.known.get, self.members) if b.sent is None and not b.offered]
        return min(due) if due else None


class Machine(RuleBasedStateMachine):
    @initialize(
        times=st.tuples(*[st.sampled_from([0.5, 1.0, 2.5, 4.0])] * 4),
        rise=st.integers(1, 3),
        fall=st.integers(1, 3),
        initial=st.sampled_from([State.HEALTHY, State.UNHEALTHY]),
        share=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        window=st.sampled_from([0.5, 4.0, 20.0]),
        ids=st.lists(st.sampled_from(IDS), unique=True, min_size=1),
    )
    def begin(self, times, rise, fall, initial, share, window, ids):
        interval, timeout, fast, down = times
        self.spec = Probing(
            interval=interval, timeout=timeout, rise=rise, fall=fall, fast_interval=fast, down_interval=down, jitter=0,
            spread=0, initial=initial, hold_share=share, hold_window=window,
        )  # fmt: skip
        self.signal, self.model = ActiveHealth.of(self.spec), Model(self.spec, 0.0)
        self.signal.forget_after = FORGET
        self.probes, self.old = {}, []
        self.signal.sync(ids, 0.0)
        self.model.sync(ids)

    @rule(wait=TICKS)
    def time_passes(self, wait):
        self.model.wait(self.model.now + wait)
        self.signal.advance(self.model.now)

    @rule()
    def to_the_deadline(self):
        if self.signal.deadline is not None:
            self.model.wait(max(self.model.now, self.signal.deadline))
            self.signal.advance(self.model.now)

    @rule()
    def take(self):
        probes = self.signal.take(self.model.now)
        assert sorted((p.id, p.number) for p in probes) == self.model.take()
        self.signal.advance(self.model.now)
        self.old += self.probes.values()
        self.probes.update({p.id: p for p in probes})

    @rule(data=st.data(), verdict=VERDICTS)
    def answer(self, data, verdict):
        open_ = [id for id in self.model.members if self.model.known[id].sent is not None]
        if open_:
            self.ends(data.draw(st.sampled_from(open_)), verdict)

    def ends(self, id, verdict):
        self.model.end(id, verdict, self.model.now)
        self.model.offer()
        self.signal.reported(self.model.members.index(id), self.probes[id].result(verdict), self.model.now)

    @rule(verdicts=st.lists(VERDICTS, min_size=4, max_size=4), rounds=st.integers(1, 4))
    def all_answer(self, verdicts, rounds):
        """One instant after the other, whatever was sent is answered, everybody as they do this time."""
        for _ in range(rounds):
            self.to_the_deadline()
            self.take()
            for id, verdict in zip(IDS, verdicts, strict=True):
                if id in self.model.members and self.model.known[id].sent is not None:
                    self.ends(id, verdict)
            self.they_agree()

    @rule(data=st.data(), verdict=st.sampled_from([Verdict(True), Verdict(False, "no", True)]))
    def an_answer_too_late(self, data, verdict):
        stale = [p for p in self.old if p.id in self.model.members and self.stale(p)]
        if stale:
            probe = data.draw(st.sampled_from(stale))
            slot = self.model.members.index(probe.id)
            self.signal.reported(slot, probe.result(verdict), self.model.now)

    def stale(self, probe):
        b = self.model.known[probe.id]
        return b.number != probe.number or b.sent is None

    @rule(ids=st.lists(st.sampled_from(IDS), unique=True))
    def sync(self, ids):
        self.old += self.probes.values()
        self.model.sync(ids)
        self.signal.sync(ids, self.model.now)

    @rule()
    def restart(self):
        """Another process goes on; what was under way is due again."""
        kept = json.loads(json.dumps(self.signal.snapshot()))
        self.old += self.probes.values()
        self.notes()
        self.signal = ActiveHealth.of(self.spec)
        self.signal.forget_after = FORGET
        self.signal.restore(kept, self.model.now)
        for id in self.model.members:
            self.model.gone(id)
        self.model.offer()

    def notes(self):
        said = []
        for event in self.signal.drain_events():
            kind = "held" if isinstance(event, HealthHeld) else event.state
            assert isinstance(event, (HealthChanged, HealthHeld))
            said.append((kind, event.now, event.id))
        assert said == self.model.events
        self.model.events.clear()

    @invariant()
    def they_agree(self):
        if hasattr(self, "model"):
            n = len(self.model.members)
            states = np.zeros(n, np.uint8)
            self.signal.apply(np.ones(n), states)
            assert states.tolist() == [self.model.state(self.model.known[i]) for i in self.model.members]
            assert self.signal.deadline == self.model.deadline()
            self.notes()


TestMachine = Machine.TestCase
