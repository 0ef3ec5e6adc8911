"""Envoy's subsets: the route wants metadata, the choice is among the hosts that have it.

A *selector* is a set of metadata keys. For every selector there is a subset for each combination of values that some
host has under all of its keys; each subset is balanced by a policy of its own, with its own priorities and panic. What
the route wants (`SelectionContext.metadata_match`) names a subset only if its keys are exactly a selector's.

If it names none, in order: the fallback of the selector with these keys (nobody, anybody, the default subset, or the
same question with fewer keys); the fallback of the whole, if the selector says nothing; `panic_mode_any`, if that one
has no host to offer. A subset whose hosts are all unhealthy is there: it panics, and nothing falls back.

What surprises: a selector whose sorted keys begin those of one asked before it has subsets but no fallback; with
`allow_redundant_keys` those with most keys are asked first; a subset of one host by `single_host_per_subset` serves
whatever its health, though the policy inside would give it nothing.

Costs: build a policy's for each subset, together O(hosts x selectors) hosts; pick O(keys) and the policy's; every
request is told to every subset's load, O(subsets).
Source: Envoy 1.40 documentation, "Load Balancer Subsets"; `subset.v3.Subset`; compared with the running program but for
`fallback_list`, which is described only.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.compat.envoy.host import frozen_metadata
from lbalgo.compat.envoy.subset_context import check_policy, policy_from
from lbalgo.compat.envoy.subset_picker import SubsetPicker, subset_picker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_enum, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)


class SubsetFallback(enum.Enum):
    """Who serves a request whose subset does not exist.

    Examples
    --------
    >>> SubsetFallback.ANY_ENDPOINT.name
    'ANY_ENDPOINT'
    """

    NOT_DEFINED = "not_defined"  # of selectors only: what the whole says
    NO_FALLBACK = "no_fallback"
    ANY_ENDPOINT = "any_endpoint"
    DEFAULT_SUBSET = "default_subset"
    KEYS_SUBSET = "keys_subset"  # of selectors only


class MetadataFallback(enum.Enum):
    """Whether the route may list other metadata to try in turn, under the key `fallback_list`.

    Examples
    --------
    >>> MetadataFallback.FALLBACK_LIST.name
    'FALLBACK_LIST'
    """

    METADATA_NO_FALLBACK = "metadata_no_fallback"
    FALLBACK_LIST = "fallback_list"


@dataclass(frozen=True)
class SubsetSelector:
    """A set of metadata keys by which hosts are divided.

    Parameters
    ----------
    keys : names, at least one.
    fallback_policy : for requests with these keys whose values nobody has.
    fallback_keys_subset : with KEYS_SUBSET, the keys to ask again with: some of `keys`, not all.
    single_host_per_subset : whether only the first host of the best priority is in each subset.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Examples
    --------
    >>> SubsetSelector(("stage", "version", "stage")).keys
    ('stage', 'version')
    """

    keys: tuple[str, ...]
    fallback_policy: SubsetFallback = SubsetFallback.NOT_DEFINED
    fallback_keys_subset: tuple[str, ...] = ()
    single_host_per_subset: bool = False

    def __post_init__(self) -> None:
        for name in ("keys", "fallback_keys_subset"):
            names = getattr(self, name)
            if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(k, str) for k in names):
                raise ConfigError(name, names, "must be a tuple of strings")
            object.__setattr__(self, name, tuple(sorted(set(names))))
        if not self.keys:
            raise ConfigError("keys", self.keys, "must not be empty")
        check_enum("fallback_policy", self.fallback_policy, SubsetFallback)
        fewer = set(self.fallback_keys_subset)
        if self.fallback_policy is SubsetFallback.KEYS_SUBSET:
            if not fewer or not fewer < set(self.keys):
                raise ConfigError("fallback_keys_subset", self.fallback_keys_subset, "must be some of keys, not all")
        elif fewer:
            raise ConfigError("fallback_keys_subset", self.fallback_keys_subset, "goes with KEYS_SUBSET only")
        check_bool("single_host_per_subset", self.single_host_per_subset)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> SubsetSelector:
        """The selector `to_dict` described."""
        return from_dict(cls, data, {"fallback_policy": enum_from_name(SubsetFallback)})


@dataclass(frozen=True)
class Subset:
    """A combinator: a policy within the hosts that have the metadata the route wants.

    Parameters
    ----------
    policy : balances each subset; any policy of `lbalgo.compat.envoy`.
    subset_selectors : the selectors; their order decides whose fallback is heard.
    fallback_policy : NO_FALLBACK, ANY_ENDPOINT or DEFAULT_SUBSET.
    default_subset : the metadata of the default subset, a mapping or pairs.
    locality_weight_aware : whether localities keep their weights within subsets; else they have none there.
    scale_locality_weight : whether these weights shrink with the part of a locality's hosts that is in the subset.
    panic_mode_any : whether anybody serves where the fallback finds nobody.
    list_as_any : whether a list as a value means each of its elements.
    metadata_fallback_policy : whether the route's `fallback_list` is followed.
    allow_redundant_keys : whether keys beyond those of a selector contained in the route's are left out: of the one
        with most keys, of several the first.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Factors of signals reach the policy inside. Without `context` a request wants nothing: the fallback serves it.

    Costs: see the module. Source: Envoy 1.40, `subset.v3.Subset`; compared live.

    Examples
    --------
    >>> from lbalgo.compat.envoy.host import Host
    >>> from lbalgo.compat.envoy.round_robin import RoundRobin
    >>> from lbalgo.compat.envoy.subset_context import SelectionContext
    >>> stages = {"a:1": "prod", "b:1": "test", "c:1": "prod"}
    >>> hosts = [Host(id, metadata={"stage": stage}) for id, stage in stages.items()]
    >>> picker = Subset(RoundRobin(), (SubsetSelector(("stage",)),)).build(hosts)
    >>> [picker.pick(context=SelectionContext({"stage": "prod"})).id for _ in range(3)]
    ['a:1', 'c:1', 'a:1']
    """

    policy: Any
    subset_selectors: tuple[SubsetSelector, ...] = ()
    fallback_policy: SubsetFallback = SubsetFallback.NO_FALLBACK
    default_subset: Any = ()
    locality_weight_aware: bool = False
    scale_locality_weight: bool = False
    panic_mode_any: bool = False
    list_as_any: bool = False
    metadata_fallback_policy: MetadataFallback = MetadataFallback.METADATA_NO_FALLBACK
    allow_redundant_keys: bool = False

    def __post_init__(self) -> None:
        check_policy(self.policy)
        if isinstance(self.subset_selectors, list):
            object.__setattr__(self, "subset_selectors", tuple(self.subset_selectors))
        if not isinstance(self.subset_selectors, tuple):
            raise ConfigError("subset_selectors", self.subset_selectors, "must be a tuple")
        for i, selector in enumerate(self.subset_selectors):
            if not isinstance(selector, SubsetSelector):
                raise ConfigError(f"subset_selectors[{i}]", selector, "must be a SubsetSelector")
        check_enum("fallback_policy", self.fallback_policy, SubsetFallback)
        if self.fallback_policy in (SubsetFallback.NOT_DEFINED, SubsetFallback.KEYS_SUBSET):
            raise ConfigError("fallback_policy", self.fallback_policy, "must be one of the whole, not of selectors")
        try:
            object.__setattr__(self, "default_subset", frozen_metadata(self.default_subset))
        except ConfigError as error:
            raise ConfigError("default_subset", error.value, error.why) from None
        switches = ("locality_weight_aware", "scale_locality_weight", "panic_mode_any", "list_as_any")
        for name in (*switches, "allow_redundant_keys"):
            check_bool(name, getattr(self, name))
        check_enum("metadata_fallback_policy", self.metadata_fallback_policy, MetadataFallback)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> SubsetPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> SubsetPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> SubsetPicker[Any]:
        """A picker for this view; every subset that was there before goes on where it stood."""
        return subset_picker(self, view_of(view), previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Subset:
        """The policy `to_dict` described."""

        def selectors(given: Any) -> Any:
            return tuple(SubsetSelector.from_dict(d) if isinstance(d, Mapping) else d for d in given)

        nested = {
            "policy": policy_from,
            "subset_selectors": selectors,
            "fallback_policy": enum_from_name(SubsetFallback),
            "metadata_fallback_policy": enum_from_name(MetadataFallback),
        }
        return from_dict(cls, data, nested)
