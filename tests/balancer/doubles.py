"""What a balancer is tested with: both twins, a signal that is told what to say, a load that writes down its calls."""

import numpy as np

import lbalgo.active
import lbalgo.reference.balancer as plain
from lbalgo.types import Outcome, State

TWINS = [lbalgo.active.Balancer, plain.Balancer]


class Manual:
    """A signal that says what it was told to say, by id, and records what it hears."""

    def __init__(self, deadline=None):
        self.version, self.deadline = 0, deadline
        self.factors, self.states, self.ids, self.heard, self.events = {}, {}, (), [], []

    def say(self, id, factor=1.0, state=State.HEALTHY):
        self.factors[id], self.states[id] = factor, state
        self.version += 1

    def sync(self, ids, now):
        self.ids = tuple(ids)
        self.version += 1

    def observe(self, slot, outcome, latency, now):
        self.heard.append((self.ids[slot], outcome, latency, now))

    def changed(self, slot, old, new, now):
        self.heard.append((self.ids[slot], old, new, now))

    def advance(self, now):
        if self.deadline is not None and now >= self.deadline:
            self.heard.append(("due", self.deadline, now))
            self.deadline = None

    def apply(self, factors, states):
        for slot, id in enumerate(self.ids):
            factors[slot] = self.factors.get(id, 1.0)
            states[slot] = max(states[slot], self.states.get(id, 0))

    def snapshot(self):
        return {"factors": dict(self.factors), "states": {id: int(s) for id, s in self.states.items()}}

    def restore(self, state, now):
        self.factors = dict(state["factors"])
        self.states = {id: State(s) for id, s in state["states"].items()}
        self.version += 1

    def drain_events(self):
        events, self.events = self.events, []
        return events


class Diary:
    """A load that writes down its calls; a picker of `Least` reads it."""

    def __init__(self):
        self.calls, self.open = [], {}

    def started(self, row, cost, now):
        self.calls.append(("started", row, cost, now))
        self.open[row] = self.open.get(row, 0) + 1

    def finished(self, row, outcome, latency, now, cost=1.0):
        self.calls.append(("finished", row, outcome, latency, now, cost))
        self.open[row] -= 1

    def advance(self, now):
        pass

    def at(self, row):
        return float(self.open.get(row, 0))

    def restart(self, row):
        assert not self.open.get(row)
        self.calls.append(("restart", row))


class Least:
    """A policy by hand: the eligible backend with the least load, ties to the first; refuses what `trap` says."""

    def __init__(self, load=None, trap=lambda view: None):
        self.load, self.trap, self.built = load, trap, []

    def build(self, view, *, previous=None):
        from lbalgo.view import view_of

        view = view_of(view)
        self.trap(view)
        self.built.append(view)
        return LeastPicker(view, self.load)

    def to_dict(self):
        return {}


class LeastPicker:
    def __init__(self, view, load):
        self.view, self.backends, self.load = view, view.backends, load

    def walk(self, key=None):
        slots = np.flatnonzero(self.view.eligible).tolist()
        if self.load is not None:
            slots.sort(key=lambda slot: self.load.at(int(self.view.rows[slot])))
        return iter([self.backends[slot] for slot in slots])

    def pick(self, key=None, *, exclude=()):
        from lbalgo.errors import NoBackend

        able = list(self.walk(key))
        for backend in able:
            if backend.id not in exclude:
                return backend
        raise NoBackend("excluded" if able else "ineligible" if self.backends else "empty")


OUTCOMES = list(Outcome)
