"""Every state that a small pool can come to, and whether the lifecycle holds in each.

`python -m tests.stateful.lifecycle_model full` (some minutes, and so takes `long`) searches all that a real
`Balancer` with real signals can do: backends join and leave, probes and drains say what they like, leases are opened
and end in every way, time passes. Of every state so reached, and after every move:

- no event is undeclared, and each stage is the one that the view and the signals stand for;
- the ledger closes: leases opened are those ended and those open, by backend, leavers and forgotten ones included,
  and no two incarnations share the row of a load while one has a lease open;
- whoever is not removed can become healthy by good news alone: probes pass, the drain is called off, time passes.

Two states count as one if nothing can tell them apart from here on: counters that nobody reads are dropped, ages stop
where they cease to matter, and names are only names (`tests.stateful.exhaustive`). The balancer is the plain twin, of
the same text as the compiled one; the signals of probes and of drains are stand-ins that say what they are told, when
they like: more than the real ones could.
"""

import sys
from dataclasses import dataclass

import lbalgo.reference.balancer as plain
from lbalgo import ConsecutiveErrors, LeastLoaded, NoBackend, Outcome, OutlierEjection, SlowStart, State
from lbalgo.lifecycle import Lifecycle
from lbalgo.signals.standing import Standing
from lbalgo.stages import STATES, TRANSITIONS, Stage
from lbalgo.testing import FakeClock
from tests.balancer.doubles import Manual
from tests.stateful.exhaustive import Search

SECOND = 10**9
STEP = 1.0  # seconds that pass at a time: a tick of the ejection, an ejection, a warm-up
FORGET = 2 * STEP
ENDS = {"succeed": Outcome.SUCCESS, "fail": Outcome.SERVER_ERROR, "drop": None}  # of a lease


@dataclass(frozen=True)
class Size:
    """How large a pool, how many leases are open at a time, and what else can happen."""

    backends: int
    leases: int
    probes: tuple[State, ...] = (State.HEALTHY, State.DEGRADED, State.UNHEALTHY)
    drains: bool = True
    ends: tuple[str, ...] = tuple(ENDS)
    warms: bool = True

    def __str__(self):
        parts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((self.backends, "backend"), (self.leases, "lease"))]
        probes = [state.name.lower() for state in self.probes if len(self.probes) > 1]
        lists = (
            ("probes", probes),
            ("drains", ["on", "off"] * self.drains),
            ("ends", self.ends),
            ("no slow start", [""] * (not self.warms)),
        )
        return ", ".join([*parts, *(f"{name} {'/'.join(values)}".strip() for name, values in lists if values)])


class World:
    """A balancer, what should be true of it, and what can happen to it next."""

    good = frozenset({("pass",), ("probe", State.HEALTHY), ("drain", State.HEALTHY)})

    def __init__(self, size, taken, balancer=plain.Balancer, life=Lifecycle):
        self.size, self.ids = size, "abc"[: size.backends]
        self.clock, self.taken = FakeClock(), taken
        self.life = life(FORGET)
        self.health, self.drain = Manual(), Manual()
        self.slow = SlowStart(STEP, steps=1)
        self.outlier = self.ejection()
        self.lb = balancer(
            LeastLoaded(),
            list(self.ids),
            signals=[self.health, self.drain, self.outlier, *([self.slow] if size.warms else ())],
            clock=self.clock,
            seed=0,
            forget_after=FORGET,
            on_event=lambda event: self.took(self.life(event)),
        )
        self.members, self.left = set(self.ids), {}
        self.incarnation = dict.fromkeys(self.ids, 0)
        self.well = dict.fromkeys(self.ids, True)  # whether it has been more than unhealthy since it joined
        self.leases, self.opened = [], 0  # (id, incarnation, row, lease)
        self.check()

    @staticmethod
    def ejection():
        return OutlierEjection([ConsecutiveErrors(1)], interval=STEP, base_ejection_time=STEP, max_ejection_time=STEP)

    def actions(self):
        yield ("pass", None)
        for id in self.ids:
            yield ("leave" if id in self.members else "join", id)
            if id in self.members:
                yield from (("probe", id, state) for state in self.size.probes if state != self.said(self.health, id))
                if self.size.drains:
                    drains = self.said(self.drain, id) is State.DRAINING
                    yield ("drain", id, State.HEALTHY if drains else State.DRAINING)
                if len(self.leases) < self.size.leases:
                    yield ("open", id)
            if any(lease[0] == id for lease in self.leases):
                yield from ((end, id) for end in self.size.ends)

    @staticmethod
    def said(signal, id):
        return State(signal.states.get(id, 0))

    def do(self, action):
        """One move, not yet checked."""
        name, id, *said = action
        if name == "pass":
            self.clock.advance(STEP)
            self.lb.advance()
        elif name in ("join", "leave"):
            self.move(id)
        elif name in ("probe", "drain"):
            signal = self.health if name == "probe" else self.drain
            signal.say(id, state=said[0])
            self.lb.advance()
        elif name == "open":
            self.open(id)
        else:
            at = next(at for at, lease in enumerate(self.leases) if lease[0] == id)
            lease = self.leases.pop(at)[3]
            if ENDS[name] is not None:
                lease.done(ENDS[name])
            del lease
        for id in self.members:
            self.well[id] |= self.lb.view.states[self.lb.view.ids.index(id)] != State.UNHEALTHY or self.out(id)
        self.took(self.life.count(self.lb.stats().in_flight, self.clock()))
        return self

    def took(self, places):
        self.taken |= {(place.before, place.cause) for place in places}

    def stage(self, id):
        return self.life[id].stage if id in self.life else Stage.REMOVED

    def move(self, id):
        now = self.clock()
        if id in self.members:
            self.members.remove(id)
            self.left[id] = now
        else:
            self.members.add(id)
            self.well[id] = False
            if now - self.left.pop(id) >= FORGET:
                self.incarnation[id] += 1
        self.lb.update(sorted(self.members))

    def open(self, id):
        able = bool(self.lb.view.eligible[self.lb.view.ids.index(id)])
        try:
            lease = self.lb.acquire(exclude=set(self.ids) - {id})
        except NoBackend:
            assert not able
        else:
            assert able
            assert lease.backend.id == id
            row = int(self.lb.view.rows[self.lb.view.ids.index(id)])
            self.leases.append((id, self.incarnation[id], row, lease))
            self.opened += 1

    def check(self):
        """Everything that must hold."""
        stats, view = self.lb.stats(), self.lb.view
        assert (stats.opened, stats.open_leases) == (self.opened, len(self.leases))
        assert stats.opened == stats.closed + stats.open_leases
        flying = {id: sum(lease[0] == id for lease in self.leases) for id in self.ids}
        assert {id: stats.in_flight.get(id, 0) for id in self.ids} == flying
        warming = self.slow.snapshot()["members"] if self.size.warms else dict.fromkeys(self.ids)
        for id in self.ids:
            if id not in self.members:
                assert id not in self.life or self.life[id].stage is Stage.REMOVED
                continue
            slot, stage, row = view.ids.index(id), self.life[id].stage, int(view.rows[view.ids.index(id)])
            state = State(int(view.states[slot]))
            mine = sum(lease[:2] == (id, self.incarnation[id]) for lease in self.leases)
            assert self.lb.picker.load.at(row) == mine == sum(lease[2] == row for lease in self.leases)
            assert STATES[stage] is state
            assert (stage is Stage.EJECTED) == (self.out(id) and state is State.UNHEALTHY)
            assert (stage is Stage.WARMING) == (warming[id] is not None and state is State.HEALTHY)
            assert (stage is Stage.DRAINED) == (state is State.DRAINING and not flying[id])
            assert (stage is Stage.JOINING) == (not self.well[id])
            if not view.panic:
                assert bool(view.eligible[slot]) == (stage in (Stage.WARMING, Stage.HEALTHY))

    def out(self, id):
        return self.outlier._roster.members[id].standing is Standing.EJECTED

    def facts(self):
        """What decides all that can be seen from here on: in all, and of each."""
        slow, outlier, now = self.slow.snapshot(), self.outlier.snapshot(), self.clock()
        remembered = {id for id, since in self.left.items() if now - since < FORGET}
        known = self.members | remembered
        ghosts = {row for id, age, row, _ in self.leases if id not in known or age != self.incarnation[id]}
        spare = len(self.lb.pool.rows.names) - len(known) - len(ghosts)  # rows that may be given away at the next move
        return spare, {id: self.known(id, slow, outlier) for id in self.ids}

    def known(self, id, slow, outlier):
        away = min(self.clock() - self.left[id], FORGET) if id in self.left else -1.0
        ages = [age for at, age, _, _ in self.leases if at == id]
        past = sorted({*ages} - {self.incarnation[id]})
        held = tuple(past.index(age) if age in past else -1 for age in ages)  # whose row each lease is on
        says = self.said(self.health, id), self.said(self.drain, id)
        gone = away == FORGET  # the rooms forget when they next look; nothing depends on when
        if gone:
            return away, held, says
        place = self.life[id]
        rows = self.lb.pool.rows
        told = int(self.lb.pool.told[rows.members[id] if id in self.members else rows.left[id][0]])
        warmth = None
        if self.size.warms:
            warmth = slow["members"][id] if id in self.members else slow["away"][id][1]
        record = outlier["members"][id] if id in self.members else outlier["away"][id][1]
        serving = record["standing"].endswith("EJECTED")
        ages = (
            STEP if warmth is None else min(warmth / SECOND, STEP),
            min(record["ejected_for"] / SECOND, STEP) if serving else -1.0,
            min(record["readmitted_for"] / SECOND, STEP) if record["backoff"] and not serving else -1.0,
        )
        return away, held, says, place.stage.value, told, ages, record["backoff"]


@dataclass
class Found:
    """What a search has found."""

    states: int
    unfolded: int  # states, if the names of backends count
    edges: int
    taken: set  # entries of the table
    stuck: list  # the ways to states from which somebody cannot become healthy by good news, and whose place


def search(size, make=World, limit=None, fold=True):
    """All states within reach, every move out of each of them once."""
    taken = set()
    found = Search(lambda: make(size, taken), limit, fold)
    return Found(len(found.states), found.unfolded, found.edges, taken, found.stuck(Stage.HEALTHY, Stage.REMOVED))


QUICK = (
    Size(1, 1, ends=("fail",)),
    Size(1, 1, ends=("fail",), warms=False),
    Size(2, 0, probes=(State.HEALTHY, State.UNHEALTHY), drains=False),
)
WELL = (State.HEALTHY,)  # probes that only pass: leases, ejections, membership and time
FULL = (
    Size(1, 2),
    Size(1, 2, warms=False),
    Size(2, 2, probes=WELL, drains=False),
    Size(3, 1, probes=WELL, drains=False),
)
LONG = (Size(2, 1, probes=(State.HEALTHY, State.UNHEALTHY), ends=("fail", "drop")),)


def main(sizes):
    """Searches, and says what has been found; whether all is well."""
    taken, well = set(), True
    for size in sizes:
        found = search(size)
        taken |= found.taken
        well = well and not found.stuck
        states = f"{found.states} states ({found.unfolded} by name)"
        print(f"{size}: {states}, {found.edges} edges, {len(found.stuck)} stuck", flush=True)
    print(f"{len(taken)} of {len(TRANSITIONS)} moves taken")
    return well


if __name__ == "__main__":
    sizes = {"quick": QUICK, "full": FULL, "long": LONG}
    sys.exit(not main(sizes[sys.argv[1] if len(sys.argv) > 1 else "quick"]))
