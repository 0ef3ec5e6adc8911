"""Where else a flow may be: the chances of a packet, and who of them takes it.

A backend that gets a packet of a flow it does not know hands it on to the next of the packet's chances. Two tables name
them: the rows of `SecondChance` have a primary and a secondary; `StableTable` remembers the previous owner of each
position, as the tables of Beamer and Unimog do, which covers joins and changed weights as well. Both are one change
deep: a flow is found unless its row or position has changed twice since it began.

Costs: O(1), for a `StableTable` O(N). Source: Olteanu et al., "Stateless Datacenter Load-balancing with Beamer", NSDI
2018; Cloudflare, "Unimog" (2020); GitHub's GLB (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.gates.second_chance import SecondChancePicker
from lbalgo.policies.stable_table import StableTable


def chances(picker: Any, key: Any) -> tuple[Any, ...]:
    """Whom a packet of this key can be handed to, first who takes new flows: of `SecondChance` and `StableTable`.

    Raises
    ------
    ConfigError : the picker is of another policy. NoBackend, TypeError : as its `pick`.

    Cost: O(1), for a `StableTable` O(N) to find the previous owner's slot.

    Examples
    --------
    >>> two = StableTable(101).build(["a", "b"])
    >>> three = StableTable(101).build(["a", "b", "c"], previous=two)
    >>> key = next(k for k in range(100) if three.pick(k).id == "c")
    >>> [backend.id for backend in chances(three, key)] == ["c", two.pick(key).id]
    True
    """
    if isinstance(picker, SecondChancePicker):
        return picker.chances(key)
    policy = getattr(picker, "policy", None)
    if not isinstance(policy, StableTable) or policy.layout is None:
        raise ConfigError("picker", picker, "must be of a SecondChance or a StableTable with backends")
    ticket = picker.hasher(key)
    first = picker.backends[picker.slot(ticket)]
    before = policy.layout.previous_of(ticket)
    return (first, *(backend for backend in picker.backends if backend.id == before and before != first.id))


def deliver(path: tuple[Any, ...], has_flow: Callable[[str], bool], *, opening: bool = False) -> Any:
    """Who of a packet's chances takes it: the first if it opens a flow; else the first that has the flow, or the first.

    Parameters
    ----------
    path : as `chances` gives it.
    has_flow : whether the backend of this id knows the packet's flow; each asks itself, in turn.
    opening : whether the packet opens a flow.

    Raises
    ------
    ConfigError : the path is empty.

    Examples
    --------
    >>> deliver(("new", "old"), {"old"}.__contains__), deliver(("new", "old"), {"old"}.__contains__, opening=True)
    ('old', 'new')
    """
    if not path:
        raise ConfigError("path", path, "must be one or more backends")
    if not opening:
        for backend in path:
            if has_flow(getattr(backend, "id", backend)):
                return backend
    return path[0]
