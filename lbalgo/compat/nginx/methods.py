"""nginx's methods without a key: ``least_conn``, ``random``, ``random two``, ``least_time``, and sticky round robin.

* ``least_conn``: fewest requests under way for the weight, compared by cross multiplication; the first one wins. If
  another peer ties with the best there was when it was looked at, one step of smooth weighted round robin follows over
  the peers from the first best on that tie with the best so far; `best` moves while it goes. Current weights move only
  on ties.
* ``random``: x mod W for a draw x of 31 bits, on the peers laid end to end by weight; again while that peer is not
  able; round robin after the 21st failed draw.
* ``random two``: draws until two different able peers are found; of these the one with fewer requests under way for its
  weight, the second if they tie. Every draw that does not complete the pair counts, that of the first peer too.
* ``least_time`` (open source since 1.31, described only): the moving average of the response time, in steps of 20 ms,
  5 s at most, halved for every fail_timeout + 1 seconds since the peer was last checked; times one more than what is
  under way; compared for the weight, ties as ``least_conn``.
* sticky (open source since 1.29.6, described only): the peer that the session names is used and pays for the turn as
  if it had won it; if it is so far in debt that it would never get out, it is used without any account.

Costs: O(N) a choice; a draw O(log N).
Source: nginx documentation, ngx_http_upstream_module; behaviour of nginx 1.22.1.
"""

from __future__ import annotations

import copy
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Container
from itertools import accumulate
from typing import Any

from lbalgo.compat.draws import Draws, WordDraws
from lbalgo.compat.nginx.upstream import OFTEN, Peer, Upstream, smooth
from lbalgo.explaining import Steps, listing

SLOWEST, STEP = 5000, 20  # ms


def round_robin(upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
    """The next turn."""
    return upstream.in_turn(skip)


def least_conn(upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
    """Fewest requests under way for the weight."""
    return upstream.in_turn(skip, lambda peers: fewest(peers, lambda peer: peer.conns))


def fewest(peers: list[Peer], score: Callable[[Peer], int]) -> Peer | None:
    """The first of the least score / weight, by a smooth turn among those that tie, see above."""
    if not peers:
        return None
    scores = [score(peer) for peer in peers]
    best, tie = 0, False
    for i in range(1, len(peers)):
        mine, least = scores[i] * peers[best].weight, scores[best] * peers[i].weight
        if mine < least:
            best, tie = i, False
        elif mine == least:
            tie = True
    if not tie:
        return peers[best]
    total = 0
    for i in range(best, len(peers)):
        peer = peers[i]
        if scores[i] * peers[best].weight != scores[best] * peer.weight:
            continue
        peer.current += peer.effective
        total += peer.effective
        if peer.effective < peer.weight:
            peer.effective += 1
        if peer.current > peers[best].current:
            best = i
    peers[best].current -= total
    return peers[best]


class ByDraw:
    """``random`` and ``random two``.

    A request goes on counting its failed draws when it tries again; it is known again by the rows it has tried, so this
    is exact as long as no other request is served in between.
    """

    def __init__(self, draws: Draws, two: bool) -> None:
        self.draws = draws
        self.two = two
        self.ends: list[int] = []
        self.last: tuple[frozenset[int], int] = frozenset(), 0

    def built(self, upstream: Upstream) -> None:
        """Lays the peers end to end."""
        self.ends = list(accumulate(peer.weight for peer in upstream.primaries))

    def __call__(self, upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
        """The peer for the next request, None if there is none."""
        tried = frozenset(peer.row for peer in upstream.peers.values() if peer.row in skip) if skip else frozenset()
        failed = self.last[1] if tried and tried == self.last[0] else 0
        first, peer = None, None
        while failed <= OFTEN and self.ends:
            drawn = self.drawn(upstream)
            if drawn is not first and upstream.able(drawn, skip):
                if first is not None or not self.two:
                    peer = drawn
                    break
                first = drawn
            failed += 1
        if peer is None:
            peer = upstream.in_turn(skip)
        elif first is not None and peer.conns * first.weight > first.conns * peer.weight:
            peer = first
        if peer is not None:
            self.last = tried | {peer.row}, failed
        return peer

    def drawn(self, upstream: Upstream) -> Peer:
        """The peer of the next draw."""
        return upstream.primaries[bisect_right(self.ends, self.draws() % self.ends[-1])]

    def explain(self, upstream: Upstream, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The draws, up to those that count."""
        told: list[str] = []
        able = set[int]()
        while self.ends and len(able) < 1 + self.two and len(told) <= OFTEN:
            peer = self.drawn(upstream)
            told.append(name(peer.row) if upstream.able(peer, ()) else f"{name(peer.row)}, not able")
            able |= {peer.row} if upstream.able(peer, ()) else set()
        return [("drawn", listing(told, "; ") or "nobody")]

    def reseed(self, seed: int) -> None:
        """Moves lbalgo's own words; a real generator stays where its seed has put it."""
        if isinstance(self.draws, WordDraws):
            self.draws.state = seed

    def __deepcopy__(self, memo: dict[int, Any]) -> ByDraw:
        twin = copy.copy(self)
        twin.draws = copy.deepcopy(self.draws, memo)
        return twin


class ByTime:
    """``least_time``."""

    def __init__(self, inflight: bool) -> None:
        self.inflight = inflight

    def __call__(self, upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
        """The peer for the next request, None if there is none."""
        return upstream.in_turn(skip, lambda peers: fewest(peers, lambda peer: self.score(upstream, peer)))

    def explain(self, upstream: Upstream, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The score of each peer."""
        return [("score", listing(f"{name(peer.row)} {self.score(upstream, peer)}" for peer in upstream.primaries))]

    def score(self, upstream: Upstream, peer: Peer) -> int:
        """Time in steps of 20 ms, times one more than what is under way."""
        time, idle = peer.mean, upstream.now - peer.checked
        if idle > peer.server.fail_timeout:
            time >>= min(idle // (peer.server.fail_timeout + 1), 64)
        if self.inflight and peer.conns:
            time = max(time, int((upstream.exact - peer.inflight / peer.conns) * 1000))
        time = SLOWEST if time > SLOWEST else time + STEP - time % STEP
        return time * (1 + peer.conns)


def sticky(upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
    """The peer of the session `key` if it is able, else the next turn."""
    for group in (upstream.primaries, upstream.backups):
        able = [peer for peer in group if upstream.able(peer, skip)]
        for wanted in able if key else ():
            if session_of(wanted.server.id, wanted.server.route) != key:
                continue
            if wanted.current <= -(sum(peer.weight for peer in group) - wanted.weight):
                return wanted
            paid = sum(peer.effective for peer in able)
            won = smooth(able)
            if won is not None:
                won.current += paid
                wanted.current -= paid
            return wanted
    return upstream.in_turn(skip)


def session_of(id: str, route: str = "") -> bytes:
    """What a sticky session calls a peer: its route, or the MD5 of its address in hexadecimal."""
    return route.encode() or hashlib.md5(id.encode(), usedforsecurity=False).hexdigest().encode()
