"""One row for each policy: how even it is, what it moves when a backend leaves or joins, what it costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import hash_many
from lbalgo.measure.balance import Balance, balance
from lbalgo.measure.disruption import WALKED, Disruption, disruption, successor
from lbalgo.policies.building import KEYED
from lbalgo.types import Backend, TicketDecided
from lbalgo.view import View

_SCALAR, _BULK = 10_000, 100_000  # picks a timed round makes: long against a clock's resolution, short for a person


@dataclass(frozen=True, eq=False)
class Row:
    """What was measured of one policy; None where it has no such figure, and `reason` says why.

    Attributes
    ----------
    name : the policy, as the caller calls it.
    structure : balance on the structure.
    sample : balance on the keys, with the chi-square test.
    leave, join : disruption when one backend leaves, and when one joins.
    build : seconds to build the picker, the least of the rounds.
    pick, bulk : seconds a pick from key to backend, one at a time and in bulk with hashing; the least of the rounds.
    reason : why figures are missing; empty if none are.
    """

    name: str
    structure: Balance | None = None
    sample: Balance | None = None
    leave: Disruption | None = None
    join: Disruption | None = None
    build: float | None = None
    pick: float | None = None
    bulk: float | None = None
    reason: str = ""


def compare(
    policies: Mapping[str, Any],
    view: View[Any],
    keys: Any,
    *,
    timer: Callable[[], float],
    leaves: str | None = None,
    joins: Backend | None = None,
    rounds: int = 5,
) -> Iterator[Row]:
    """Measures policies on one pool and one stream of keys, a row at a time.

    Parameters
    ----------
    policies : name to policy, measured in this order.
    view : the pool.
    keys : the stream, a sequence or array of keys as `hash_many` takes them, not empty.
    timer : a clock in seconds (`time.perf_counter`); nothing here reads one of its own.
    leaves : id of the backend that leaves; None for the last one listed.
    joins : the backend that joins, listed last; None for a new one of the mean weight.
    rounds : how often each thing is timed, >= 1.

    Raises
    ------
    ConfigError : there are no keys, or `joins` has the id of a member.
    UnknownBackend : `leaves` names no member.

    A policy that cannot serve the pool still has its row, with the reason; one that takes no key moves none, and one
    that decides by load has no shares without traffic. Movement is exact where `disruption` can be, else on the keys.

    Examples
    --------
    >>> import time
    >>> import lbalgo as lb
    >>> policies = {"maglev": lb.Maglev(), "jump": lb.Jump()}
    >>> for row in compare(policies, lb.View.of({"a": 1, "b": 2}), range(1000), timer=time.perf_counter):
    ...     print(row.name, row.structure is not None, row.reason[:18] or "-")
    maglev True -
    jump False weights['b'] = 2.0
    """
    if len(keys) == 0:
        raise ConfigError("keys", keys, "must not be empty")
    fewer = without(view, leaves if leaves is not None else view.ids[-1]) if len(view) else view
    more = with_member(view, joins if joins is not None else newcomer(view))
    head = keys[:_SCALAR].tolist() if isinstance(keys, np.ndarray) else list(keys[:_SCALAR])
    hash_many(head)  # what is no key is refused here, not as a reason in every row
    for name, policy in policies.items():
        yield _measure(name, policy, view, fewer, more, keys, head, timer, rounds)


def without(view: View[Any], id: str) -> View[Any]:
    """The view without one backend.

    Raises
    ------
    UnknownBackend : no backend has the id.
    """
    View.of(view, weights={id: 0.0})  # refuses an id that is not there
    return view.restrict([other != id for other in view.ids])


def with_member(view: View[Any], backend: Backend) -> View[Any]:
    """The view with one more backend, listed last, healthy and warm.

    Raises
    ------
    DuplicateBackend : a backend has its id already.
    """
    return View(
        (*view.backends, backend),
        np.append(view.weights, backend.weight),
        np.append(view.factors, 1.0),
        np.append(view.states, np.uint8(0)),
        panic_below=view.panic_below,
    )


def newcomer(view: View[Any]) -> Endpoint[Any]:
    """A backend the pool does not have, of the mean weight of those that have one."""
    id = "new"
    while id in view.ids:
        id += "'"
    weighted = view.weights[view.weights > 0]
    return Endpoint(id, float(weighted.mean()) if len(weighted) else 1.0)


def _measure(
    name: str,
    policy: Any,
    view: View[Any],
    fewer: View[Any],
    more: View[Any],
    keys: Any,
    head: list[Any],
    timer: Callable[[], float],
    rounds: int,
) -> Row:
    try:
        picker = policy.build(view)
        build = _least(lambda: policy.build(view), timer, rounds)
        pick = _least(lambda: deque(map(picker.pick, head), maxlen=0), timer, rounds) / len(head)
    except (ConfigError, LookupError) as error:
        return Row(name, reason=str(error))
    if not isinstance(picker, TicketDecided):
        if not getattr(picker, "takes_key", False):
            why = "decides by load or by turns of its own: without traffic it has no shares"
            return Row(name, build=build, pick=pick, reason=why)
        row = Row(name, build=build, pick=pick, reason="decides by more than the key: it has no exact shares")
        return _moved(row, policy, picker, fewer, more, keys[:WALKED])
    some = keys[:_BULK]
    bulk = _least(lambda: picker.pick_many(picker.tickets(some)), timer, rounds) / len(some)
    row = Row(name, balance(picker), balance(picker, keys), build=build, pick=pick, bulk=bulk)
    if getattr(picker, "source", KEYED) != KEYED:
        return replace(row, reason="takes no key, so no key moves")
    return _moved(row, policy, picker, fewer, more, keys)


def _moved(row: Row, policy: Any, picker: Any, fewer: View[Any], more: View[Any], keys: Any) -> Row:
    leave, not_leave = _change(policy, picker, fewer, keys)
    join, not_join = _change(policy, picker, more, keys)
    reasons = [f"{what}: {why}" for what, why in (("leave", not_leave), ("join", not_join)) if why]
    return replace(row, leave=leave, join=join, reason="; ".join([*([row.reason] if row.reason else []), *reasons]))


def _change(policy: Any, picker: Any, view: View[Any], keys: Any) -> tuple[Disruption | None, str]:
    try:
        after = successor(policy, picker, view)
        try:
            change = disruption(picker, after)
        except ConfigError:  # the built-in sample is not of its kind of keys
            return disruption(picker, after, keys), ""
        return change if change.exact else disruption(picker, after, keys), ""
    except (ConfigError, LookupError) as error:
        return None, str(error)


def _least(work: Callable[[], object], timer: Callable[[], float], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = timer()
        work()
        best = min(best, timer() - start)
    return best
