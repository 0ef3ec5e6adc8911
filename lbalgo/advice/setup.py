"""What an audit looks at: a configuration, and the facts about its traffic that no configuration says.

A `Setup` is described by hand, from the parts a `Balancer` would be given, or comes out of a `Loaded`, which a loader
of `lbalgo.compat` made of the configuration of Envoy, HAProxy or nginx. `Facts` are known to people only: how long
requests take, how long a deploy waits, whether clients choose their keys. Whatever is not stated is not judged.

Things are recognised by the name they have in their room (`kind_of`), so that an audit of native parts imports no
other system's.

Costs: O(backends). Source: ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.config import Loaded
from lbalgo.errors import ConfigError
from lbalgo.spec import LIMIT, check_bool, check_enum, check_integer, check_real, from_dict, to_dict
from lbalgo.types import Pool
from lbalgo.view import View, view_of

SYSTEMS = ("envoy", "haproxy", "nginx")
_TIMES = ("p99", "drain", "grace", "pre_stop", "propagation", "detect_within")


@dataclass(frozen=True)
class Facts:
    """What is known of the traffic and of the deploys; None is "not known", and then not judged.

    Parameters
    ----------
    p99 : seconds within which 99 of 100 requests end.
    drain : seconds for which a backend that stops ends what it has; by default that of a `Drain` signal.
    grace : seconds after which a backend that was told to stop is killed.
    pre_stop : seconds for which a hook waits before a backend stops accepting.
    propagation : seconds until the last balancer has heard that a backend goes.
    rate : requests a second to the whole pool, > 0.
    detect_within : seconds within which a dead backend must be noticed.
    max_excess : fraction of the keys that may move for nothing when one backend leaves, > 0 to 1.
    table_size : positions of a Maglev table that is not part of the policy.
    retries : most attempts that follow a first one.
    address_keys : whether keys are client addresses.
    nat_share : fraction of all requests that comes from the one address most come from, 0 to 1.
    strangers : whether clients can choose their keys.

    Raises
    ------
    ConfigError : a value is out of its range.

    Costs: none.
    Source: ours.

    Examples
    --------
    >>> Facts(p99=2, drain=5).grace is None
    True
    """

    p99: float | None = None
    drain: float | None = None
    grace: float | None = None
    pre_stop: float = 0.0
    propagation: float = 0.0
    rate: float | None = None
    detect_within: float | None = None
    max_excess: float | None = None
    table_size: int | None = None
    retries: int = 0
    address_keys: bool = False
    nat_share: float | None = None
    strangers: bool = False

    def __post_init__(self) -> None:
        for name in _TIMES:
            if getattr(self, name) is not None or name in ("pre_stop", "propagation"):
                check_real(name, getattr(self, name), low=0.0, high=LIMIT)
        if self.rate is not None:
            check_real("rate", self.rate, low=0.0, open_low=True)
        if self.max_excess is not None:
            check_real("max_excess", self.max_excess, low=0.0, high=1.0, open_low=True)
        if self.table_size is not None:
            check_integer("table_size", self.table_size, low=2, high=2**31 - 1)
        check_integer("retries", self.retries, low=0)
        check_bool("address_keys", self.address_keys)
        if self.nat_share is not None:
            check_real("nat_share", self.nat_share, low=0.0, high=1.0)
        check_bool("strangers", self.strangers)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Facts:
        """The facts `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class Setup:
    """A configuration to be audited.

    Parameters
    ----------
    policy : as a `Balancer` takes it; None if it is not known.
    backends : as a `Balancer` takes them.
    signals, gates : the parts.
    panic_below : share of healthy backends under which the pool panics, 0 to 1.
    facts : what is known besides.
    system : "envoy", "haproxy" or "nginx" if it is the configuration of one; "" for this library's own parts.
    said : paths of all fields of that configuration, however they were taken.

    Raises
    ------
    ConfigError : a parameter is no such thing.

    Costs: O(N).
    Source: ours.

    Examples
    --------
    >>> import lbalgo as lb
    >>> Setup(lb.Maglev(), ["a", "b"], signals=[lb.SlowStart(30)]).size
    2
    """

    policy: Any = None
    backends: Pool[Any] = ()  # a View once it is made
    signals: tuple[Any, ...] = ()
    gates: tuple[Any, ...] = ()
    panic_below: float = 0.5
    facts: Facts = Facts()
    system: str = ""
    said: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        policy: Any = self.policy
        if policy is not None and not _is_policy(policy):
            raise ConfigError("policy", policy, "must be a policy, such as PowerOfTwo(), or None")
        object.__setattr__(self, "backends", view_of(self.backends))
        for name, methods in (("signals", ("apply",)), ("gates", ("admit", "pick"))):
            parts = getattr(self, name)
            if not isinstance(parts, (list, tuple)):
                raise ConfigError(name, parts, "must be a list or a tuple")
            for part in parts:
                if isinstance(part, type) or not any(callable(getattr(part, method, None)) for method in methods):
                    raise ConfigError(name, part, f"must be {name}")
            object.__setattr__(self, name, tuple(parts))
        check_real("panic_below", self.panic_below, low=0.0, high=1.0)
        check_enum("facts", self.facts, Facts)
        if self.system not in ("", *SYSTEMS):
            raise ConfigError("system", self.system, f"must be one of {', '.join(SYSTEMS)}, or empty")

    @classmethod
    def of(cls, loaded: Loaded, facts: Facts | None = None) -> Setup:
        """The setup of a configuration that was read in, best with ``strict=False``: what is unsupported tells too.

        Raises
        ------
        ConfigError : it is no `Loaded`.

        Examples
        --------
        >>> from lbalgo.compat import nginx
        >>> setup = Setup.of(nginx.load("upstream api { ip_hash; server 10.0.0.1; server 10.0.0.2; }"))
        >>> setup.system, setup.size
        ('nginx', 2)
        """
        check_enum("loaded", loaded, Loaded)
        said = loaded.honoured + loaded.irrelevant + loaded.unsupported
        parts = (loaded.policy, loaded.view(), loaded.signals, ())
        return cls(*parts, loaded.panic_below, Facts() if facts is None else facts, system_of(loaded.policy), said)

    @property
    def view(self) -> View[Any]:
        """The pool."""
        assert isinstance(self.backends, View)
        return self.backends

    @property
    def size(self) -> int:
        """Backends that have weight."""
        return int((self.view.weights > 0).sum())

    @property
    def policies(self) -> tuple[Any, ...]:
        """The policy, and those inside of it, the outermost first."""
        found, inner = [], self.policy
        while inner is not None:
            found.append(inner)
            inner = next((within for name in INNER if _is_policy(within := getattr(inner, name, None))), None)
        return tuple(found) or (None,)

    @property
    def kind(self) -> str:
        """What the innermost policy is called, see `kind_of`."""
        return kind_of(self.policies[-1])

    @property
    def rate_each(self) -> float | None:
        """Requests a second to one backend in the mean; None if it is not known."""
        return None if self.facts.rate is None or not self.size else self.facts.rate / self.size

    def signal(self, *kinds: str) -> Any:
        """The first signal of these kinds, or None."""
        return next((part for part in self.signals if kind_of(part) in kinds), None)

    def gate(self, *kinds: str) -> Any:
        """The first gate of these kinds, or None."""
        return next((part for part in self.gates if kind_of(part) in kinds), None)

    def says(self, *fields: str, of_server: bool = False) -> bool:
        """Whether one of these fields is in the configuration that was read: of the pool, or of one of its servers."""
        return any(path.rpartition(".")[2] in fields and (".server[" in path) == of_server for path in self.said)


INNER = ("policy", "endpoint_picking_policy")  # what combinators call the policy inside; the second is Envoy's


def _is_policy(value: Any) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "build", None))


def system_of(thing: Any) -> str:
    """The room of `lbalgo.compat` that a thing belongs to; "" for all others."""
    return next((s for s in SYSTEMS if type(thing).__module__.startswith(f"lbalgo.compat.{s}.")), "")


def kind_of(thing: Any) -> str:
    """What a part is called: "Maglev", or "envoy.Maglev" for another system's.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.compat import envoy
    >>> kind_of(lb.Maglev()), kind_of(envoy.Maglev())
    ('Maglev', 'envoy.Maglev')
    """
    system, name = system_of(thing), type(thing).__name__
    return f"{system}.{name}" if system else name
