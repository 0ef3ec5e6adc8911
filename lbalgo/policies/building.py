"""What building a picker has in common: reuse of a table that signals did not touch, and the cursor handed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import Cursor, Structure, TicketPicker
from lbalgo.hashing import key_hasher
from lbalgo.types import F64, Backend, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)
KEYED, COUNTER, RANDOM = range(3)


def cursor_of(previous: Picker[Any] | None) -> Cursor:
    """The previous picker's cursor, so that no rebuild restarts a sequence, or a new one."""
    cursor = getattr(previous, "cursor", None)
    return cursor if isinstance(cursor, Cursor) else Cursor()


def keyed_picker(
    policy: Any,
    view: View[B],
    previous: Picker[B] | None,
    structure: Callable[[], Structure],
    *,
    thin: bool = True,
) -> TicketPicker[B]:
    """A picker by key; `structure` is called only if policy, ids or weights differ from the previous picker's.

    `thin` says that acceptance coins stand for the signals, so that a signal never rebuilds the structure.
    """
    if (
        thin
        and isinstance(previous, TicketPicker)
        and previous.policy == policy
        and previous.view.ids == view.ids
        and np.array_equal(previous.view.weights, view.weights)
    ):
        built = previous.structure
    else:
        built = structure() if np.count_nonzero(view.weights) else Structure()
    hasher = key_hasher(policy.hasher, policy.seed)
    return TicketPicker(policy, view, built, hasher, KEYED, cursor_of(previous), thin)


def unkeyed_picker(
    policy: Any, view: View[B], previous: Picker[B] | None, structure: Callable[[], Structure], source: int
) -> TicketPicker[B]:
    """A picker by COUNTER or RANDOM tickets over the eligible backends, whose factors are part of their weights.

    `structure` is called only if policy, ids, weights, factors or eligibility differ from the previous picker's.
    """
    if (
        isinstance(previous, TicketPicker)
        and previous.policy == policy
        and previous.view.ids == view.ids
        and all(np.array_equal(getattr(previous.view, c), getattr(view, c)) for c in ("weights", "factors", "eligible"))
    ):
        built = previous.structure
    else:
        built = structure() if view.eligible.any() else Structure()
    return TicketPicker(policy, view, built, None, source, cursor_of(previous), False)


def first_accepting(accept: F64) -> F64:
    """P(i is the first to accept) when backends are asked in a uniformly random order and each accepts with accept[i].

    With place x of i uniform on [0, 1], each other backend was asked before with chance x: the integral over x in
    [0, 1] of a_i times the product of 1 - a_j x over j != i, a polynomial; Gauss-Legendre nodes integrate it exactly.

    Examples
    --------
    >>> first_accepting(np.array([1.0, 0.5])).tolist()
    [0.75, 0.25]
    """
    nodes, node_weights = np.polynomial.legendre.leggauss(len(accept) // 2 + 1)
    x = (nodes + 1) / 2
    factors = 1.0 - accept[None, :] * x[:, None]
    before = np.prod(factors, axis=1)[:, None] / factors
    return np.asarray(accept * (node_weights[:, None] / 2 * before).sum(axis=0), dtype=np.float64)
