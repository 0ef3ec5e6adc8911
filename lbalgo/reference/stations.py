"""`Stations`: the servers of a simulation, and the jobs at them.

A server has `slots`, each of which does `speed` units of work a second. FIFO: a job has a slot to itself, and waits for
one in order of arrival. Processor sharing: all jobs present share the slots evenly, none gets more than one. A speed
of 0 is a server that hangs: what it has stays where it is. A server takes at most `limit` jobs beyond its slots.

What happens when is put into the event queue: the end of each job under FIFO, the next end of each server under
sharing. If a speed changes or a job is taken away, an event already put in is void: it carries a stamp that no longer
fits. Sharing runs on virtual time, the work one job has been given: a job ends when virtual time has advanced by its
work, so whoever comes or goes changes one event and not all. The ends of a server's jobs are a skew heap.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/stations.pxd`.

Costs: FIFO O(1) a job; sharing O(log jobs present) amortised; changing a speed and crashing O(jobs); memory 64 bytes a
job present at once, 96 a server, side by side for a server or job.
Source: Kleinrock, *Queueing Systems* II, 4.4, for sharing; virtual time after Parekh, Gallager, IEEE/ACM ToN 1 (1993);
Sleator and Tarjan, "Self-adjusting heaps", SIAM J. Comput. 15 (1986).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbalgo.types import OUTCOME_CODES, Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.event_queue import EventQueue, floats, twofold, wider

    SLOTS, SHARING, LIMIT, UP, PRESENT, MOST, FIRST, LAST = range(8)  # of a server; FIRST is a heap's root too
    SINCE, BUSY, JOBS, SLOWNESS = range(4, 8)
    VIRTUAL, SPEED, TURN, RARE = range(4)
    PLACE, SERVER, MARK, NUMBER, AFTER, LEFT, CLIENT, VERDICT = range(8)  # of a job
    WORK, AT, BEGAN, KEY = range(4, 8)  # WORK is left at AT, or under sharing the virtual instant of the end
    GAUGES, COUNTS, WORKS, LINKS = 8, 16, 8, 16  # a cache line each: 8 integers of 32 bits, then 4 numbers
    ENDS, SHARES, KINDS = 0, 1, 3  # a job ends; the first of those that share a server ends; bits that say which kind
    UNUSED, OUTSIDE, WAITING, SERVED, SHARED, GONE = range(6)  # PLACE; GONE is in a queue still, to be passed over
    NUMBERS = (1 << 30) - 1  # jobs are told apart by number as long as fewer have come in between
    ACCEPTED, REFUSED, FULL = -1, 4, 3  # the last two are codes of outcomes

assert (OUTCOME_CODES[Outcome.LOCAL_ERROR], OUTCOME_CODES[Outcome.OVERLOADED]) == (REFUSED, FULL)
ROOM = 256  # jobs at first


class Stations:
    """Servers by number, and jobs by number.

    Parameters
    ----------
    queue : where events go.
    slots, sharing, speeds, limits : of each server; a limit < 0 is none.

    Attributes
    ----------
    taken : how many jobs there have been.
    links, works : what is known of each job, integers and numbers; CLIENT, VERDICT, BEGAN and KEY are the engine's.
    """

    def __init__(
        self,
        queue: EventQueue,
        slots: Sequence[int],
        sharing: Sequence[bool],
        speeds: Sequence[float],
        limits: Sequence[int],
    ) -> None:
        self.queue, self.servers = queue, len(slots)
        self.gauges, self.counts = twofold(GAUGES * self.servers, np.int32)
        self.rare = floats(RARE * self.servers)
        for server in range(self.servers):
            at, gauge = COUNTS * server, GAUGES * server
            self.counts[at + SLOTS], self.counts[at + SHARING] = slots[server], sharing[server]
            self.counts[at + LIMIT], self.counts[at + UP] = limits[server], 1
            self.counts[at + FIRST] = -1
            self.rare[RARE * server + SPEED], self.gauges[gauge + SLOWNESS] = speeds[server], _inverse(speeds[server])
        self.room, self.spare, self.taken = ROOM, -1, 0
        self.works, self.links = twofold(WORKS * ROOM, np.int32)
        self._offer(0)

    def take(self) -> int:
        """A new job, which is nowhere yet."""
        if self.spare < 0:
            self._grow()
        job = self.spare
        at = LINKS * job
        self.spare = self.links[at + AFTER]
        self.links[at + PLACE] = OUTSIDE
        self.taken += 1
        self.links[at + NUMBER] = (self.taken & NUMBERS) + 1
        return job

    def free(self, job: int) -> int:
        """The job is over, and at no server."""
        self._free(job)
        return 0

    def _free(self, job: int) -> None:
        at = LINKS * job
        self.links[at + PLACE] = UNUSED
        self.links[at + NUMBER] = 0
        self.links[at + MARK] += 1
        self.links[at + AFTER] = self.spare
        self.spare = job

    def submit(self, job: int, server: int, work: float, now: float) -> int:
        """Brings a job to a server; ACCEPTED, or the code of the outcome at once."""
        at, link = COUNTS * server, LINKS * job
        self.links[link + SERVER] = server
        if not self.counts[at + UP]:
            return REFUSED
        present, slots, limit = self.counts[at + PRESENT], self.counts[at + SLOTS], self.counts[at + LIMIT]
        if limit >= 0 and present >= slots + limit:
            return FULL
        self.tick(server, now)
        self.counts[at + PRESENT] = present + 1
        if present >= self.counts[at + MOST]:
            self.counts[at + MOST] = present + 1
        if self.counts[at + SHARING]:
            self.links[link + PLACE] = SHARED
            self.works[WORKS * job + WORK] = self.rare[RARE * server + VIRTUAL] + work
            self.links[link + AFTER] = self.links[link + LEFT] = -1
            self.counts[at + FIRST] = self._meld(self.counts[at + FIRST], job)
            self._next_end(server, now)
        elif present < slots:
            self._serve(job, work, now)
        else:
            self.links[link + PLACE] = WAITING
            self.works[WORKS * job + WORK] = work
            self.links[link + AFTER] = -1
            if self.counts[at + FIRST] < 0:
                self.counts[at + FIRST] = job
            else:
                self.links[LINKS * self.counts[at + LAST] + AFTER] = job
            self.counts[at + LAST] = job
        return ACCEPTED

    def _serve(self, job: int, work: float, now: float) -> int:
        link = LINKS * job
        self.links[link + PLACE] = SERVED
        self.works[WORKS * job + WORK] = work
        self.works[WORKS * job + AT] = now
        slowness = self.gauges[GAUGES * self.links[link + SERVER] + SLOWNESS]
        if slowness > 0.0:
            self.queue.push(now + work * slowness, ENDS | job << KINDS, self.links[link + MARK])
        return 0

    def ended(self, job: int, mark: int, now: float) -> bool:
        """Whether an event of kind ENDS is true; if so, the job has left its server and the next one is served."""
        if self.links[LINKS * job + MARK] != mark:
            return False
        self._leave(job, now)
        return True

    def _leave(self, job: int, now: float) -> int:
        server = self.links[LINKS * job + SERVER]
        at = COUNTS * server
        self.tick(server, now)
        self.counts[at + PRESENT] -= 1
        self.links[LINKS * job + PLACE] = OUTSIDE
        if self.counts[at + PRESENT] >= self.counts[at + SLOTS]:  # somebody waits, and nobody else has room
            after = self.counts[at + FIRST]
            while self.links[LINKS * after + PLACE] == GONE:
                self.counts[at + FIRST] = self.links[LINKS * after + AFTER]
                self._free(after)
                after = self.counts[at + FIRST]
            self.counts[at + FIRST] = self.links[LINKS * after + AFTER]
            self._serve(after, self.works[WORKS * after + WORK], now)
        return 0

    def shared_end(self, server: int, mark: int, now: float) -> int:
        """The job that has ended if an event of kind SHARES is true, and it has left; else -1."""
        at, rare = COUNTS * server, RARE * server
        if self.rare[rare + TURN] != mark:
            return -1
        self.tick(server, now)
        job: int = self.counts[at + FIRST]
        self.rare[rare + VIRTUAL] = self.works[WORKS * job + WORK]
        self._unroot(server, job)
        self.counts[at + PRESENT] -= 1
        self.links[LINKS * job + PLACE] = OUTSIDE
        self._next_end(server, now)
        return job

    def _unroot(self, server: int, job: int) -> None:
        link = LINKS * job
        self.counts[COUNTS * server + FIRST] = self._meld(self.links[link + LEFT], self.links[link + AFTER])

    def _next_end(self, server: int, now: float) -> int:
        """Puts in when the first of those that share a server will end, as things are."""
        at, rare = COUNTS * server, RARE * server
        self.rare[rare + TURN] += 1.0
        job = self.counts[at + FIRST]
        while job >= 0 and self.links[LINKS * job + PLACE] == GONE:
            self._unroot(server, job)
            self._free(job)
            job = self.counts[at + FIRST]
        if job < 0:
            self.rare[rare + VIRTUAL] = 0.0
            return 0
        pace = self._pace(server)
        if pace > 0.0:
            rest = self.works[WORKS * job + WORK] - self.rare[rare + VIRTUAL]
            due = now + rest / pace if rest > 0.0 else now
            self.queue.push(due, SHARES | server << KINDS, int(self.rare[rare + TURN]))
        return 0

    def _pace(self, server: int) -> float:
        """Work a second that each job of a server that shares is given."""
        present, slots = self.counts[COUNTS * server + PRESENT], self.counts[COUNTS * server + SLOTS]
        speed: float = self.rare[RARE * server + SPEED]
        return speed if present <= slots else speed * slots / present

    def tick(self, server: int, now: float) -> None:
        """Brings a server's integrals, and its virtual time, up to now."""
        at, gauge = COUNTS * server, GAUGES * server
        span = now - self.gauges[gauge + SINCE]
        self.gauges[gauge + SINCE] = now
        present, slots = self.counts[at + PRESENT], self.counts[at + SLOTS]
        self.gauges[gauge + JOBS] += present * span
        self.gauges[gauge + BUSY] += (present if present < slots else slots) * span
        if self.counts[at + SHARING] and present > 0:
            self.rare[RARE * server + VIRTUAL] += span * self._pace(server)

    def cancel(self, job: int, now: float) -> int:
        """The job is over, and its server does not go on with it."""
        server, place = self.links[LINKS * job + SERVER], self.links[LINKS * job + PLACE]
        if place == SERVED:
            self.links[LINKS * job + MARK] += 1
            self._leave(job, now)
            self._free(job)
        elif place in (WAITING, SHARED):
            self.tick(server, now)
            self.counts[COUNTS * server + PRESENT] -= 1
            self.links[LINKS * job + PLACE] = GONE
            if place == SHARED:
                self._next_end(server, now)
        else:
            self._free(job)
        return 0

    def set_speed(self, server: int, speed: float, now: float) -> None:
        """From now on each slot of the server does so much work a second."""
        self.tick(server, now)
        gauge, rare = GAUGES * server, RARE * server
        before, self.rare[rare + SPEED] = self.rare[rare + SPEED], speed
        self.gauges[gauge + SLOWNESS] = _inverse(speed)
        if self.counts[COUNTS * server + SHARING]:
            self._next_end(server, now)
            return
        for job in range(self.room):
            if self.links[LINKS * job + PLACE] == SERVED and self.links[LINKS * job + SERVER] == server:
                self.links[LINKS * job + MARK] += 1
                done = (now - self.works[WORKS * job + AT]) * before
                self._serve(job, max(0.0, self.works[WORKS * job + WORK] - done), now)

    def crash(self, server: int, now: float) -> list[int]:
        """The server is down: it loses all its jobs, which are returned in the order in which they were taken."""
        self.tick(server, now)
        lost = []
        for job in range(self.room):
            link = LINKS * job
            if self.links[link + SERVER] == server:
                if self.links[link + PLACE] == GONE:
                    self._free(job)
                elif self.links[link + PLACE] in (WAITING, SERVED, SHARED):
                    self.links[link + PLACE] = OUTSIDE
                    self.links[link + MARK] += 1
                    lost.append((self.links[link + NUMBER], job))
        at, rare = COUNTS * server, RARE * server
        self.counts[at + UP], self.counts[at + PRESENT], self.counts[at + FIRST] = 0, 0, -1
        self.rare[rare + VIRTUAL] = 0.0
        self.rare[rare + TURN] += 1.0
        lost.sort()
        return [job for _, job in lost]

    def restart(self, server: int, now: float) -> None:
        """The server is up, and empty."""
        self.tick(server, now)
        self.counts[COUNTS * server + UP] = 1

    def _before(self, one: int, two: int) -> bool:
        if self.works[WORKS * one + WORK] != self.works[WORKS * two + WORK]:
            return self.works[WORKS * one + WORK] < self.works[WORKS * two + WORK]  # type: ignore[no-any-return]
        return self.links[LINKS * one + NUMBER] < self.links[LINKS * two + NUMBER]  # type: ignore[no-any-return]

    def _meld(self, one: int, two: int) -> int:
        """One skew heap of two: down the right sides (AFTER), whose parts become left sides."""
        root = tail = -1
        while one >= 0 and two >= 0:
            if self._before(two, one):
                one, two = two, one
            if tail < 0:
                root = one
            else:
                self.links[LINKS * tail + LEFT] = one
            rest = self.links[LINKS * one + AFTER]
            self.links[LINKS * one + AFTER] = self.links[LINKS * one + LEFT]
            tail, one = one, rest
        rest = one if one >= 0 else two
        if tail < 0:
            return rest
        self.links[LINKS * tail + LEFT] = rest
        return root

    def _offer(self, low: int) -> None:
        for job in range(self.room - 1, low - 1, -1):
            self.links[LINKS * job + AFTER] = self.spare
            self.spare = job

    def _grow(self) -> None:
        low = self.room
        self.room = 2 * low
        self.works, self.links = wider(self.works, self.links, WORKS * self.room)
        self._offer(low)

    def where(self, job: int) -> int:
        """The number of the server the job is at, or was."""
        return self.links[LINKS * job + SERVER]  # type: ignore[no-any-return]

    def present(self, server: int) -> int:
        """Jobs waiting or being served."""
        return self.counts[COUNTS * server + PRESENT]  # type: ignore[no-any-return]

    def up(self, server: int) -> bool:
        """Whether the server is there."""
        return bool(self.counts[COUNTS * server + UP])

    def speed(self, server: int) -> float:
        """Work a second that each of its slots does."""
        return self.rare[RARE * server + SPEED]  # type: ignore[no-any-return]

    def most(self, server: int) -> int:
        """The most jobs there have been at once."""
        return self.counts[COUNTS * server + MOST]  # type: ignore[no-any-return]

    def areas(self, server: int, now: float) -> tuple[float, float]:
        """The integrals over time of slots busy and of jobs present, up to now."""
        self.tick(server, now)
        return self.gauges[GAUGES * server + BUSY], self.gauges[GAUGES * server + JOBS]

    def check_invariants(self) -> None:
        """Raises AssertionError where the servers contradict their jobs."""
        for server in range(self.servers):
            places = [
                self.links[LINKS * job + PLACE]
                for job in range(self.room)
                if self.links[LINKS * job + SERVER] == server
            ]
            held = sum(place in (WAITING, SERVED, SHARED) for place in places)
            slots, served = self.counts[COUNTS * server + SLOTS], places.count(SERVED)
            assert held == self.present(server), "who is present is counted"
            assert self.counts[COUNTS * server + SHARING] or served == min(held, slots), "no slot is idle if one waits"
            assert self.counts[COUNTS * server + UP] or not held, "a server that is down has nothing"


def _inverse(speed: float) -> float:
    return 1.0 / speed if speed > 0.0 else 0.0
