"""`Preset`: what a known system is made of, in this library's parts, and where each of its values comes from.

A preset is a recipe. Policies are frozen and can be shared; signals and gates remember, and each belongs to one
balancer, so they are made anew whenever they are asked for. Values are not written down twice: a source names a setting
of a part ("ActiveHealth.interval"), and what is printed is what the part says of itself.

Three lists say how far it goes. `sources`: the document and section behind each value. `unconfirmed`: what no document
that could be read says, so that the choice is ours or second-hand. `differs`: what the document says and this library's
part does otherwise.

Costs: those of the parts.
Source: ours.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from lbalgo.active import Balancer
from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_real

FAIL_OPEN = 1e-9  # a `panic_below` that panics when nobody is healthy, and not before


P = TypeVar("P")


class Parts(NamedTuple):
    """What a `Balancer` is made of; the signals and gates are new ones, for one balancer only."""

    policy: Any
    signals: tuple[Any, ...]
    gates: tuple[Any, ...]

    def get(self, kind: type[P]) -> P:
        """The part of this type, whose probes are to be taken or whose flows end.

        Raises
        ------
        ConfigError : there is none.
        """
        for part in (self.policy, *self.signals, *self.gates):
            if isinstance(kind, type) and isinstance(part, kind):
                return part
        raise ConfigError("kind", kind, "is the type of none of the parts")


class Source(NamedTuple):
    """Where the value of a setting comes from.

    Attributes
    ----------
    setting : a part's type and attribute, as "SlowStart.window"; the type alone for the choice of the part.
    document, section : where it is said.
    """

    setting: str
    document: str
    section: str


class Value(NamedTuple):
    """The value of a setting, read from the part, and where it comes from."""

    setting: str
    value: Any
    document: str
    section: str

    @property
    def shown(self) -> str:
        """The value for people; "used" for a part."""
        return "used" if "." not in self.setting else shown(self.value)


def _none() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return (), ()


@dataclass(frozen=True)
class Preset:
    """A policy, signals and gates that do what a system is documented to do; made by the functions of `lbalgo.presets`.

    Parameters
    ----------
    system : its name.
    policy : the frozen policy.
    make : gives new signals and gates, a pair of tuples.
    sources : where values come from; each names a setting that the parts have.
    unconfirmed : in words, what no document confirms.
    differs : in words, what the system is documented to do and the parts do not.
    panic_below : the balancer's, 0 to 1; the setting "Balancer.panic_below".

    Raises
    ------
    ConfigError : a parameter is invalid, or a source names no setting of a part.

    Costs: those of the parts.
    Source: ours.

    Examples
    --------
    >>> from lbalgo import presets
    >>> preset = presets.alb(slow_start=30)
    >>> [signal for signal in preset.parts().signals if type(signal).__name__ == "SlowStart"]
    [SlowStart(window=30.0, aggression=1.0, floor=0.05, steps=20)]
    >>> preset.value("ActiveHealth.interval")
    30.0
    >>> preset.balancer(["a", "b"], seed=0).acquire().backend.id
    'a'
    """

    system: str
    policy: Any
    make: Callable[[], tuple[tuple[Any, ...], tuple[Any, ...]]] = _none
    sources: tuple[Source, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    panic_below: float = 0.5

    def __post_init__(self) -> None:
        check_id(self.system, "system")
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy")
        if not callable(self.make):
            raise ConfigError("make", self.make, "must be a function that gives signals and gates")
        check_real("panic_below", self.panic_below, low=0.0, high=1.0)
        for name in ("unconfirmed", "differs"):
            if not isinstance(getattr(self, name), tuple) or not all(isinstance(x, str) for x in getattr(self, name)):
                raise ConfigError(name, getattr(self, name), "must be a tuple of strings")
        if not isinstance(self.sources, tuple) or not all(isinstance(source, Source) for source in self.sources):
            raise ConfigError("sources", self.sources, "must be a tuple of sources")
        self.values()

    def parts(self) -> Parts:
        """The policy, and new signals and gates for one balancer."""
        signals, gates = self.make()
        return Parts(self.policy, tuple(signals), tuple(gates))

    def balancer(
        self,
        backends: Any,
        parts: Parts | None = None,
        *,
        signals: Iterable[Any] = (),
        gates: Iterable[Any] = (),
        **more: Any,
    ) -> Balancer[Any]:
        """A balancer of this preset.

        Parameters
        ----------
        backends : as `Balancer` takes them.
        parts : those of `parts()`, where they are to be held on to, as for taking probes; None: new ones.
        signals, gates : further ones.
        more : the balancer's other parameters; `panic_below` overrides the preset's.

        Raises
        ------
        ConfigError : `parts` are no parts; else as `Balancer`.
        """
        if parts is not None and not isinstance(parts, Parts):
            raise ConfigError("parts", parts, "must be of a preset's parts()")
        policy, mine, own = self.parts() if parts is None else parts
        more = {"panic_below": self.panic_below, **more}
        return Balancer(policy, backends, signals=(*mine, *signals), gates=(*own, *gates), **more)

    def value(self, setting: str) -> Any:
        """What a part says of one of its settings, such as "SlowStart.window", whether or not a source names it.

        Raises
        ------
        ConfigError : no part has such a setting.
        """
        return self._read(setting, self._named())

    def values(self) -> tuple[Value, ...]:
        """Every sourced setting with its value, in order."""
        named = self._named()
        return tuple(Value(s.setting, self._read(s.setting, named), s.document, s.section) for s in self.sources)

    def __str__(self) -> str:
        lines = [self.system]
        lines += [f"  {v.setting}: {v.shown}  [{v.document}: {v.section}]" for v in self.values()]
        for title, words in (("unconfirmed", self.unconfirmed), ("differs", self.differs)):
            lines += [f"{title}:", *(f"  {line}" for line in words)] if words else []
        return "\n".join(lines)

    def _named(self) -> dict[str, Any]:
        """Every part by its type's name, those within others too."""
        policy, signals, gates = self.parts()
        named = {type(part).__name__: part for part in (policy, *signals, *gates)}
        for part in (policy, *signals):
            inner = (getattr(part, "policy", None), getattr(part, "load", None))
            for within in (*inner, *getattr(getattr(part, "spec", None), "detectors", ())):
                if within is not None:
                    named[type(within).__name__] = within
        return named

    def _read(self, setting: str, named: dict[str, Any]) -> Any:
        if setting == "Balancer.panic_below":
            return self.panic_below
        name, *path = setting.split(".") if isinstance(setting, str) else [""]
        value: Any = named.get(name)
        for attribute in path:
            spec = getattr(value, "spec", value)
            value = getattr(spec if hasattr(spec, attribute) else value, attribute, None)
        if value is None:
            raise ConfigError("setting", setting, f"is none of {', '.join(named)}")
        return value


def shown(value: Any) -> str:
    """A value as a table shows it.

    Examples
    --------
    >>> shown(30.0), shown(((200, 200), (300, 399))), shown(True)
    ('30', '200, 300-399', 'True')
    """
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
