"""What ring_hash does with connections: the walk over the ring by state, and the state it shows to others.

ring_hash connects lazily. A pick begins at its hash's point and walks: a READY endpoint is used; an IDLE one is told
to connect, and the request waits; for a CONNECTING one the request waits too; one in TRANSIENT_FAILURE is passed. When
all have failed the request fails with the first one's error. A request with a random hash (no header, A76) is less
patient with others' connections: it uses the first READY endpoint on its way and starts at most one connection, none
if one is under way; it waits only if there is no READY endpoint at all.

What to do is returned as data: nothing here connects.

Costs: O(points walked). Described only. Sources: gRPC A42, A61, A76.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import Ring, TicketPicker
from lbalgo.compat.grpc.endpoint import Connectivity
from lbalgo.compat.grpc.ring_hash import XX_HASH
from lbalgo.errors import ConfigError, NoBackend, UnknownBackend
from lbalgo.spec import check_integer
from lbalgo.types import Backend, Key

B = TypeVar("B", bound=Backend)
READY, IDLE = Connectivity.READY, Connectivity.IDLE
CONNECTING, FAILED = Connectivity.CONNECTING, Connectivity.TRANSIENT_FAILURE


class Action(enum.Enum):
    """What becomes of a request: it goes out, waits for a connection, or fails.

    Examples
    --------
    >>> Action["QUEUE"]
    <Action.QUEUE: 'queue'>
    """

    PICK = "pick"
    QUEUE = "queue"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision(Generic[B]):
    """What a pick decides.

    Parameters
    ----------
    action : what becomes of the request.
    endpoint : where it goes (PICK), or whose error it fails with (FAIL).
    connect : the endpoint that is told to connect, if one is.
    """

    action: Action
    endpoint: B | None = None
    connect: B | None = None


class RingWalk(Generic[B]):
    """The points of a ring in order, to walk by state.

    Parameters
    ----------
    picker : what `RingHash.build` returned.

    Raises
    ------
    ConfigError : it has no ring.

    Costs: O(T) to make; a decision O(log T + points walked).

    Examples
    --------
    >>> from lbalgo.compat.grpc import RingHash
    >>> walk = RingWalk(RingHash().build(["a", "b", "c"]))
    >>> [backend.id for backend in walk.picker.walk("key")]
    ['c', 'b', 'a']
    >>> decision = walk.decide("key", {"c": Connectivity.TRANSIENT_FAILURE})
    >>> decision.action.name, decision.connect.id
    ('QUEUE', 'b')
    >>> walk.decide("key", {"c": Connectivity.TRANSIENT_FAILURE, "b": Connectivity.READY}).endpoint.id
    'b'
    """

    def __init__(self, picker: TicketPicker[B]) -> None:
        ring = getattr(picker, "structure", None)
        if not isinstance(picker, TicketPicker) or (picker.view.weights.any() and not isinstance(ring, Ring)):
            raise ConfigError("picker", picker, "must be what RingHash.build returned")
        self.picker = picker
        points, owners = (ring.points(), ring.owners()) if isinstance(ring, Ring) else ([], [])
        self._points: list[int] = np.asarray(points, dtype=np.uint64).tolist()
        self._owners: list[int] = np.asarray(owners).tolist()

    def decide(self, key: Key, states: Mapping[str, Connectivity]) -> Decision[B]:
        """What becomes of a request with this key.

        Parameters
        ----------
        key : is hashed with XXH64.
        states : id to state of the connection; an endpoint that is not named is IDLE.

        Raises
        ------
        NoBackend : the ring is empty.
        UnknownBackend, ConfigError : `states` names somebody who is not in the view, or no state.
        """
        return self.decide_hash(XX_HASH(key), states)

    def decide_hash(
        self, request_hash: int, states: Mapping[str, Connectivity], *, random: bool = False
    ) -> Decision[B]:
        """What becomes of a request with this hash.

        Parameters
        ----------
        request_hash : in [0, 2**64): the route's hash, or a random one.
        states : as in `decide`.
        random : whether the picker itself drew the hash, there being no header (A76).

        Raises
        ------
        NoBackend, UnknownBackend, ConfigError : as in `decide`.
        """
        check_integer("request_hash", request_hash, low=0, high=2**64 - 1)
        by_slot = self._states(states)
        if not self._points:
            raise NoBackend("ineligible" if len(self.picker.backends) else "empty")
        begin = bisect_left(self._points, request_hash) % len(self._points)
        order = list(dict.fromkeys(self._owners[begin:] + self._owners[:begin]))
        return self._impatient(order, by_slot) if random else self._patient(order, by_slot)

    def _states(self, states: Mapping[str, Connectivity]) -> list[Connectivity]:
        ids = self.picker.view.ids
        for id, state in states.items():
            if id not in ids:
                raise UnknownBackend(id)
            if not isinstance(state, Connectivity):
                raise ConfigError(f"states[{id!r}]", state, "must be a Connectivity")
        return [states.get(id, IDLE) for id in ids]

    def _patient(self, order: Sequence[int], states: Sequence[Connectivity]) -> Decision[B]:
        for slot in order:
            endpoint = self.picker.backends[slot]
            if states[slot] is READY:
                return Decision(Action.PICK, endpoint)
            if states[slot] is IDLE:
                return Decision(Action.QUEUE, connect=endpoint)
            if states[slot] is CONNECTING:
                return Decision(Action.QUEUE)
        return Decision(Action.FAIL, self.picker.backends[order[0]])

    def _impatient(self, order: Sequence[int], states: Sequence[Connectivity]) -> Decision[B]:
        requested = any(states[slot] is CONNECTING for slot in order)
        connect: Any = None
        for slot in order:
            endpoint = self.picker.backends[slot]
            if states[slot] is READY:
                return Decision(Action.PICK, endpoint, connect)
            if states[slot] is IDLE and not requested:
                requested, connect = True, endpoint
        return Decision(Action.QUEUE, connect=connect) if requested else Decision(Action.FAIL, self._first(order))

    def _first(self, order: Sequence[int]) -> B:
        return self.picker.backends[order[0]]


def aggregated(states: Sequence[Connectivity]) -> Connectivity:
    """The state that ring_hash shows for its endpoints' states: the first rule that applies.

    One READY: READY. Two in TRANSIENT_FAILURE: TRANSIENT_FAILURE. One CONNECTING: CONNECTING. One in TRANSIENT_FAILURE
    among several endpoints: CONNECTING. One IDLE: IDLE. Else TRANSIENT_FAILURE.

    Source: gRPC A42.

    Examples
    --------
    >>> aggregated([Connectivity.TRANSIENT_FAILURE, Connectivity.IDLE]).name
    'CONNECTING'
    """
    failed = sum(state is FAILED for state in states)
    if READY in states:
        return READY
    if failed >= 2:
        return FAILED
    if CONNECTING in states or (failed == 1 and len(states) > 1):
        return CONNECTING
    return IDLE if IDLE in states else FAILED


def kick(states: Sequence[Connectivity]) -> int | None:
    """The position of the endpoint that the policy connects by itself, after a change of states; None if none.

    In TRANSIENT_FAILURE or CONNECTING, with nobody CONNECTING, it is one that is IDLE: gRPC leaves open which, here it
    is the first.

    Source: gRPC A61.

    Examples
    --------
    >>> kick([Connectivity.TRANSIENT_FAILURE, Connectivity.IDLE, Connectivity.IDLE])
    1
    """
    if aggregated(states) in (FAILED, CONNECTING) and CONNECTING not in states and IDLE in states:
        return list(states).index(IDLE)
    return None
