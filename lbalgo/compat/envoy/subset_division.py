"""How `Subset` divides the hosts, which selectors are asked, and whose fallback is heard.

A subset is known by its sorted pairs of key and value. True and 1 are different values, as in the metadata they are of
different types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from lbalgo.compat.envoy.host import Host

Pairs: TypeAlias = tuple[tuple[str, tuple[str, Any]], ...]

ANY: Pairs = (("*", ("any", None)),)
DEFAULT: Pairs = (("*", ("default", None)),)
FALLBACKS = "fallback_list"  # the key under which a route lists other metadata


def tagged(value: Any) -> tuple[str, Any]:
    """A value with its type, so that True is not 1.

    Examples
    --------
    >>> tagged(True) == tagged(1), tagged(1) == tagged(1.0)
    (False, True)
    """
    kind = "bool" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else type(value).__name__
    return kind, value


def _choices(value: Any, *, expand: bool) -> list[tuple[str, Any]]:
    """The values that a host's value stands for: each element of a list, where that is wanted."""
    return [tagged(v) for v in value] if expand and isinstance(value, tuple) else [tagged(value)]


def asked(policy: Any) -> tuple[Any, ...]:
    """The selectors in the order in which they are asked: with redundant keys allowed, those with most keys first."""
    if not policy.allow_redundant_keys:
        return tuple(policy.subset_selectors)
    return tuple(sorted(policy.subset_selectors, key=lambda selector: -len(selector.keys)))


def fallbacks(policy: Any) -> dict[tuple[str, ...], Any]:
    """By keys the selectors whose fallback counts: those whose keys, sorted, begin no selector's before them."""
    found, begun = {}, set[tuple[str, ...]]()
    for selector in asked(policy):
        if selector.keys not in begun:
            found[selector.keys] = selector
        begun |= {selector.keys[:length] for length in range(1, len(selector.keys) + 1)}
    return found


def subsets_of(policy: Any, hosts: Sequence[Host]) -> tuple[dict[Pairs, list[int]], set[Pairs]]:
    """The slots of every subset that has a host, in list order, and of those that fallbacks use; who are alone in one.

    A host is alone that came first, of the best priority, to a subset made by a selector that wants one host only.
    """
    found: dict[Pairs, dict[int, None]] = {}
    alone: set[Pairs] = set()
    for slot in sorted(range(len(hosts)), key=lambda slot: hosts[slot].priority):
        for selector in asked(policy):
            for pairs in _pairs(hosts[slot].labels, selector.keys, policy.list_as_any):
                if pairs not in found and selector.single_host_per_subset:
                    alone.add(pairs)
                if pairs not in found or pairs not in alone:
                    found.setdefault(pairs, {})[slot] = None
    default = [(key, tagged(value)) for key, value in policy.default_subset]
    whole = {DEFAULT: [slot for slot, host in enumerate(hosts) if _has(host.labels, default, policy.list_as_any)]}
    whole[ANY] = list(range(len(hosts)))
    whole |= {pairs: sorted(slots) for pairs, slots in found.items()}
    return {pairs: slots for pairs, slots in whole.items() if slots}, alone


def _pairs(label: Mapping[str, Any], keys: Sequence[str], expand: bool) -> list[Pairs]:
    """The combinations of values of a host under these keys; none if it lacks one.

    A list without elements takes away what came before it, and the keys behind it begin anew.
    """
    found: list[Pairs] = []
    if all(key in label for key in keys):
        for key in keys:
            found = [(*pairs, (key, value)) for pairs in found or [()] for value in _choices(label[key], expand=expand)]
    return found


def _has(label: Mapping[str, Any], wanted: Sequence[tuple[str, tuple[str, Any]]], expand: bool) -> bool:
    return all(key in label and value in _choices(label[key], expand=expand) for key, value in wanted)
