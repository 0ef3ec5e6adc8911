"""A prober in virtual time: it takes what is due at once, and answers as a function says."""

import heapq
import itertools
import math

from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import Verdict
from lbalgo.signals.probing import Probing


def started(ids=("a",), now=0.0, **parameters):
    """A signal of these members; no jitter and no spread unless asked for."""
    signal = ActiveHealth.of(Probing(**{"jitter": 0.0, "spread": 0.0, **parameters}))
    signal.sync(list(ids), now)
    return signal


class Prober:
    """`answer(id, start)` gives (seconds until the answer, whether it is a pass), or None: never."""

    def __init__(self, signal, answer, ids):
        self.signal, self.answer, self.ids = signal, answer, list(ids)
        self.replies, self.order = [], itertools.count()
        self.starts, self.events = [], []

    def run(self, now, until):
        """Goes from instant to instant, at each of which something is due or is answered."""
        signal = self.signal
        while now <= until:
            signal.advance(now)
            while self.replies and self.replies[0][0] <= now:
                _, _, probe, passed = heapq.heappop(self.replies)
                verdict = Verdict(passed, "" if passed else "said so")
                signal.reported(self.ids.index(probe.id), probe.result(verdict), now)
            for probe in signal.take(now):
                self.starts.append((now, probe.id))
                reply = self.answer(probe.id, now)
                if reply is not None:
                    heapq.heappush(self.replies, (now + reply[0], next(self.order), probe, reply[1]))
            signal.advance(now)
            self.events += signal.drain_events()
            due = math.inf if signal.deadline is None else signal.deadline
            following = min(due, self.replies[0][0] if self.replies else math.inf)
            now = max(now, following)


def once(signal, slot, passed, now, *, final=False, ids=("a", "b", "c")):
    """Everybody who is due is probed at `now`; the one in the slot is answered, the others not."""
    signal.advance(now)
    for probe in signal.take(now):
        if probe.id == ids[slot]:
            signal.reported(slot, probe.result(Verdict(passed, "" if passed else "said so", final)), now)
            return True
    return False
