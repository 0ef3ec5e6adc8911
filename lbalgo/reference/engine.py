"""`Engine`: the loop of a simulation; requests arrive, are sent where the balancers say, and end.

Time is virtual: it jumps from one event to the next. Arrivals come in blocks from a *feed* and are not events of the
queue; whichever of the next arrival and the next event is earlier happens, the event if both are at one instant. What
is rare (members change, servers fail, reports are made) are *plans*, plain functions called at their instant.

Who chooses is one of four, and it makes no difference but in speed: a picker by live load, compiled; a picker by
ticket, compiled; any other picker; or, for all else, a function that acquires and one that is told the end (a
`Balancer` behind them). Loads and pickers are called as the `Balancer` calls them.

What a request does beyond one try (time out, be tried again, be hedged) is not known here: its *course* is told how
each job ended and answers for the request.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/engine.pxd`.

Costs: about 45 ns an event where compiled pickers choose; memory 200 bytes a request in flight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lbalgo.errors import NoBackend
from lbalgo.types import OUTCOME_CODES, Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.event_queue import EventQueue, floats, integers
    from lbalgo.reference.load_picker import LoadPicker
    from lbalgo.reference.loads import InFlightCounts, LoadState
    from lbalgo.reference.pickers import TicketPicker
    from lbalgo.reference.stations import BEGAN, CLIENT, KEY, LINKS, NUMBER, SERVER, VERDICT, WORK, WORKS, Stations
    from lbalgo.reference.streams import Stream

    ENDS, SHARES, ANSWERS, EXPIRES, PLAN, REACHES, RETURNS = range(7)  # kinds of event; the stations' own come first
    KINDS, KIND = 3, 7  # bits of an event's integer that say which kind, and their mask
    BY_LOAD, BY_TICKET, BY_PICK, BY_CALL = range(4)  # who chooses
    SUCCESS, CODES = 0, 7  # the code of that outcome, and how many there are
    UNSEEN, BLOCK = -1, 4096  # no key, server or owner; latencies handed on at a time

NEVER = math.inf
assert OUTCOME_CODES[Outcome.SUCCESS] == SUCCESS and len(OUTCOME_CODES) == CODES


class VirtualClock:
    """A clock that says what it was last set to, in seconds; a `Balancer` takes it for its own."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The instant, in seconds."""
        return self.now


def _lists(block: Any) -> Any:
    """The columns of a block as lists."""
    return tuple(None if column is None else column.tolist() for column in block)


class Engine:
    """One run.

    Parameters
    ----------
    queue, stations : where events and jobs are.
    clock : set to each instant.
    feed : called for the next block of requests: instants, work, and by request its client, its key's number and its
        cost (each None if all are 0, there are no keys, all cost 1); None when there are no more.
    take : called with a block of latencies, a view that is used again.
    stop : the instant (seconds) at which the run ends.
    warm : requests that end before this instant (seconds) are not measured.
    coins : stream that decides which requests fail.
    names : the keys by number; None if the numbers are the keys.
    keys : how many keys there are, to see which move; 0 if that is not asked.

    Attributes
    ----------
    arrived, ended, refused : requests so far; the rest is in flight.
    counts : measured requests by outcome code.
    moved, repeated : requests whose key was seen before, and those of them that went elsewhere than the last one.
    rows : None, or a list to which a tuple for each request is added.
    net : None, or what says how long a request of a client is under way to a server, `there`, and its answer, `back`.
    """

    def __init__(
        self,
        queue: EventQueue,
        stations: Stations,
        clock: VirtualClock,
        feed: Callable[[], Any],
        take: Callable[[Any], None],
        *,
        stop: float,
        warm: float,
        coins: Stream,
        names: Any = None,
        keys: int = 0,
    ) -> None:
        n = stations.servers
        self.queue, self.stations, self.clock, self.feed, self.take = queue, stations, clock, feed, take
        self.stop, self.warm, self.coins, self.names = stop, warm, coins, names
        self.now, self.events = 0.0, 0
        self.arrived = self.ended = self.refused = self.moved = self.repeated = 0
        self.counts, self.received, self.answered = integers(CODES), integers(n), integers(n * CODES)
        self.plans: list[Any] = []  # by the number in their event
        self.unplanned: list[int] = []  # numbers free
        self.refusals: dict[str, int] = {}
        self.rows: list[Any] | None = None
        self.mode, self.timed = BY_CALL, False
        self.silent = False  # loads hear of nobody's requests: somebody else writes them
        self.pickers: list[Any] = []
        self.sole: LoadPicker | None = None  # if there is but one client, and loads are mere counts
        self.tally: InFlightCounts | None = None  # its load
        self.plain = False  # whether it is so, and nobody looks at single requests
        self.loads: list[LoadState | None] = []  # of pickers of other kinds
        self.index: dict[str, int] = {}
        self.acquire: Any = None
        self.done: Any = None
        self.course: Any = None
        self.net: Any = None
        self.failing, self.faulty = floats(n), floats(n)  # by server, chance to fail at once, and at the end
        self.fails_after, self.fail_code, self.fault_code = floats(n), integers(n), integers(n)
        self.cold, self.cooling = floats(n), floats(n)  # extra work of a cold server, and what is left of it by request
        self.touched = False  # whether any server fails, is faulty or is cold
        self.owners = integers(keys)
        for key in range(keys):
            self.owners[key] = UNSEEN
        self.keyed = keys > 0
        self.tokens: list[Any] = [None]
        self.courses: list[Any] = [None]
        self.room = 1  # jobs there are tokens and courses for
        self.sink, self.fill = floats(BLOCK), 0
        self.at = self.size = 0
        self.next = NEVER
        self._refill()

    def choose_by(self, pickers: list[Any]) -> None:
        """Compiled pickers, one for each client, choose by themselves; all of one kind, a slot being a server."""
        self.pickers = pickers
        if type(pickers[0]) is LoadPicker:
            self.mode = BY_LOAD
            self.timed = type(pickers[0].load) is not InFlightCounts
            if len(pickers) == 1 and not self.timed:
                self.sole, self.tally = pickers[0], pickers[0].load  # type: ignore[assignment]
        else:
            self.mode = BY_TICKET

    def pick_by(self, pickers: list[Any], loads: list[Any], index: dict[str, int]) -> None:
        """Pickers of any kind, one for each client, choose; each with its load or None; the servers by their ids."""
        self.mode, self.pickers, self.loads, self.index = BY_PICK, [picker.pick for picker in pickers], loads, index

    def ask(self, acquire: Any, done: Any) -> None:
        """`acquire(client, key, cost)` gives a server's number and a token, or a reason; `done(token, ...)` ends it."""
        self.mode, self.acquire, self.done = BY_CALL, acquire, done

    def plan(self, when: float, what: Callable[[float], object]) -> None:
        """Calls `what(now)` at an instant (seconds)."""
        if not self.unplanned:
            self.unplanned.append(len(self.plans))
            self.plans.append(None)
        place = self.unplanned.pop()
        self.plans[place] = what
        self.queue.push(when, PLAN | place << KINDS, 0)

    @property
    def alive(self) -> bool:
        """Whether requests are in flight or still to come."""
        return self.next < NEVER or self.arrived > self.ended + self.refused

    def go(self, events: int) -> bool:
        """Lets so many things happen; whether there is more to come."""
        queue, stations, clock = self.queue, self.stations, self.clock
        self._look()
        left = events
        while left > 0:
            left -= 1
            limit = self.next if self.next < self.stop else self.stop
            if not queue.pop(limit):
                if self.next > self.stop or self.next == NEVER:
                    if self.stop < NEVER:
                        self.now = clock.now = self.stop
                    self.events += events - left - 1
                    self._flush()
                    return False
                self.now = clock.now = self.next
                if self.plain:
                    self._enter()
                else:
                    self._arrive()
                continue
            self.now = clock.now = queue.when
            what, stamp = queue.what, queue.stamp
            kind, who = what & KIND, what >> KINDS
            if kind == ENDS:
                if not stations.ended(who, stamp, self.now):
                    left += 1
                elif self.plain:
                    self._exit(who)
                else:
                    self._over(who, stations.links[LINKS * who + VERDICT])
            elif kind == SHARES:
                who = stations.shared_end(who, stamp, self.now)
                if who >= 0:
                    self._over(who, stations.links[LINKS * who + VERDICT])
                else:
                    left += 1
            elif kind == ANSWERS:
                if stations.links[LINKS * who + NUMBER] == stamp:
                    self._over(who, stations.links[LINKS * who + VERDICT])
            elif kind == EXPIRES:
                if stations.links[LINKS * who + NUMBER] == stamp and self.courses[who] is not None:
                    self.course.expired(self.courses[who], who)
            elif kind == REACHES:
                if stations.links[LINKS * who + NUMBER] == stamp:
                    self._reach(who, stations.works[WORKS * who + WORK])
            elif kind == RETURNS:
                if stations.links[LINKS * who + NUMBER] == stamp:
                    self._home(who, stations.links[LINKS * who + VERDICT])
            else:
                plan, self.plans[who] = self.plans[who], None
                self.unplanned.append(who)
                plan(self.now)
                self._look()
        self.events += events
        return True

    def _look(self) -> None:
        """Whether the short way may be taken, that of `_enter` and `_exit`: the same, less what nobody would see."""
        watched = self.timed or self.silent or self.touched or self.keyed or self.rows is not None
        self.plain = self.sole is not None and not watched and self.costs is None
        self.plain = self.plain and self.course is None and self.net is None

    def _enter(self) -> int:
        """`_arrive`, where it is so."""
        stations = self.stations
        job = stations.take()
        if job >= self.room:
            self._grow()
        server = self.sole._next()  # type: ignore[union-attr]
        self.tally.begun(server)  # type: ignore[union-attr]
        link = LINKS * job
        stations.links[link + CLIENT], stations.links[link + VERDICT] = 0, SUCCESS
        stations.works[WORKS * job + BEGAN] = self.now
        self.received[server] += 1
        self.arrived += 1
        code = stations.submit(job, server, self.works[self.at], self.now)
        self.at += 1
        if self.at == self.size:
            self._refill()
        else:
            self.next = self.times[self.at]
        if code >= 0:
            return self._answer(job, code, 0.0)
        return 0

    def _exit(self, job: int) -> int:
        """`_over`, where it is so."""
        stations = self.stations
        server, code = stations.links[LINKS * job + SERVER], stations.links[LINKS * job + VERDICT]
        self.answered[code * stations.servers + server] += 1
        self.tally.over(server)  # type: ignore[union-attr]
        self.ended += 1
        if self.now >= self.warm:
            self.counts[code] += 1
            if code == SUCCESS:
                self.sink[self.fill] = self.now - stations.works[WORKS * job + BEGAN]
                self.fill += 1
                if self.fill == BLOCK:
                    self._flush()
        stations.free(job)
        return 0

    def _arrive(self) -> int:
        i = self.at
        client = 0 if self.clients is None else self.clients[i]
        work, number = self.works[i], UNSEEN
        cost, key = 1.0, None
        if self.costs is not None:
            cost = self.costs[i]
        if self.keys is not None:
            number = self.keys[i]
            key = number if self.names is None else self.names[number]
        self.at += 1
        if self.at == self.size:
            self._refill()
        else:
            self.next = self.times[self.at]
        self.arrived += 1
        if self.course is not None:
            self.course.begin(client, number, key, cost, work)
        else:
            job = self.admit(client, number, key, cost)
            if job >= 0:
                self.send(job, work)
        return 0

    def admit(self, client: int, number: int, key: Any, cost: float) -> int:
        """A job for a request, with its server chosen; -1 if the request was refused."""
        job = self._job(client, number)
        if self.mode == BY_LOAD:
            by_load: LoadPicker = self.pickers[client]
            load = by_load.load
            if self.timed:
                load.pass_(self.now)
            server = by_load._next()
            if not self.silent:
                load.start_(server, cost, self.now)
        elif self.mode == BY_TICKET:
            by_ticket: TicketPicker = self.pickers[client]
            server = by_ticket._next(key)
        elif self.mode == BY_PICK:
            told = self.loads[client]
            if told is not None:
                told.pass_(self.now)
            try:
                server = self.index[self.pickers[client](key).id]
            except NoBackend as refusal:
                self.stations.free(job)
                self.refuse(refusal.reason, client, number, self.now)
                return -1
            if told is not None:
                told.start_(server, cost, self.now)
        else:
            answer = self.acquire(client, key, cost)
            if type(answer) is str:
                self.stations.free(job)
                self.refuse(answer, client, number, self.now)
                return -1
            server, self.tokens[job] = answer
        self._place(job, server, number)
        return job

    def put(self, client: int, number: int, server: int, token: Any) -> int:
        """A job for a request whose server somebody else has chosen; `done` is given the token at its end."""
        job = self._job(client, number)
        self.tokens[job] = token
        self._place(job, server, number)
        return job

    def _job(self, client: int, number: int) -> int:
        stations = self.stations
        job = stations.take()
        if job >= self.room:
            self._grow()
        stations.links[LINKS * job + CLIENT], stations.links[LINKS * job + VERDICT] = client, SUCCESS
        stations.works[WORKS * job + BEGAN], stations.works[WORKS * job + KEY] = self.now, number
        return job

    def _place(self, job: int, server: int, number: int) -> None:
        """The job of a request for key `number` is to go to this server."""
        self.stations.links[LINKS * job + SERVER] = server
        if self.keyed and number >= 0:
            owner = self.owners[number]
            if owner != UNSEEN:
                self.repeated += 1
                self.moved += owner != server
            self.owners[number] = server

    def send(self, job: int, work: float) -> int:
        """The job leaves for its server."""
        if self.net is None:
            return self._reach(job, work)
        link = LINKS * job
        self.stations.works[WORKS * job + WORK] = work
        takes = self.net.there(self.stations.links[link + CLIENT], self.stations.links[link + SERVER])
        self.queue.push(self.now + takes, REACHES | job << KINDS, self.stations.links[link + NUMBER])
        return 0

    def _reach(self, job: int, work: float) -> int:
        """The job arrives at its server."""
        server = self.stations.links[LINKS * job + SERVER]
        self.received[server] += 1
        if self.touched:
            if self.failing[server] > 0.0 and self.coins.uniform() < self.failing[server]:
                return self._answer(job, self.fail_code[server], self.fails_after[server])
            if self.faulty[server] > 0.0 and self.coins.uniform() < self.faulty[server]:
                self.stations.links[LINKS * job + VERDICT] = self.fault_code[server]
            if self.cold[server] > 0.0:
                work *= 1.0 + self.cold[server]
                self.cold[server] *= self.cooling[server]
        code = self.stations.submit(job, server, work, self.now)
        if code >= 0:
            return self._answer(job, code, 0.0)
        return 0

    def _answer(self, job: int, code: int, after: float) -> int:
        self.stations.links[LINKS * job + VERDICT] = code
        self.queue.push(self.now + after, ANSWERS | job << KINDS, self.stations.links[LINKS * job + NUMBER])
        return 0

    def expire(self, job: int, when: float) -> None:
        """The job's course is asked at that instant (seconds), if the job is open then."""
        self.queue.push(when, EXPIRES | job << KINDS, self.stations.links[LINKS * job + NUMBER])

    def _over(self, job: int, code: int) -> int:
        """A server has answered."""
        link = LINKS * job
        server = self.stations.links[link + SERVER]
        self.answered[code * self.stations.servers + server] += 1
        if self.net is None:
            return self._home(job, code)
        self.stations.links[link + VERDICT] = code
        takes = self.net.back(self.stations.links[link + CLIENT], server)
        self.queue.push(self.now + takes, RETURNS | job << KINDS, self.stations.links[link + NUMBER])
        return 0

    def _home(self, job: int, code: int) -> int:
        """The client has the answer."""
        server = self.stations.links[LINKS * job + SERVER]
        if self.course is not None:
            course = self.courses[job]
            if course is not None:
                self.courses[job] = None
                self.tell(job, code)
                self.course.ended(course, job, code)
        else:
            self.tell(job, code)
            at = WORKS * job
            began, number = self.stations.works[at + BEGAN], int(self.stations.works[at + KEY])
            self.record(self.stations.links[LINKS * job + CLIENT], number, server, began, code)
        self.stations.free(job)
        return 0

    def tell(self, job: int, code: int) -> int:
        """Whoever chose hears how the job ended."""
        server = self.stations.links[LINKS * job + SERVER]
        if self.mode == BY_LOAD:
            if self.silent:
                return 0
            by_load: LoadPicker = self.pickers[self.stations.links[LINKS * job + CLIENT]]
            began = self.stations.works[WORKS * job + BEGAN]
            by_load.load.close_(server, 1.0, began, code, self.now - began, self.now)
        elif self.mode == BY_PICK:
            told = self.loads[self.stations.links[LINKS * job + CLIENT]]
            if told is not None:
                began = self.stations.works[WORKS * job + BEGAN]
                told.close_(server, 1.0, began, code, self.now - began, self.now)
        elif self.mode == BY_CALL:
            token, self.tokens[job] = self.tokens[job], None
            self.done(token, server, code)
        return 0

    def record(self, client: int, number: int, server: int, began: float, code: int) -> int:
        """A request has ended."""
        self.ended += 1
        if self.now >= self.warm:
            self.counts[code] += 1
            if code == SUCCESS:
                self.sink[self.fill] = self.now - began
                self.fill += 1
                if self.fill == BLOCK:
                    self._flush()
        if self.rows is not None:
            self.rows.append((began, self.now, client, number, server, code))
        return 0

    def refuse(self, reason: str, client: int, number: int, began: float) -> None:
        """A request has gone nowhere."""
        self.refused += 1
        if self.now >= self.warm:
            self.refusals[reason] = self.refusals.get(reason, 0) + 1
        if self.rows is not None:
            self.rows.append((began, self.now, client, number, UNSEEN, reason))

    def crash(self, server: int, code: int) -> None:
        """The server is down, and all it has ends with this outcome."""
        for job in self.stations.crash(server, self.now):
            self.stations.links[LINKS * job + VERDICT] = code
            self._over(job, code)

    def _flush(self) -> None:
        if self.fill:
            self.take(self.sink[: self.fill])
            self.fill = 0

    def _refill(self) -> None:
        block = self.feed()
        self.at, self.size, self.next = 0, 0, NEVER
        if block is not None:
            if not cython.compiled:
                block = _lists(block)
            self.times, self.works, self.clients, self.keys, self.costs = block
            self.size, self.next = len(self.times), self.times[0]

    def _grow(self) -> None:
        self.room = self.stations.room
        self.tokens += [None] * (self.room - len(self.tokens))
        self.courses += [None] * (self.room - len(self.courses))
