"""A policy over a part of the pool, which a subsetting rule chooses for this client.

The rule answers with the coverage of each backend, and the base policy is built from the same view with weights times
coverage: who is not covered has weight 0 and takes no traffic. Health does not move the subset: when all of it is
down, the pool panics or refuses, as a small pool of these would; choose the size for that.

The picker is the base policy's own, so it costs, and continues, as that does.

Costs: build as the base policy and the rule; pick and memory as the base policy. Disruption: as the base policy within
the subset, and what the rule changes of it.
Source: that of the rule; see `lbalgo.policies.subsetting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.policies import subsetting
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class Subset:
    """Any policy, over the backends that a rule gives this client.

    Parameters
    ----------
    policy : the base policy; with a rule that covers backends in part (`Aperture`), one that goes by weight.
    rule : one of `lbalgo.policies.subsetting`, or any object with `coverage(view)`: a number from 0 to 1 for each slot.

    Raises
    ------
    ConfigError : `policy` is no policy, or `rule` no rule; when built, the rule's answer is not such numbers.

    Costs: build the rule's and the base policy's; pick as the base policy.
    Source: as the rule.

    Examples
    --------
    >>> from lbalgo.policies.subsetting import RandomSubset
    >>> from lbalgo import PowerOfTwo
    >>> policy = Subset(PowerOfTwo(), RandomSubset(size=3, client=42))
    >>> sorted(backend.id for backend in policy.build([f"b{i}" for i in range(100)]).walk())
    ['b22', 'b42', 'b60']
    """

    policy: Any
    rule: Any

    def __post_init__(self) -> None:
        for name, method, example in (("policy", "build", "PowerOfTwo()"), ("rule", "coverage", "RandomSubset()")):
            value = getattr(self, name)
            if isinstance(value, type) or not callable(getattr(value, method, None)):
                raise ConfigError(name, value, f"must be a {name}, such as {example}")

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> Picker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> Picker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> Picker[Any]:
        """The base policy's picker for the covered part of this view."""
        picker: Picker[Any] = self.policy.build(self.covered(view), previous=previous)
        return picker

    def covered(self, view: Pool[Any]) -> View[Any]:
        """The view with weights times the coverage.

        Raises
        ------
        ConfigError : the rule's answer is not one number from 0 to 1 for each backend.
        """
        view = view_of(view)
        cover = self.rule.coverage(view)
        if getattr(cover, "shape", None) != (len(view),) or not ((cover >= 0) & (cover <= 1)).all():
            raise ConfigError("rule", self.rule, f"must cover each of {len(view)} backends by a number from 0 to 1")
        columns = view.weights * cover, view.factors, view.states
        return View(view.backends, *columns, panic_below=view.panic_below, rows=view.rows, ids=view.ids)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's and the rule's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None, rule: Any = None) -> Subset:
        """The policy `to_dict` described; `policy` and `rule` supply those that are not of this library."""
        if isinstance(data, Mapping):
            own = {"policy": policy, "rule": rule}
            data = {**data, **{name: value for name, value in own.items() if value is not None}}
        return from_dict(cls, data, {"policy": _policy_from, "rule": _rule_from})


def _rule_from(data: object) -> Any:
    """The rule that plain data describe, or `data` itself if it is one."""
    if not isinstance(data, Mapping):
        return data
    made: Any = getattr(subsetting, str(data.get("type")), None)
    if not hasattr(made, "coverage"):
        raise ConfigError("rule", data, "must be a rule of this library, or be passed as an object (rule=...)")
    return made.from_dict(data)
