"""Workers of a balancer as they are configured, and what they or the proxy report of them."""

from __future__ import annotations

from dataclasses import dataclass

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer, check_real

LETTERS = "DSIHREN"  # disabled, stopped, ignore errors, hot standby, hot spare, in error, draining
SCALE, LEAST, MOST = 100.0, 100, 10_000  # of loadfactor
MAX_SET = 99
RETRY = 60.0  # seconds a worker stays in error
STATUS_LINE = len("HTTP/1.1 200 OK")


@dataclass(frozen=True, slots=True)
class Worker:
    """A BalancerMember.

    Parameters
    ----------
    id : name, unique in the balancer.
    loadfactor : 1 to 100, counted in hundredths.
    lbset : 0 to 99.
    status : letters of D disabled, S stopped, I ignore errors, H hot standby, R hot spare, E in error, N draining.
    route : of sticky sessions; "" for none.
    retry : seconds it stays in error, >= 0.

    Raises
    ------
    ConfigError : a field is invalid.

    Examples
    --------
    >>> Worker("a", loadfactor=2.5, status="H").weight
    2.5
    """

    id: str
    loadfactor: float = 1.0
    lbset: int = 0
    status: str = ""
    route: str = ""
    retry: float = RETRY

    def __post_init__(self) -> None:
        check_id(self.id)
        factor_of("loadfactor", self.loadfactor)
        check_integer("lbset", self.lbset, low=0, high=MAX_SET)
        if not isinstance(self.status, str) or set(self.status) - set(LETTERS):
            raise ConfigError("status", self.status, f"must be letters of {LETTERS}")
        if not isinstance(self.route, str):
            raise ConfigError("route", self.route, "must be a string")
        check_real("retry", self.retry, low=0.0)

    @property
    def weight(self) -> float:
        """The load factor."""
        return self.loadfactor


def factor_of(name: str, loadfactor: object) -> int:
    """The factor that is calculated with: hundredths, cut off as C cuts a double.

    Examples
    --------
    >>> factor_of("loadfactor", 2.5), factor_of("loadfactor", 1.15)
    (250, 114)
    """
    factor = int(check_real(name, loadfactor, low=0.0, high=1000.0) * SCALE)
    if not LEAST <= factor <= MOST:
        raise ConfigError(name, loadfactor, "must be from 1 to 100")
    return factor


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one request added to a worker's account, for `Balancer.report`: bytes.

    Parameters
    ----------
    sent : the whole request as it went to the worker.
    read : what came back: the status line without its line end, and the body; headers are not counted.

    Examples
    --------
    >>> Traffic.of(172, 1177)
    Traffic(sent=172, read=1192)
    """

    sent: int
    read: int

    def __post_init__(self) -> None:
        check_integer("sent", self.sent, low=0)
        check_integer("read", self.read, low=0)

    @classmethod
    def of(cls, request: int, body: int, status_line: int = STATUS_LINE) -> Traffic:
        """That of a request and of a response whose status line has so many characters."""
        return cls(request, status_line + body)


@dataclass(frozen=True, slots=True)
class Ready:
    """A heartbeat of a worker, for `Balancer.report`: its busy and its ready slots.

    Examples
    --------
    >>> Ready(busy=3, ready=5).ready
    5
    """

    busy: int
    ready: int

    def __post_init__(self) -> None:
        check_integer("busy", self.busy, low=0)
        check_integer("ready", self.ready, low=0)
