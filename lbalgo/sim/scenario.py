"""`Scenario`: all that a run depends on, as one frozen specification.

A scenario is a value: equal scenarios give equal results, bit for bit, in any process. It holds specifications only;
what has state (pickers, loads, signals, gates) is made anew by each run. Signals and gates have state from the start,
so what stands for them is what makes them: a function without arguments, such as ``partial(lb.SlowStart, 30.0)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, UnknownBackend
from lbalgo.sim.arrivals import Arrivals
from lbalgo.sim.changes import CHANGES, MEMBERSHIP, Change, Join
from lbalgo.sim.checking import Checks
from lbalgo.sim.courses import Hedge, Retries, Timeout
from lbalgo.sim.distributions import Distribution, Exponential
from lbalgo.sim.keys import Keys
from lbalgo.sim.network import Network
from lbalgo.sim.servers import Servers
from lbalgo.sim.telling import Probes, Reports
from lbalgo.spec import check_bool, check_integer, check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.view import View


@dataclass(frozen=True)
class Board:
    """A board on which every server's number of requests is published: what the balancers see instead of their own.

    Parameters
    ----------
    period : seconds from one publication to the next, the first at 0; > 0.
    delay : seconds until what was counted can be read, >= 0.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Mitzenmacher, "How useful is old information?", IEEE TPDS 11 (2000).

    Examples
    --------
    >>> Board(10.0)
    Board(period=10.0, delay=0.0)
    """

    period: float
    delay: float = 0.0

    def __post_init__(self) -> None:
        check_real("period", self.period, low=0.0, open_low=True)
        check_real("delay", self.delay, low=0.0)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


PARTS: dict[str, type[Any]] = {
    "timeout": Timeout,
    "retries": Retries,
    "hedge": Hedge,
    "reports": Reports,
    "probes": Probes,
    "network": Network,
    "board": Board,
}


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Parameters
    ----------
    policy : by which every balancer chooses.
    servers : groups of servers; an int is so many plain ones.
    arrivals : when requests come.
    duration : seconds after which the run ends, whoever is still in the system; > 0.
    service : how much work a request is.
    warmup : requests that end within the first so many seconds are not measured.
    clients : balancers, each of which sees its own traffic only; a request belongs to any of them, evenly.
    keys : which keys requests have; None: none.
    costs : what requests are said to cost; None: 1 each.
    signals, gates : functions without arguments, each called once for each balancer, that make them.
    panic_below : see `Balancer`.
    changes : what becomes of servers, and when.
    timeout, retries, hedge : what clients do about requests that take long or fail; None: nothing.
    reports, probes : what servers say of themselves, unasked and asked; None: nothing.
    network : how long requests, answers and health checks are under way; None: no time.
    checks : what the health checks of an `ActiveHealth` among the signals cost the servers.
    board : what the balancers see of the servers; None: what each of them knows by itself.
    sample : seconds between looks at every server; None: none.
    histogram : whether latencies are kept as a histogram (relative error below 2 %) instead of all of them.
    rows : whether all requests are kept, one row each.
    seed : an int in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter cannot be used.
    UnknownBackend : a change is about a server that does not exist.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.sim import Poisson, Scenario, run
    >>> result = run(Scenario(lb.PowerOfTwo(), servers=10, arrivals=Poisson(9.0), duration=1000.0))
    >>> result.arrived == result.ended + result.refused + result.in_system
    True
    """

    policy: Any
    servers: tuple[Servers, ...]
    arrivals: Arrivals
    duration: float
    service: Distribution = Exponential()
    warmup: float = 0.0
    clients: int = 1
    keys: Keys | None = None
    costs: Distribution | None = None
    signals: tuple[Callable[[], Any], ...] = ()
    gates: tuple[Callable[[], Any], ...] = ()
    panic_below: float = 0.5
    changes: tuple[Change, ...] = ()
    timeout: Timeout | None = None
    retries: Retries | None = None
    hedge: Hedge | None = None
    reports: Reports | None = None
    probes: Probes | None = None
    network: Network | None = None
    checks: Checks = Checks()
    board: Board | None = None
    sample: float | None = None
    histogram: bool = False
    rows: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not callable(getattr(self.policy, "build", None)) or isinstance(self.policy, type):
            raise ConfigError("policy", self.policy, "must be a policy, such as PowerOfTwo()")
        servers: Any = self.servers
        if isinstance(servers, int) and not isinstance(servers, bool):
            servers = (Servers(check_integer("servers", servers, low=1)),)
        servers = _tuple("servers", (servers,) if isinstance(servers, Servers) else servers, Servers)
        if not servers:
            raise ConfigError("servers", self.servers, "must not be empty")
        object.__setattr__(self, "servers", servers)
        _made_of("arrivals", self.arrivals, "start")
        check_real("duration", self.duration, low=0.0, high=1e12, open_low=True)
        _made_of("service", self.service, "draw")
        check_real("warmup", self.warmup, low=0.0, high=self.duration)
        check_integer("clients", self.clients, low=1, high=1_000_000)
        if self.keys is not None:
            _made_of("keys", self.keys, "start", "names")
        if self.costs is not None:
            _made_of("costs", self.costs, "draw")
        for name in ("signals", "gates"):
            object.__setattr__(self, name, _makers(name, getattr(self, name)))
        check_real("panic_below", self.panic_below, low=0.0, high=1.0)
        object.__setattr__(self, "changes", _tuple("changes", self.changes, CHANGES))
        for name, kind in PARTS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ConfigError(name, value, f"must be a {kind.__name__}, or None")
        if not isinstance(self.checks, Checks):
            raise ConfigError("checks", self.checks, "must be Checks")
        if self.sample is not None:
            check_real("sample", self.sample, low=0.0, open_low=True)
        check_bool("histogram", self.histogram)
        check_bool("rows", self.rows)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)
        View.of(self.endpoints)  # ids are unique
        known = {endpoint.id for endpoint in self.endpoints}
        for change in self.changes:
            if change.server not in known:
                raise UnknownBackend(change.server)

    @property
    def endpoints(self) -> tuple[Endpoint[None], ...]:
        """Every server there ever is, as the balancers see it."""
        return tuple(endpoint for group in self.servers for endpoint in group.endpoints())

    @property
    def trying(self) -> bool:
        """Whether clients do more about a request than to send it once and wait."""
        return self.timeout is not None or self.retries is not None or self.hedge is not None

    @property
    def at_first(self) -> tuple[Endpoint[None], ...]:
        """The servers that are members when the run begins: all but those whose first change is to join."""
        first: dict[str, Change] = {}
        for change in sorted(self.changes, key=lambda change: change.at):
            if isinstance(change, MEMBERSHIP):
                first.setdefault(change.server, change)
        return tuple(e for e in self.endpoints if not isinstance(first.get(e.id), Join))

    def but(self, **changes: Any) -> Scenario:
        """The same scenario with some parameters changed.

        Raises
        ------
        ConfigError : one of them cannot be used, or there is none of that name.
        """
        for name in changes:
            if name not in Scenario.__dataclass_fields__:
                raise ConfigError(name, changes[name], f"is none of {', '.join(Scenario.__dataclass_fields__)}")
        return replace(self, **changes)


def _made_of(name: str, value: object, *methods: str) -> None:
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        raise ConfigError(name, value, f"must be an object with {', '.join(methods)}")


def _tuple(name: str, values: Any, kind: Any) -> tuple[Any, ...]:
    try:
        found = tuple(values)
    except TypeError:
        raise ConfigError(name, values, "must be a sequence") from None
    for i, value in enumerate(found):
        if not isinstance(value, kind):
            names = ", ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            raise ConfigError(f"{name}[{i}]", value, f"must be one of {names}")
    return found


def _makers(name: str, values: Any) -> tuple[Any, ...]:
    found = _tuple(name, values, object)
    for i, value in enumerate(found):
        if not callable(value):
            raise ConfigError(
                f"{name}[{i}]", value, "must be a function that makes one, such as partial(SlowStart, 30.0)"
            )
    return found
