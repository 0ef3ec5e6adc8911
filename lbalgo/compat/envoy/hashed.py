"""From a view to a hash picker: what RING_HASH and MAGLEV have in common.

Host sets and priority loads are worked out first. If one priority has all traffic and load is not bounded, the decision
is a function of the key alone over one structure, and the picker is the native one; else a composite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import Structure, TicketPicker
from lbalgo.compat.envoy.bounded_load import BoundedPicker, ClusterLoad
from lbalgo.compat.envoy.composite import PriorityPicker, request_hasher
from lbalgo.compat.envoy.host import WEIGHTS, Host, hosts_of
from lbalgo.compat.envoy.hosts import PriorityLoad, host_sets, priority_load
from lbalgo.compat.envoy.normalized import Normalized, normalized
from lbalgo.compat.envoy.part_view import absent, with_absent
from lbalgo.compat.structures import dialect_picker, shown_view
from lbalgo.policies.building import cursor_of
from lbalgo.policies.loaded import rows_of
from lbalgo.types import Backend, Bool, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)


def hash_picker(
    policy: Any, view: View[B], previous: Picker[B] | None
) -> TicketPicker[B] | PriorityPicker[B] | BoundedPicker[B]:
    """The picker of a hash policy; the policy makes a table by `_structure`, and says by `_plan` who has part in it."""
    hosts, levels, priorities = _levels(policy, view)
    loads = zip(priorities.healthy, priorities.degraded, strict=True)
    loaded = [p for p, (healthy, degraded) in enumerate(loads) if healthy + degraded > 0]
    factor = policy.hash_balance_factor
    plans = [policy._plan(n) for n in levels]
    owning = [slots for slots, _ in plans]
    if len(loaded) == 1 and factor is None:
        n, (slots, plan) = levels[loaded[0]], plans[loaded[0]]
        return dialect_picker(
            policy,
            view,
            previous,
            _mask(len(view), slots),
            lambda: policy._structure(view, hosts, n, plan),
            request_hasher(policy),
            anew=isinstance(previous, TicketPicker) and absent(previous.view) != absent(view),
        )
    members = owning if factor is None else [n.slots if len(own) else () for n, own in zip(levels, owning, strict=True)]
    usable = _mask(len(view), [slot for p in loaded for slot in members[p]])
    shown = shown_view(view, usable)
    before = previous.base if isinstance(previous, BoundedPicker) else previous
    tables: list[Structure] = []
    for p, n in enumerate(levels):
        if (
            isinstance(before, PriorityPicker)
            and before.policy == policy
            and before.backends == view.backends
            and before.levels[p : p + 1] == (n,)
            and (before.tables[p].slots > 0 or len(owning[p]) == 0)
        ):
            tables.append(before.tables[p])
        else:
            tables.append(
                policy._structure(view, hosts, n, plans[p][1]) if len(owning[p]) and p in loaded else Structure()
            )
    picker = PriorityPicker(policy, shown, levels, tables, priorities, cursor_of(previous))
    if factor is None:
        return picker
    rows, unused = rows_of(view, previous)
    load = previous.load if isinstance(previous, BoundedPicker) else ClusterLoad()
    return BoundedPicker(picker, factor, load, rows, unused)


def hash_tables(policy: Any, view: View[Any]) -> tuple[Structure, ...]:
    """The structure of every priority, with traffic or without."""
    hosts, levels, _ = _levels(policy, view)
    plans = [policy._plan(n) for n in levels]
    return tuple(
        policy._structure(view, hosts, n, plan) if len(slots) else Structure()
        for n, (slots, plan) in zip(levels, plans, strict=True)
    )


def _levels(policy: Any, view: View[Any]) -> tuple[Sequence[Host], list[Normalized], PriorityLoad]:
    alone = _alone(policy, view)
    if alone is not None:
        return alone
    hosts = hosts_of(view)
    sets = with_absent(host_sets(hosts, view.states.tolist(), policy.local_locality), view)
    priorities = priority_load(
        sets,
        hosts,
        overprovisioning_factor=policy.overprovisioning_factor,
        healthy_panic_threshold=policy.healthy_panic_threshold,
        weighted_priority_health=policy.weighted_priority_health,
    )
    levels = [
        normalized(s, hosts, panic=panic, by_locality=policy.locality_weighted_lb_config)
        for s, panic in zip(sets, priorities.panic, strict=True)
    ]
    return hosts, levels, priorities


def _alone(policy: Any, view: View[Any]) -> tuple[Sequence[Host], list[Normalized], PriorityLoad] | None:
    """`_levels` the short way: all are `Host`s, healthy and in one priority, which has all traffic and cannot panic."""
    hosts, weights = view.backends, view.weights
    if (
        set(map(type, hosts)) != {Host}
        or policy.locality_weighted_lb_config
        or view.states.any()
        or not ((weights >= 1) & (weights == np.floor(weights))).all()
    ):
        return None
    plain = not any([h.priority or h.hash_key or h.metadata for h in hosts])  # noqa: C419 - a list is faster
    if not plain and any([h.priority for h in hosts]):  # noqa: C419
        return None
    total = float(weights.sum())  # of whole numbers below 2**53: exact
    if total > WEIGHTS:
        return None
    health = min(100, policy.overprovisioning_factor)
    alone = PriorityLoad((100,), (0,), (False,), (health,), (0,))
    ids = view.ids if plain and not policy.use_hostname_for_hashing else None
    return hosts, [Normalized(np.arange(len(hosts), dtype=np.int32), weights * 1.0 / total, ids)], alone


def _mask(size: int, slots: Any) -> Bool:
    if len(slots) == size:
        return np.ones(size, dtype=np.bool_)
    mask = np.zeros(size, dtype=np.bool_)
    mask[np.asarray(slots, dtype=np.int64)] = True
    return mask
