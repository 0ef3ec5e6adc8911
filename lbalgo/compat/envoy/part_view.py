"""`PartView`: the view of a subset, which knows the weights of the localities that have no host in it.

Envoy keeps such localities: they have no traffic, but their weights count where those of the others are made shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lbalgo.compat.envoy.host import NOWHERE, Host
from lbalgo.compat.envoy.hosts import HostSet, LocalityHosts
from lbalgo.view import View


class PartView(View[Host]):
    """A view with weights of localities elsewhere.

    Attributes
    ----------
    absent : priority and weight of each locality without a host here.
    """

    __slots__ = ("absent",)
    absent: tuple[tuple[int, int], ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.absent = ()

    def __getstate__(self) -> tuple[Any, ...]:
        return super().__getstate__(), self.absent

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        super().__setstate__(state[0])
        self.absent = state[1]


def absent(view: View[Any]) -> tuple[tuple[int, int], ...]:
    """What a view says of localities elsewhere; nothing, if it is no part of another."""
    origin = getattr(view, "origin", view)
    return origin.absent if isinstance(origin, PartView) else ()


def with_absent(sets: Sequence[HostSet], view: View[Any]) -> Sequence[HostSet]:
    """The host sets with the localities that have no host in this view."""
    elsewhere = absent(view)
    if not elsewhere:
        return sets
    found = []
    for rank, s in enumerate(sets):
        empty = tuple(LocalityHosts(NOWHERE, weight, (), (), (), ()) for p, weight in elsewhere if p == rank)
        found.append(replace(s, localities=s.localities + empty))
    return found
