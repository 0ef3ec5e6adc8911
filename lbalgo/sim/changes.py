"""What becomes of servers in the course of a run: members come and go, servers slow down, fail, crash, are cold.

A *change* is a frozen specification with an instant, carried out by the run (`lbalgo.sim.happening`); one that has
`until` is undone then. Servers are named by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from lbalgo.errors import ConfigError
from lbalgo.sim.named import named
from lbalgo.spec import check_enum, check_id, check_real, enum_from_name, from_dict
from lbalgo.spec import to_dict as plain
from lbalgo.types import Outcome

C = TypeVar("C")


def _parsed(cls: type[C], data: Mapping[str, object]) -> C:
    """The change `to_dict` described."""
    return from_dict(cls, data, {"outcome": enum_from_name(Outcome)})


def _failure(outcome: object) -> None:
    if check_enum("outcome", outcome, Outcome) in (Outcome.SUCCESS, Outcome.CANCELLED):
        raise ConfigError("outcome", outcome, "must be a failure")


def _check(change: Any) -> None:
    check_real("at", change.at, low=0.0)
    check_id(change.server, "server")
    until = getattr(change, "until", None)
    if until is not None:
        check_real("until", until, low=change.at)


@dataclass(frozen=True)
class Join:
    """The server becomes a member; one that joins before it has ever left is not there at first.

    Parameters
    ----------
    at : seconds.
    server : its id.

    Examples
    --------
    >>> Join(60.0, "server-9").to_dict()
    {'type': 'Join', 'at': 60.0, 'server': 'server-9'}
    """

    at: float
    server: str

    def __post_init__(self) -> None:
        _check(self)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Leave:
    """The server is no longer a member; what it has been sent it still serves.

    Parameters
    ----------
    at : seconds.
    server : its id.

    Examples
    --------
    >>> Leave(60.0, "server-9").server
    'server-9'
    """

    at: float
    server: str

    def __post_init__(self) -> None:
        _check(self)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Weigh:
    """The balancers are told another weight; 0 drains the server.

    Parameters
    ----------
    at : seconds.
    server : its id.
    weight : >= 0.

    Examples
    --------
    >>> Weigh(60.0, "server-9", 0.0).weight
    0.0
    """

    at: float
    server: str
    weight: float

    def __post_init__(self) -> None:
        _check(self)
        check_real("weight", self.weight, low=0.0)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Slow:
    """Each slot of the server does another amount of work a second; 0 is a server that hangs.

    Parameters
    ----------
    at : seconds.
    server : its id.
    speed : units of work a second, >= 0.
    until : when it has its own speed again, seconds; None: never.

    Examples
    --------
    >>> Slow(60.0, "server-9", 0.0, until=90.0).until
    90.0
    """

    at: float
    server: str
    speed: float
    until: float | None = None

    def __post_init__(self) -> None:
        _check(self)
        check_real("speed", self.speed, low=0.0)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Crash:
    """The server loses all that it has, and refuses everything (LOCAL_ERROR, at once) until it is back.

    Parameters
    ----------
    at : seconds.
    server : its id.
    until : when it is back, empty; seconds; None: never.
    outcome : how the requests end that it had.

    Examples
    --------
    >>> Crash(60.0, "server-9").outcome
    <Outcome.GATEWAY_ERROR: 'gateway_error'>
    """

    at: float
    server: str
    until: float | None = None
    outcome: Outcome = Outcome.GATEWAY_ERROR

    def __post_init__(self) -> None:
        _check(self)
        _failure(self.outcome)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class FailFast:
    """A share of the requests fails without being served: the server that attracts traffic by being useless.

    Parameters
    ----------
    at : seconds.
    server : its id.
    share : fraction that fails, 0 to 1.
    after : seconds until the failure comes back, >= 0.
    until : seconds; None: for ever.
    outcome : how they end.

    Examples
    --------
    >>> FailFast(60.0, "server-9", after=0.001).share
    1.0
    """

    at: float
    server: str
    share: float = 1.0
    after: float = 0.0
    until: float | None = None
    outcome: Outcome = Outcome.GATEWAY_ERROR

    def __post_init__(self) -> None:
        _check(self)
        check_real("share", self.share, low=0.0, high=1.0)
        check_real("after", self.after, low=0.0)
        _failure(self.outcome)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Faulty:
    """A share of the requests fails after having been served.

    Parameters
    ----------
    at : seconds.
    server : its id.
    share : fraction that fails, 0 to 1.
    until : seconds; None: for ever.
    outcome : how they end.

    Examples
    --------
    >>> Faulty(0.0, "server-9", 0.01).outcome
    <Outcome.SERVER_ERROR: 'server_error'>
    """

    at: float
    server: str
    share: float
    until: float | None = None
    outcome: Outcome = Outcome.SERVER_ERROR

    def __post_init__(self) -> None:
        _check(self)
        check_real("share", self.share, low=0.0, high=1.0)
        _failure(self.outcome)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


@dataclass(frozen=True)
class Cold:
    """The server's cache is empty: the first request is 1 + extra times its work, and extra melts with each request.

    Parameters
    ----------
    at : seconds.
    server : its id.
    extra : > 0.
    requests : after so many, extra is 1 / e of what it was; > 0.

    Examples
    --------
    >>> Cold(60.0, "server-9", extra=4.0, requests=100.0).extra
    4.0
    """

    at: float
    server: str
    extra: float
    requests: float

    def __post_init__(self) -> None:
        _check(self)
        check_real("extra", self.extra, low=0.0, open_low=True)
        check_real("requests", self.requests, low=0.0, open_low=True)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(_parsed)


Change: TypeAlias = Join | Leave | Weigh | Slow | Crash | FailFast | Faulty | Cold
CHANGES = (Join, Leave, Weigh, Slow, Crash, FailFast, Faulty, Cold)
MEMBERSHIP = (Join, Leave, Weigh)


def deploy(
    ids: Iterable[str], *, at: float, every: float, away: float, extra: float = 0.0, requests: float = 1.0
) -> list[Change]:
    """A rolling deploy: one server after the other leaves, and joins again, cold if `extra` is > 0.

    Parameters
    ----------
    ids : the servers, in order.
    at : when the first one leaves, seconds.
    every : seconds from one server's leaving to the next one's, > 0.
    away : seconds for which each is away, > 0.
    extra, requests : see `Cold`.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> [(type(c).__name__, c.at, c.server) for c in deploy(["a", "b"], at=10.0, every=5.0, away=2.0)]
    [('Leave', 10.0, 'a'), ('Join', 12.0, 'a'), ('Leave', 15.0, 'b'), ('Join', 17.0, 'b')]
    """
    check_real("every", every, low=0.0, open_low=True)
    check_real("away", away, low=0.0, open_low=True)
    check_real("extra", extra, low=0.0)
    changes: list[Change] = []
    for i, id in enumerate(ids):
        leaves = check_real("at", at, low=0.0) + i * every
        changes.append(Leave(leaves, id))
        if extra > 0.0:
            changes.append(Cold(leaves + away, id, extra, requests))
        changes.append(Join(leaves + away, id))
    return changes


def read_changes(parameter: str, data: object) -> tuple[Change, ...]:
    """The changes that plain data describes: a list of tables; a ``Deploy`` stands for what `deploy` gives."""
    if not isinstance(data, (list, tuple)):
        raise ConfigError(parameter, data, "must be an array")
    found: list[Change] = []
    for i, each in enumerate(data):
        where = f"{parameter}[{i}]"
        if isinstance(each, Mapping) and each.get("type") == "Deploy":
            given = {key: value for key, value in each.items() if key != "type"}
            try:
                found += deploy(given.pop("servers", ()), **given)
            except TypeError as error:
                raise ConfigError(where, dict(each), str(error)) from None
        else:
            found.append(named(where, each, CHANGES))
    return tuple(found)
