"""`AffinityContract`: what every affinity gate promises.

Such a gate is driven in front of a `Balancer`, since what it promises is about where requests go: slots mapped, ledger
closed, and the laws of the policy that have to survive it.
"""

from __future__ import annotations

import json
from typing import Any

import hypothesis
from hypothesis import strategies as st

from lbalgo.active import Balancer
from lbalgo.errors import NoBackend
from lbalgo.testing import strategies as some
from lbalgo.testing.clock import FakeClock
from lbalgo.testing.laws import GlobalRandomness, law

EPOCH = 1_700_000_000.0  # seconds: gates with sessions count from the Unix epoch


class AffinityContract:
    """What every affinity gate promises. Subclass it, define `gate`, which makes a new one, and set `policy`.

    Attributes
    ----------
    policy : the policy behind the gate; a keyed one for gates of flows.
    pause : seconds between two requests of one client, short enough for the gate to remember.
    settings : Hypothesis settings, or None for those in force.

    A client is a key, and if the gate has `sessions`, what the gate last gave it to keep.

    Examples
    --------
    >>> import lbalgo as lb
    >>> class TestFlows(AffinityContract):
    ...     policy = lb.Maglev(251)
    ...     def gate(self):
    ...         return lb.FlowTable(1000)
    >>> TestFlows().test_who_is_known_stays_when_somebody_joins()
    """

    policy: Any
    pause: float = 1.0
    settings: hypothesis.settings | None = None

    def gate(self) -> Any:
        """A new gate; every call makes an equal one."""
        raise TypeError(f"{type(self).__name__} does not say which gate it is about")

    def clients(self, ids: list[str]) -> Clients:
        """Clients of a balancer with these members, behind a new gate."""
        return Clients(self.policy, self.gate(), ids, self.pause)

    def ids(self, data: st.DataObject, least: int = 1) -> list[str]:
        """Ids of a small pool."""
        return data.draw(st.lists(some.ids(), min_size=least, max_size=6, unique=True), label="ids")

    @law
    def test_a_choice_is_a_member_and_not_excluded(self, data: st.DataObject) -> None:
        """Where a request goes is a member of the pool and not excluded, known or not."""
        ids = self.ids(data, 2)
        clients = self.clients(ids)
        away = data.draw(st.sets(st.sampled_from(ids), max_size=len(ids) - 1), label="exclude")
        for client in (0, 1, 0, 2, 1, 0):
            here = clients.visit(client)
            assert here in ids, f"{here!r} is no member"
            there = clients.visit(client, exclude=away)
            assert there in ids and there not in away, f"{there!r} is excluded, or no member"

    @law
    def test_who_comes_again_goes_where_it_went(self, data: st.DataObject) -> None:
        """While nothing changes a client goes where it went before."""
        clients = self.clients(self.ids(data))
        first = clients.all()
        for _ in range(3):
            again = clients.all()
            assert again == first, f"{first}, then {again}"

    @law
    def test_who_is_known_stays_when_somebody_joins(self, data: st.DataObject) -> None:
        """Backends that join take nobody who has a backend."""
        ids = self.ids(data, 2)
        clients = self.clients(ids[: data.draw(st.integers(1, len(ids) - 1), label="members at first")])
        before = clients.all()
        clients.balancer.update(ids)
        after = clients.all()
        assert after == before, f"{before}, after the join {after}"

    @law
    def test_when_somebody_leaves_only_its_own_move(self, data: st.DataObject) -> None:
        """A backend that leaves takes along its own clients alone."""
        ids = self.ids(data, 2)
        gone = data.draw(st.sampled_from(ids), label="gone")
        clients = self.clients(ids)
        before = clients.all()
        clients.balancer.update([id for id in ids if id != gone])
        after = clients.all()
        for client, home in before.items():
            assert after[client] != gone, f"{gone!r} has left"
            assert home in (gone, after[client]), f"client {client} was at {home!r} and is at {after[client]!r}"

    @law
    def test_the_books_close(self, data: st.DataObject) -> None:
        """Every lease is of the backend that was chosen, refusals open none, and all that ended are closed."""
        ids = self.ids(data)
        clients, open_, refusals = self.clients(ids), list[Any](), 0
        for client, away, ends in data.draw(
            st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=12), label="requests"
        ):
            try:
                open_.append(clients.acquire(client, exclude=set(ids) if away else ()))
            except NoBackend as refusal:
                refusals += 1
                assert refusal.reason == "excluded", f"{refusal.reason} although all are excluded"
            if ends and open_:
                open_.pop(0).done()
        stats = clients.balancer.stats()
        assert stats.opened == stats.closed + stats.open_leases, f"{stats} does not add up"
        wanted = dict.fromkeys(ids, 0)
        for lease in open_:
            wanted[lease.backend.id] += 1
        assert stats.in_flight == wanted, f"in flight {stats.in_flight}, held {wanted}"
        assert sum(stats.no_backend.values()) == refusals, f"{stats.no_backend} of {refusals} refusals"

    @law
    def test_an_empty_pool_is_refused(self) -> None:
        """Nobody to choose from is NoBackend("empty"), for the known too."""
        clients = self.clients(["a"])
        clients.visit(0)
        clients.balancer.update([])
        for client in (0, 1):
            try:
                clients.visit(client)
            except NoBackend as refusal:
                assert refusal.reason == "empty", f"the reason is {refusal.reason!r}"
            else:
                raise AssertionError("somebody was chosen")

    @law
    def test_a_restored_balancer_knows_its_clients(self, data: st.DataObject) -> None:
        """What the gate remembers survives the process, through JSON; what clients remember does anyway."""
        ids = self.ids(data)
        clients, others = self.clients(ids), self.clients(list(reversed(ids)))
        before = clients.all()
        others.balancer.restore(json.loads(json.dumps(clients.balancer.snapshot())))
        others.kept = clients.kept
        after = others.all()
        assert after == before, f"{before}, restored {after}"

    @law
    def test_no_global_randomness(self, data: st.DataObject) -> None:
        """Choices are a function of the arguments: balancers alike choose alike, and draw from no global generator."""
        ids = self.ids(data)
        with GlobalRandomness():
            one, other = self.clients(ids).all(), self.clients(ids).all()
        assert one == other, f"{one} and {other}"


class Clients:
    """Clients of one balancer, each with a key and, if the gate has sessions, what it was last given to keep.

    Parameters
    ----------
    policy, gate, ids : of the balancer.
    pause : seconds before each request.

    Examples
    --------
    >>> import lbalgo as lb
    >>> clients = Clients(lb.Maglev(251), lb.FlowTable(100), ["a", "b"], 1.0)
    >>> clients.all(range(3)) == clients.all(range(3))
    True
    """

    def __init__(self, policy: Any, gate: Any, ids: list[str], pause: float) -> None:
        self.clock, self.pause = FakeClock(EPOCH), pause
        self.balancer: Any = Balancer(policy, ids, gates=[gate], clock=self.clock, seed=0)
        self.sessions: bool = getattr(gate, "sessions", False)
        self.kept: dict[int, Any] = {}

    def acquire(self, client: int, **more: Any) -> Any:
        """A lease for a client."""
        self.clock.advance(self.pause)
        if self.sessions:
            more["session"] = self.kept.get(client)
        lease = self.balancer.acquire(f"client {client}", **more)
        if self.sessions and lease.choice.cookie is not None:
            self.kept[client] = lease.choice.cookie
        return lease

    def visit(self, client: int, **more: Any) -> str:
        """One request of a client, from beginning to end: where it goes."""
        with self.acquire(client, **more) as lease:
            return str(lease.backend.id)

    def all(self, clients: range = range(12)) -> dict[int, str]:
        """One request of each client: where they go."""
        return {client: self.visit(client) for client in clients}
