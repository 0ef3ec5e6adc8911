"""How a server says goodbye on one connection without losing a request: what to send, and when, as data.

A client may send a request at the very moment the server closes. Each version of HTTP has a way for it not to get lost:

HTTP/1.1 says `Connection: close` in the response; the client then sends nothing more, and the connection is closed in
stages, the writing half first, since closing at once can erase a response that the client has not read yet. On an idle
connection nothing can be said. Either it is closed, and a request that is under way is lost unless the client may
repeat it; or it is kept for `idle` more seconds in the hope of a response that can carry the word.

HTTP/2 and HTTP/3 say GOAWAY twice. The first names the largest stream id there is: it forbids new requests and refuses
none. After a round trip, in which whatever was sent before the word arrived has arrived, the second one names what was
really accepted; everything else was not touched and may be repeated elsewhere. The numbers mean different things: in
HTTP/2 the last id that was accepted, in HTTP/3 the first that was not. An id never grows.

In the end all requests have ended and the connection is closed, or the deadline comes first and cuts them; in HTTP/2
and 3 even then the second GOAWAY, if it has not been sent, says what may be repeated.

`close_plan` is a pure function of what is known. Do what is due, replace the connection by `after` of it, and ask again
at the next step's time, and whenever a request has come or ended. Nothing is remembered here.

Costs: O(1).
Source: RFC 9112 9.3, 9.5 and 9.6; RFC 9113 6.8; RFC 9114 5.2 and 5.3.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_enum, check_integer, check_real, check_time

H2_NOTICE = 2**31 - 1  # RFC 9113 6.8: the last stream id of the first GOAWAY
H3_NOTICE = 2**62 - 4  # RFC 9114 5.2: the largest id of a stream that a client opens both ways
LINGER = 1.0  # seconds; Envoy: delayed_close_timeout, 1000 ms
ROUND_TRIP = 1.0  # seconds; ours: longer than nearly any; a PING that is answered tells better


class Protocol(enum.Enum):
    """What is spoken on a connection."""

    HTTP1 = "HTTP/1.1"
    HTTP2 = "HTTP/2"
    HTTP3 = "HTTP/3"


class Stage(enum.Enum):
    """How far the goodbye has come."""

    OPEN = "open"  # nothing has been said
    NOTIFIED = "notified"  # the peer knows that it shall send no more
    FINAL = "final"  # the peer knows what has been accepted
    HALF_CLOSED = "half-closed"  # nothing more will be written
    CLOSED = "closed"


class Action(enum.Enum):
    """What to do with the connection."""

    SAY_CLOSE = "Connection: close"  # in the next response
    NOTICE = "first GOAWAY"  # with the largest `stream_id` there is, and no error
    GOAWAY = "GOAWAY"  # with the `stream_id` that is true, and no error
    PING = "PING"  # its answer ends the wait for a round trip
    HALF_CLOSE = "half-close"
    CLOSE = "close"  # HTTP/3: with H3_NO_ERROR
    ABORT = "abort"  # with whatever is open


_STREAMS = {
    (Stage.OPEN, Action.NOTICE): Stage.NOTIFIED,
    (Stage.NOTIFIED, Action.PING): Stage.NOTIFIED,
    (Stage.NOTIFIED, Action.GOAWAY): Stage.FINAL,
    (Stage.OPEN, Action.GOAWAY): Stage.FINAL,  # the deadline is over
    (Stage.FINAL, Action.CLOSE): Stage.CLOSED,
    (Stage.FINAL, Action.ABORT): Stage.CLOSED,
}
TRANSITIONS: dict[Protocol, dict[tuple[Stage, Action], Stage]] = {
    Protocol.HTTP1: {
        (Stage.OPEN, Action.SAY_CLOSE): Stage.FINAL,
        (Stage.OPEN, Action.HALF_CLOSE): Stage.HALF_CLOSED,
        (Stage.FINAL, Action.HALF_CLOSE): Stage.HALF_CLOSED,
        (Stage.HALF_CLOSED, Action.CLOSE): Stage.CLOSED,
        (Stage.OPEN, Action.CLOSE): Stage.CLOSED,  # the deadline is over
        (Stage.FINAL, Action.CLOSE): Stage.CLOSED,
        (Stage.OPEN, Action.ABORT): Stage.CLOSED,
        (Stage.FINAL, Action.ABORT): Stage.CLOSED,
    },
    Protocol.HTTP2: _STREAMS,
    Protocol.HTTP3: {move: to for move, to in _STREAMS.items() if move[1] is not Action.PING},
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do.

    Attributes
    ----------
    at : when, in seconds; not later than the `now` it was asked for: do it.
    action : what.
    stream_id : of a GOAWAY; None for the second while it is ahead: what will be accepted until then is not known.
    leads_to : where the goodbye has come by it.
    """

    at: float
    action: Action
    stream_id: int | None
    leads_to: Stage


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of a connection that is to be closed.

    Parameters
    ----------
    protocol : what is spoken.
    open : requests under way.
    last : HTTP/2 and HTTP/3: largest stream id of a request that was accepted; None if there was none.
    answered : HTTP/1.1: whether the head of the response under way is out, so that it cannot carry the word.
    round_trip_over : whether what was sent after the first GOAWAY has been answered, as a PING.
    stage, since : how far the goodbye has come, and when it came there, in seconds.

    Raises
    ------
    ConfigError : a parameter is out of its range, or makes no sense with the protocol.
    """

    protocol: Protocol
    open: int = 0
    last: int | None = None
    answered: bool = False
    round_trip_over: bool = False
    stage: Stage = Stage.OPEN
    since: float = 0.0

    def __post_init__(self) -> None:
        check_enum("protocol", self.protocol, Protocol)
        check_integer("open", self.open, low=0, high=1 if self.protocol is Protocol.HTTP1 else None)
        check_bool("answered", self.answered)
        check_bool("round_trip_over", self.round_trip_over)
        if check_enum("stage", self.stage, Stage) not in {Stage.OPEN, *TRANSITIONS[self.protocol].values()}:
            raise ConfigError("stage", self.stage, f"is none of {self.protocol.value}")
        check_time("since", self.since)
        if self.last is not None:
            self._check_last(self.last)
        elif self.open and self.protocol is not Protocol.HTTP1:
            raise ConfigError("last", None, "must be known: requests are open")

    def _check_last(self, last: int) -> None:
        if self.protocol is Protocol.HTTP1:
            raise ConfigError("last", last, "must be None: HTTP/1.1 has no streams")
        if self.protocol is Protocol.HTTP2 and check_integer("last", last, low=1, high=H2_NOTICE) % 2 == 0:
            raise ConfigError("last", last, "must be odd: a client opened it")  # RFC 9113 5.1.1
        if self.protocol is Protocol.HTTP3 and check_integer("last", last, low=0, high=H3_NOTICE - 4) % 4:
            raise ConfigError("last", last, "must be a multiple of 4: a client opened it both ways")  # RFC 9000 2.1

    def after(self, step: Step, now: float) -> Connection:
        """The connection when a step has been done at `now` (seconds).

        Raises
        ------
        ConfigError : `now` is no time.
        """
        return replace(self, stage=step.leads_to, since=check_time("now", now)) if step.leads_to != self.stage else self


def close_plan(
    connection: Connection,
    now: float,
    deadline: float,
    *,
    round_trip: float = ROUND_TRIP,
    idle: float = 0.0,
    linger: float = LINGER,
) -> tuple[Step, ...]:
    """What to do with a connection now, and what comes later if nothing else happens, in order.

    Parameters
    ----------
    connection : what is known of it.
    now : seconds.
    deadline : the instant, in seconds, at which whatever is left is cut.
    round_trip : seconds to wait between the two GOAWAYs, at least one round trip, unless `round_trip_over` says it is.
    idle : seconds for which an idle HTTP/1.1 connection is kept for one more request.
    linger : seconds for which the reading half of HTTP/1.1 stays open.

    Returns
    -------
    the steps. Those with `at <= now` are to be done now. Of those ahead, the ones that wait for requests to end are
    not there yet: ask again when they have. The last is always the end, if only at the deadline; when closed, nothing.

    Raises
    ------
    ConfigError : an argument is out of its range.

    Costs: O(1).
    Source: RFC 9112 9.6, RFC 9113 6.8, RFC 9114 5.2; the idle wait and the defaults are ours.

    Examples
    --------
    >>> connection = Connection(Protocol.HTTP2, open=2, last=7)
    >>> for step in close_plan(connection, 0.0, 30.0):
    ...     print(step.at, step.action.value, step.stream_id)
    0.0 first GOAWAY 2147483647
    0.0 PING None
    1.0 GOAWAY None
    30.0 abort None
    >>> connection = Connection(Protocol.HTTP2, open=1, last=9, stage=Stage.NOTIFIED, since=0.0)
    >>> [(step.at, step.action.value, step.stream_id) for step in close_plan(connection, 1.0, 30.0)]
    [(1.0, 'GOAWAY', 9), (30.0, 'abort', None)]
    """
    check_enum("connection", connection, Connection)
    now, deadline = check_time("now", now), check_time("deadline", deadline)
    waits = [check_real(n, v, low=0.0) for n, v in (("round_trip", round_trip), ("idle", idle), ("linger", linger))]
    if connection.stage is Stage.CLOSED:
        return ()
    if connection.protocol is Protocol.HTTP1:
        return _http1(connection, now, deadline, *waits[1:])
    return _with_streams(connection, now, deadline, waits[0])


def _http1(connection: Connection, now: float, deadline: float, idle: float, linger: float) -> tuple[Step, ...]:
    stage = connection.stage
    if stage is Stage.HALF_CLOSED:
        return _steps(connection, (max(now, min(connection.since + linger, deadline)), Action.CLOSE, None))
    if now >= deadline:
        return _steps(connection, (now, Action.ABORT if connection.open else Action.CLOSE, None))
    if connection.open:
        abort = deadline, Action.ABORT, None
        silent = stage is Stage.FINAL or connection.answered
        return _steps(connection, abort) if silent else _steps(connection, (now, Action.SAY_CLOSE, None), abort)
    patience = idle if stage is Stage.OPEN else 0.0
    writes = max(now, min(connection.since + patience, deadline))
    closes = min(writes + linger, deadline)
    return _steps(connection, (writes, Action.HALF_CLOSE, None), (closes, Action.CLOSE, None))


def _with_streams(connection: Connection, now: float, deadline: float, round_trip: float) -> tuple[Step, ...]:
    second = connection.protocol is Protocol.HTTP2
    notice, beyond = (H2_NOTICE, 0) if second else (H3_NOTICE, 4)
    accepted = 0 if connection.last is None else connection.last + beyond
    moves: list[tuple[float, Action, int | None]] = []
    told = now
    if connection.stage is Stage.OPEN and now < deadline:
        moves.append((now, Action.NOTICE, notice))
        if second:
            moves.append((now, Action.PING, None))
        told = min(now + round_trip, deadline)
        moves.append((told, Action.GOAWAY, None))
    elif connection.stage is not Stage.FINAL:
        waits = connection.stage is Stage.NOTIFIED and not connection.round_trip_over
        told = max(now, min(connection.since + round_trip, deadline)) if waits else now
        moves.append((told, Action.GOAWAY, accepted if told <= now else None))
    ends = (max(now, deadline), Action.ABORT, None) if connection.open else (told, Action.CLOSE, None)
    return _steps(connection, *moves, ends)


def _steps(connection: Connection, *moves: tuple[float, Action, int | None]) -> tuple[Step, ...]:
    """The moves, each from where the one before leads."""
    stage, steps = connection.stage, []
    for at, action, stream_id in moves:
        stage = TRANSITIONS[connection.protocol][stage, action]
        steps.append(Step(at, action, stream_id, stage))
    return tuple(steps)
