"""The upstream machine: what nginx remembers of its peers, whatever the method, and smooth weighted round robin.

Of each peer it keeps a current and an effective weight, the requests under way, the failures, and when it last failed
(`accessed`) and was last tried after a pause (`checked`). All methods read and write the same; the hash and random
methods end in round robin when their own tries have failed, so round robin is part of the machine.

A peer is skipped if this request has tried it, if it is down, if it has failed `max_fails` times and `fail_timeout` has
not passed since `checked`, or if it has `max_conns` requests. A peer that is chosen more than `fail_timeout` after
`checked` is checked now: so, once the pause is over, one request probes it and the pause begins anew.

Smooth weighted round robin adds its effective weight to everybody's current weight; the first greatest wins and pays
the sum. A failure takes weight // max_fails from the effective weight, every turn gives 1 back.

Time is whole seconds, as in nginx. Without a shared memory zone every worker process has a machine of its own.

Costs: choose O(N); started, finished O(1); memory O(N).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from lbalgo.compat.machine import OVERLOADED
from lbalgo.compat.nginx.server import Server, server_of
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.types import Outcome, State
from lbalgo.view import View

LONG_AGO = -(2**54)  # nobody has been checked within any fail_timeout when a worker starts
UNKNOWN = -(2**53)  # what time it is before anybody has said
OFTEN = 20  # failed tries of a hash or random method; the next one hands over to round robin


class Peer:
    """What is remembered of one peer."""

    __slots__ = (
        "accessed",
        "checked",
        "conns",
        "current",
        "down",
        "effective",
        "fails",
        "inflight",
        "mean",
        "row",
        "server",
        "weight",
    )

    def __init__(self, row: int, server: Server, weight: int) -> None:
        self.row = row
        self.server = server
        self.weight = self.effective = weight
        self.current = self.conns = self.fails = 0
        self.accessed = self.checked = LONG_AGO
        self.down = False
        self.mean = 0  # of the response time, ms
        self.inflight = 0.0  # sum of the instants at which what is under way began, s


Method = Callable[["Upstream", "bytes | None", Container[int]], "Peer | None"]


class Upstream:
    """A machine for `lbalgo.compat.machine.machine_picker`.

    Parameters
    ----------
    method : chooses a peer out of `primaries` and `backups`; called with the machine, the key, and the rows tried.
    failures : the outcomes that count as failed attempts.
    backups_allowed : whether the method takes backup servers at all.
    built : called with the machine when its members have changed, for what the method computes ahead.

    Source: nginx documentation, ngx_http_upstream_module; behaviour of nginx 1.22.1.
    """

    def __init__(
        self,
        method: Method,
        failures: Container[Outcome],
        *,
        backups_allowed: bool = True,
        built: Callable[[Upstream], None] | None = None,
    ) -> None:
        self.method = method
        self.failures = failures
        self.backups_allowed = backups_allowed
        self.built = built
        self.now = UNKNOWN
        self.exact: float = UNKNOWN
        self.peers: dict[int, Peer] = {}  # and those that left with requests under way
        self.primaries: list[Peer] = []
        self.backups: list[Peer] = []

    # -- members

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Make these the peers. Who stays keeps everything; another weight is the effective weight at once.

        A reload of nginx forgets everything: that is a `build` without `previous`.
        """
        servers = [server_of(b, w) for b, w in zip(view.backends, view.weights.tolist(), strict=True)]
        if not self.backups_allowed:
            for server in servers:
                if server.backup:
                    raise ConfigError(
                        f"backends[{server.id!r}].backup", True, "cannot be used with the hash and random methods"
                    )
        members: list[Peer] = []
        for row, server, weight, state in zip(rows, servers, view.weights.tolist(), view.states.tolist(), strict=True):
            peer = self.peers.get(row) or Peer(row, server, int(weight))
            peer.server = server
            if peer.weight != weight:
                peer.weight = peer.effective = int(weight)
            peer.down = server.down or state >= State.UNHEALTHY
            members.append(peer)
        gone = [p for row, p in self.peers.items() if p.conns and row not in set(rows)]
        self.peers = {p.row: p for p in gone + members}
        self.primaries = [p for p in members if not p.server.backup]
        self.backups = [p for p in members if p.server.backup]
        if self.built is not None:
            self.built(self)

    # -- what happens to requests

    def started(self, row: int, cost: float, now: float) -> None:
        """One request more is under way."""
        self.advance(now)
        if row in self.peers:
            self.peers[row].conns += 1
            self.peers[row].inflight += self.exact

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One request less is under way; a failure counts against the peer, a success clears what a probe was for."""
        self.advance(now)
        peer = self.peers.get(row)
        if peer is None:
            return
        began = peer.inflight / max(peer.conns, 1) if latency is None else self.exact - latency
        peer.conns = max(peer.conns - 1, 0)
        peer.inflight = peer.inflight - began if peer.conns else 0.0
        if self.single:  # nobody else could be asked: nginx keeps no account of failures
            return
        if outcome in self.failures:
            peer.fails += 1
            peer.accessed = peer.checked = self.now
            if peer.server.max_fails:
                peer.effective = max(peer.effective - peer.weight // peer.server.max_fails, 0)
        elif peer.accessed < peer.checked:
            peer.fails = 0
        if latency is not None and outcome is Outcome.SUCCESS:
            peer.mean = smoothed(peer.mean, int(latency * 1000))

    def advance(self, now: float) -> None:
        """It is `now`; what counts are whole seconds."""
        if now > self.exact:
            self.exact, self.now = now, math.floor(now)

    def at(self, row: int) -> float:
        """Requests under way."""
        return float(self.peers[row].conns) if row in self.peers else 0.0

    # -- choosing

    @property
    def single(self) -> bool:
        """Whether there is one peer in all."""
        return len(self.primaries) == 1 and not self.backups

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of the next peer; -1 if there is none, OVERLOADED if but for `max_conns` there would be one."""
        peer = self.alone(skip) if self.single else self.method(self, key, skip)
        if peer is None:
            full = any(self.full(p) and self.able(p, skip, limits=False) for p in self.primaries + self.backups)
            return OVERLOADED if full else -1
        if self.now - peer.checked > peer.server.fail_timeout:
            peer.checked = self.now
        return peer.row

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The method's own steps, and how the peers stand."""
        if self.single:
            return [("alone", "there is one peer, which failures do not make unavailable")]
        method: Any = self.method
        steps: Steps = method.explain(self, key, name) if hasattr(method, "explain") else []
        peers = [f"{name(p.row)} {self.standing(p)}" for p in self.primaries + self.backups]
        return [*steps, ("peers", listing(peers, "; "))]

    def standing(self, peer: Peer) -> str:
        """What decides about a peer."""
        weight = f"current {peer.current} + {peer.effective}, {peer.conns} under way, {peer.fails} failed"
        return ("backup, " if peer.server.backup else "") + weight + ("" if self.able(peer, ()) else ", not able")

    def alone(self, skip: Container[int]) -> Peer | None:
        """The one peer, which failures do not make unavailable."""
        peer = self.primaries[0]
        return None if peer.down or self.full(peer) or peer.row in skip else peer

    def full(self, peer: Peer) -> bool:
        """Whether a peer has `max_conns` requests."""
        return 0 < peer.server.max_conns <= peer.conns

    def able(self, peer: Peer, skip: Container[int], *, limits: bool = True) -> bool:
        """Whether a peer may be used; `limits` says whether `max_conns` counts."""
        server = peer.server
        return not (
            peer.row in skip
            or peer.down
            or (server.max_fails and peer.fails >= server.max_fails and self.now - peer.checked <= server.fail_timeout)
            or (limits and self.full(peer))
        )

    def in_turn(self, skip: Container[int], step: Callable[[list[Peer]], Peer | None] | None = None) -> Peer | None:
        """A turn among the primaries that are able, or else among the backups.

        A request that has tried a backup does not come back to the primaries.
        """
        for group in (self.primaries, self.backups):
            if group is self.primaries and any(p.row in skip for p in self.backups):
                continue
            able = [p for p in group if self.able(p, skip)]
            chosen = (step or smooth)(able)
            if chosen is not None:
                return chosen
        return None

    def reseed(self, seed: int) -> None:
        """Moves lbalgo's own words, if the method draws from them."""
        move = getattr(self.method, "reseed", None)
        if move is not None:
            move(seed)

    # -- copies, for walks that spend nothing

    def __deepcopy__(self, memo: dict[int, Any]) -> Upstream:
        twin = copy.copy(self)
        same = {id(p): copy.copy(p) for p in self.peers.values()}
        twin.peers = {row: same[id(p)] for row, p in self.peers.items()}
        twin.primaries = [same[id(p)] for p in self.primaries]
        twin.backups = [same[id(p)] for p in self.backups]
        method: Any = copy.deepcopy(self.method, memo)
        twin.method = method
        if self.built is not None:
            twin.built = method.built
        return twin

    def check_invariants(self) -> None:
        """Raises AssertionError where what is remembered contradicts itself."""
        for peer in self.peers.values():
            assert 0 <= peer.effective <= peer.weight, "a failure takes from the weight, a turn gives back"
            assert peer.conns >= 0, "no request ends twice"
            assert peer.accessed <= peer.checked, "who failed was checked then"


def smooth(peers: Iterable[Peer]) -> Peer | None:
    """One step of smooth weighted round robin among these; the first greatest current weight wins."""
    total, best = 0, None
    for peer in peers:
        peer.current += peer.effective
        total += peer.effective
        if peer.effective < peer.weight:
            peer.effective += 1
        if best is None or peer.current > best.current:
            best = peer
    if best is not None:
        best.current -= total
    return best


def smoothed(mean: int, value: int) -> int:
    """nginx's moving average of response times in ms: a twentieth of the newest, rounded; the first one as it is."""
    return int(0.5 + 0.05 * value + 0.95 * mean) if mean else value
