"""Configurations of real systems, read in: what they become, and the account of every field they have.

A loader turns a system's own configuration into a policy, backends and signals. Whatever it does with a field, it says
so: a field is *honoured* (it took part in the decision made here), *irrelevant* (a stated list says that it cannot
change which backend is chosen), or *unsupported* (anything else, which is refused). Nothing is dropped in silence.

`Account` is the book of fields, whatever the format. `Fields` walks nested mappings and lists (what JSON and YAML
become) and keeps the book by itself: whatever nobody took or ignored is unsupported in the end.

Costs: O(size of the configuration).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, cast, overload

from lbalgo.balancer import Balancer
from lbalgo.compat.states import FixedStates
from lbalgo.errors import ConfigError
from lbalgo.types import Signal, State
from lbalgo.view import View

T = TypeVar("T")
D = TypeVar("D")
Kind: TypeAlias = type[T] | Callable[[str, Any], T]  # a type to be an instance of, or a function of path and value

KINDS = ("irrelevant", "honoured", "unsupported")


@dataclass(frozen=True)
class Loaded:
    """What a configuration says about the choice of a backend, and what became of each of its fields.

    Parameters
    ----------
    policy : makes the decision.
    backends : the members, in the configuration's order.
    signals : machines that belong to it; a balancer made by `balancer` gets copies.
    states : id and state of the backends that the configuration itself says are not healthy.
    panic_below : share of healthy backends under which the pool panics, 0 (never) to 1.
    honoured : paths of the fields that took part.
    irrelevant : paths of the fields that cannot change the decision.
    unsupported : paths of the fields that are not understood; empty unless a loader was told not to be strict.

    Examples
    --------
    >>> from lbalgo import RoundRobin
    >>> Loaded(RoundRobin(), ("a", "b"), honoured=("servers",)).balancer(seed=1).picker.pick().id
    'b'
    """

    policy: Any
    backends: tuple[Any, ...]
    signals: tuple[Signal, ...] = ()
    states: tuple[tuple[str, State], ...] = ()
    panic_below: float = 0.0
    honoured: tuple[str, ...] = ()
    irrelevant: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    def balancer(self, **options: Any) -> Balancer[Any]:
        """A balancer of its own for this configuration; `options` are those of `Balancer` and win over these."""
        fixed = (FixedStates(dict(self.states)),) if self.states else ()
        given = {"signals": copy.deepcopy(self.signals) + fixed, "panic_below": self.panic_below, **options}
        return Balancer(self.policy, self.backends, **given)

    def view(self) -> View[Any]:
        """The backends and their states as the configuration has them, for `policy.build`."""
        return View.of(self.backends, states=dict(self.states), panic_below=self.panic_below)


class Account:
    """Which fields were honoured, which are irrelevant, which are unsupported; each field is in one list, once.

    Examples
    --------
    >>> account = Account()
    >>> account.honour("weight")
    >>> account.refuse("proxy_bind", "servers are not bound here")
    >>> account.close()
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: unsupported = ('proxy_bind',): proxy_bind: servers are not bound here
    """

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def honour(self, path: str) -> None:
        """This field takes part in the decision."""
        self._note(path, "honoured")

    def ignore(self, path: str) -> None:
        """This field cannot change the decision, as a stated list says."""
        self._note(path, "irrelevant")

    def refuse(self, path: str, why: str = "is not understood") -> None:
        """This field is not supported, and why."""
        self._note(path, "unsupported")
        self._reasons.setdefault(path, why)

    def _note(self, path: str, kind: str) -> None:
        """One path may stand for several fields (a repeated keyword): then the gravest counts."""
        self._fields[path] = max(self._fields.get(path, kind), kind, key=KINDS.index)

    def fields(self, kind: str) -> tuple[str, ...]:
        """The paths of one kind, in the order in which they were met."""
        return tuple(path for path, what in self._fields.items() if what == kind)

    def close(self, *, strict: bool = True) -> dict[str, Any]:
        """The three lists, by the names they have in `Loaded`.

        Parameters
        ----------
        strict : whether an unsupported field is an error.

        Raises
        ------
        ConfigError : strict, and there are unsupported fields; the value is the tuple of all their paths.
        """
        lists = {kind: self.fields(kind) for kind in KINDS}
        if strict and lists["unsupported"]:
            paths = lists["unsupported"]
            raise ConfigError("unsupported", paths, "; ".join(f"{path}: {self._reasons[path]}" for path in paths))
        return lists


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


class Fields:
    """A mapping inside a configuration, which knows where it is and what has been made of each of its fields.

    Parameters
    ----------
    value : the mapping; its keys are strings.
    path : where it is, ``clusters[0].lb_policy`` for instance; "" for the root.
    account : the book to keep; a new one for a root.
    spell : gives a field the name it is asked for by; two fields that end up with one name are refused.

    Raises
    ------
    ConfigError : it is no mapping, a key is no string, or a field is given twice in two spellings.

    Examples
    --------
    >>> fields = Fields({"name": "api", "weight": 3, "tls": {}, "retries": [{"on": "5xx"}]})
    >>> fields.take("name", str), fields.take("weight", int, 1), fields.take("zone", str, "")
    ('api', 3, '')
    >>> fields.ignore("tls")
    >>> fields.close()
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: unsupported = ('retries[0].on',): retries[0].on: is not understood
    """

    def __init__(
        self,
        value: Any,
        path: str = "",
        account: Account | None = None,
        spell: Callable[[str], str] = str,
    ) -> None:
        if not isinstance(value, Mapping):
            raise ConfigError(path or "configuration", value, "must be a mapping")
        self.path = path
        self.account = Account() if account is None else account
        self._spell = spell
        self._values: dict[str, Any] = {}
        self._written: dict[str, str] = {}  # as the configuration spells it
        self._children: dict[str, list[Fields]] = {}
        self._done: set[str] = set()
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ConfigError(path or "configuration", key, "has a field whose name is no string")
            name = spell(key)
            if name in self._values:
                raise ConfigError(self._at(key), inner, f"is given twice, as {self._written[name]!r} too")
            self._values[name], self._written[name] = inner, key

    def _at(self, written: str) -> str:
        return f"{self.path}.{written}" if self.path else written

    def where(self, name: str) -> str:
        """The path of a field, spelt as the configuration does."""
        return self._at(self._written.get(name, name))

    def names(self) -> tuple[str, ...]:
        """The names of all fields, in their order."""
        return tuple(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @overload
    def take(self, name: str, kind: Kind[T]) -> T: ...
    @overload
    def take(self, name: str, kind: Kind[T], default: D) -> T | D: ...
    def take(self, name: str, kind: Any, default: Any = REQUIRED) -> Any:
        """The value of a field, which is honoured as a whole.

        Parameters
        ----------
        name : of the field.
        kind : the type it must have (an int is a float too, a bool is no int), or a function of path and value that
            returns what is meant and raises ConfigError.
        default : what an absent field, or one that is null, stands for; without one the field has to be there.

        Raises
        ------
        ConfigError : the value is of another type, or the field is missing.
        """
        value = self._values.get(name)
        if value is None:
            if default is REQUIRED:
                raise ConfigError(self.where(name), None, "is missing")
            if name in self._values:
                self._mark(name)
            return default
        taken = typed(self.where(name), value, kind)
        self._mark(name)
        return taken

    def take_list(self, name: str, kind: Kind[T]) -> list[T]:
        """The elements of a field that is a list, each of them checked; an absent field has none.

        Raises
        ------
        ConfigError : it is no list, or an element is of another type.
        """
        value = self._values.get(name)
        values = [] if value is None else typed(self.where(name), value, list)
        taken = [typed(f"{self.where(name)}[{i}]", inner, kind) for i, inner in enumerate(values)]
        if name in self._values:
            self._mark(name)
        return taken

    def section(self, name: str) -> Fields | None:
        """The fields of a field that is a mapping; None if it is absent or null. They account for themselves.

        Raises
        ------
        ConfigError : it is something else.
        """
        if self._values.get(name) is None:
            if name in self._values:
                self._mark(name)
            return None
        if name not in self._children:
            self._children[name] = [Fields(self._values[name], self.where(name), self.account, self._spell)]
        return self._children[name][0]

    def sections(self, name: str) -> list[Fields]:
        """The fields of each element of a list of mappings; an absent field has none.

        Raises
        ------
        ConfigError : it is no list, or an element is no mapping.
        """
        value = self._values.get(name)
        if value is None:
            if name in self._values:
                self._mark(name)
            return []
        if name not in self._children:
            self._children[name] = [
                Fields(inner, f"{self.where(name)}[{i}]", self.account, self._spell)
                for i, inner in enumerate(typed(self.where(name), value, list))
            ]
        return self._children[name]

    def ignore(self, *names: str) -> None:
        """These fields, where present, cannot change the decision, whatever is in them."""
        for name in names:
            if name in self._values:
                self._done.add(name)
                self.account.ignore(self.where(name))

    def refuse(self, name: str, why: str) -> None:
        """This field, if present, is not supported, and why."""
        if name in self._values:
            self._done.add(name)
            self.account.refuse(self.where(name), why)

    def _mark(self, name: str) -> None:
        self._done.add(name)
        self.account.honour(self.where(name))

    def settle(self) -> None:
        """Whatever was neither taken nor ignored, here and further in, is unsupported."""
        for name, value in self._values.items():
            if name in self._done:
                continue
            if name in self._children:
                for child in self._children[name]:
                    child.settle()
                if not any(child.names() for child in self._children[name]):  # nothing within that could be listed
                    self.account.honour(self.where(name))
            else:
                for path in leaves(self.where(name), value):
                    self.account.refuse(path)

    def close(self, *, strict: bool = True) -> dict[str, Any]:
        """`settle`, then the three lists of the account; see `Account.close`."""
        self.settle()
        return self.account.close(strict=strict)


def typed(path: str, value: Any, kind: Kind[T]) -> T:
    """`value` if it is of this kind, else ConfigError naming its path; see `Fields.take`.

    Examples
    --------
    >>> typed("clusters[0].weight", "3", int)
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: clusters[0].weight = '3': must be an int
    """
    if not isinstance(kind, type):
        return kind(path, value)
    wanted: Any = {float: (int, float), dict: Mapping, list: (list, tuple)}.get(kind, kind)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind not in (bool, object)):
        article = "an" if kind.__name__[0] in "aeiou" else "a"
        raise ConfigError(path, value, f"must be {article} {kind.__name__}")
    if kind is float:
        try:
            return cast("T", float(value))
        except OverflowError:
            raise ConfigError(path, value, "must be a float") from None
    return cast("T", value)


def leaves(path: str, value: Any) -> Iterator[str]:
    """The path of everything within a value that is no mapping and no list, or is an empty one."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(f"{path}.{name}", inner)
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list, tuple)) for inner in value):
        for i, inner in enumerate(value):
            yield from leaves(f"{path}[{i}]", inner)
    else:
        yield path
