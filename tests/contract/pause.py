"""An honest signal as a user might write it, for the suite to certify and for `broken.py` to spoil."""

import math

from lbalgo import Outcome


class Pause:
    """Half its share for a backend during `seconds` after it answered that it is overloaded."""

    def __init__(self, seconds=20.0):
        self.seconds = seconds
        self.forget_after = 300.0
        self.version, self.deadline = 0, None
        self.now, self.ids = -math.inf, ()
        self.until, self.left = {}, {}  # by id: when the pause ends; when the backend left

    def sync(self, ids, now):
        self.now = max(self.now, now)
        away = ({*self.left} | {*self.ids}) - {*ids}
        self.left = {id: self.left.get(id, self.now) for id in away}
        self.version += tuple(ids) != self.ids
        self.ids = tuple(ids)
        self.tidy()

    def observe(self, slot, outcome, latency, now):
        self.now = max(self.now, now)
        if outcome is Outcome.OVERLOADED:
            self.until[self.ids[slot]] = self.now + self.seconds
            self.version += 1
        self.tidy()

    def changed(self, slot, old, new, now):
        self.advance(now)

    def advance(self, now):
        self.now = max(self.now, now)
        self.tidy()

    def tidy(self):
        over = [id for id, end in self.until.items() if end <= self.now]
        over += [id for id, since in self.left.items() if since + self.forget_after <= self.now]
        for id in over:
            self.version += self.until.pop(id, None) is not None and id in self.ids
        self.left = {id: since for id, since in self.left.items() if since + self.forget_after > self.now}
        self.deadline = min((self.until[id] for id in self.ids if id in self.until), default=None)

    def apply(self, factors, states):
        factors[:] = [0.5 if id in self.until else 1.0 for id in self.ids]

    def snapshot(self):
        ages = [{id: when - self.now for id, when in table.items()} for table in (self.until, self.left)]
        return {"ids": list(self.ids), "until": ages[0], "left": ages[1]}

    def restore(self, state, now):
        self.now, self.ids = now, tuple(state["ids"])
        self.until, self.left = ({id: now + age for id, age in state[name].items()} for name in ("until", "left"))
        self.version += 1
        self.tidy()
