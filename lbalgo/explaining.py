"""Why a key goes where it goes: the chain from its bytes to the backend, step by step.

Whatever decides by ticket goes the same way, and every stage of it can be looked at: the bytes that are hashed, the
hash, the place it falls on, who owns that place, in what state everybody is, the walk from there, the pick.

What is particular to a policy or a picker it tells itself, in pairs of a step's name and a sentence:

* A policy with `explain_key(data)` tells what of a key is hashed, and the hash by its name and in its own width. If its
  hashes have fewer bits than a native ring, `hash_bits` says how many: they are the ring's upper ones. `position_name`
  is what it calls the places of its table.
* A picker that goes another way has `explain(key)`: everything from the key to the states.

Cost: O(size of the structure) at most; nothing is picked, no turn is spent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from lbalgo.active import JumpBuckets, MaglevTable, Period, RendezvousRace, Ring, Stride, TicketPicker
from lbalgo.errors import NoBackend
from lbalgo.policies.building import COUNTER, KEYED
from lbalgo.reference.hashing import key_bytes
from lbalgo.types import Key, State

WALK = 8  # backends of a walk that are told
WORD = (1 << 64) - 1
Steps = list[tuple[str, str]]


@dataclass(frozen=True)
class Explanation:
    """The chain of reasons for one decision.

    Attributes
    ----------
    key : the key asked about; None for the next request without one.
    steps : pairs of a short name and a sentence, in the order in which they follow from each other.
    backend : id of the backend picked; None if there is none, and the last step says why.
    """

    key: Key | None
    steps: tuple[tuple[str, str], ...]
    backend: str | None

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.steps)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.steps)


def explain(picker: Any, key: Key | None = None) -> Explanation:
    """The chain of reasons for a key under a picker.

    Parameters
    ----------
    picker : any picker; those of this library tell every stage, another its walk only.
    key : as for `pick`.

    Raises
    ------
    TypeError, ConfigError : as `pick`, for a key that is none.

    Cost: O(N) for the walk and the states, O(log n) to find a place.

    Examples
    --------
    >>> import lbalgo as lb
    >>> print(explain(lb.Maglev(table_size=7).build(["a", "b", "c"]), "user-17"))
    policy    Maglev(table_size=7, hasher=XXH64(), seed=0)
    key       7 bytes: 'user-17'
    hash      0xfc1c6a71863ce5e7 by XXH64()
    position  0 = hash mod 7, owned by 'b'
    states    3 eligible of 3
    walk      b, c, a
    pick      b
    """
    steps: Steps = [("policy", repr(getattr(picker, "policy", picker))), *reasons(picker, key)]
    steps += _states(picker)
    walked = [b.id for b in islice(picker.walk(key), WALK + 1)]
    if walked:
        steps.append(("walk", listing(walked)))
        steps.append(("pick", walked[0]))
        return Explanation(key, tuple(steps), walked[0])
    steps.append(("pick", f"nobody: {_why(picker)}"))
    return Explanation(key, tuple(steps), None)


def reasons(picker: Any, key: Any = None) -> Steps:
    """The steps between a policy and the states; for the `explain` of pickers with others inside."""
    steps = [] if key is None or getattr(picker, "contextual", False) else _key(picker, key_bytes(key))
    if hasattr(picker, "explain"):
        return [*steps, *picker.explain(key)]
    return steps + ticket_steps(picker, key) if isinstance(picker, TicketPicker) else steps


def _why(picker: Any) -> str:
    return str(NoBackend("ineligible" if len(picker.backends) else "empty"))


def _key(picker: Any, data: bytes) -> Steps:
    own = getattr(getattr(picker, "policy", None), "explain_key", None)
    steps = [("key", counted(data))]
    return steps + own(data) if own is not None else steps


def counted(data: bytes) -> str:
    """How many bytes, and which: as text if they are printable, else in hexadecimal.

    Examples
    --------
    >>> counted(b"user-17"), counted(bytes([10, 0, 0]))
    ("7 bytes: 'user-17'", '3 bytes: 0a 00 00')
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return f"{len(data)} byte{'s' * (len(data) != 1)}: {repr(text) if text.isprintable() else data.hex(' ')}"


def hash_step(value: int, by: str, bits: int = 32) -> tuple[str, str]:
    """The step that tells a hash, in hexadecimal digits for all its bits, and what made it.

    Examples
    --------
    >>> hash_step(0xCBF43926, "CRC-32")
    ('hash', '0xcbf43926 by CRC-32')
    """
    return "hash", f"0x{value:0{bits // 4}x} by {by}"


def listing(items: Iterable[str], between: str = ", ") -> str:
    """The first of these, and an ellipsis for more.

    Examples
    --------
    >>> listing("abc"), listing(map(str, range(9)))
    ('a, b, c', '0, 1, 2, 3, 4, 5, 6, 7, …')
    """
    told = list(islice(items, WALK + 1))
    return between.join(told[:WALK] + ["…"] * (len(told) > WALK))


def ticket_steps(picker: Any, key: Key | None) -> Steps:
    """From the ticket to whom it passes, of a picker that decides by ticket; for the `explain` of those around one."""
    policy, steps = picker.policy, Steps()
    if picker.source == KEYED and key is None:
        return [("hash", "no key: the next of the picker's random tickets")]
    ticket = picker.hasher(key) if picker.source == KEYED else int(picker.tickets(range(1))[0])
    if picker.source == COUNTER:
        steps.append(("turn", f"{ticket}"))
    elif picker.source != KEYED:
        steps.append(("ticket", f"0x{ticket:016x}, the next of the picker's random words"))
    elif not hasattr(policy, "explain_key"):
        hasher = getattr(policy, "hasher", None)
        by = "" if hasher is None else f" by {hasher!r}" if not callable(hasher) else " by the given function"
        seed = getattr(policy, "seed", 0)
        steps.append(("hash", f"0x{ticket:016x}{by}{f', seed {seed}' if seed else ''}"))
    names = picker.view.ids.__getitem__
    steps += place_steps(picker.structure, ticket, names, policy)
    return steps + _coins(picker, ticket)


def place_steps(structure: Any, ticket: int, name: Callable[[int], str], policy: Any = None) -> Steps:
    """Where a ticket falls in a native structure.

    Parameters
    ----------
    structure : of the native ones; another has no steps.
    ticket : in [0, 2**64).
    name : of an owner.
    policy : says by `hash_bits` and `position_name` what the places are to its users.
    """
    if isinstance(structure, MaglevTable):
        owner, at = name(structure.slot(ticket)), ticket % structure.size
        what = getattr(policy, "position_name", "position")
        return [(what, f"{at} = hash mod {structure.size}, owned by {owner!r}")]
    if isinstance(structure, Ring):
        return _point(structure, ticket, name, getattr(policy, "hash_bits", 64))
    if isinstance(structure, JumpBuckets):
        return [("bucket", f"{structure.slot(ticket)} of {structure.slots}, by jumps of the ticket and its rehashes")]
    if isinstance(structure, RendezvousRace):
        winner = name(structure.slot(ticket))
        return [("race", f"{structure.size} backends, each with a score of its own for this key: {winner!r} is first")]
    if isinstance(structure, Period):
        return [("place", f"{ticket % structure.size} in a period of {structure.size} turns")]
    if isinstance(structure, Stride):
        return [("place", f"turn {ticket}, taken in strides by weight")]
    return []


def _point(ring: Any, ticket: int, name: Callable[[int], str], bits: int) -> Steps:
    points, owners = np.asarray(ring.points(), dtype=np.uint64).tolist(), np.asarray(ring.owners()).tolist()
    i = bisect_left(points, ticket) % len(points)

    def told(what: str, k: int, far: int) -> tuple[str, str]:
        point = f"0x{points[k] >> (64 - bits):0{bits // 4}x}"
        return what, f"{point} of {name(owners[k])!r}, {far / 2**64:.3g} of the circle away"

    steps = [told("point", i, (points[i] - ticket) & WORD)]
    if ring.nearest:
        steps.append(told("behind", i - 1, (ticket - points[i - 1]) & WORD))
    return [*steps, ("lookup", f"{'nearest' if ring.nearest else 'successor'} of {len(points)} points")]


def _coins(picker: Any, ticket: int) -> Steps:
    """Where signals have thinned the pool: whom of the walk's first this ticket passes."""
    if picker.plain or not picker.view.eligible.any():
        return []
    chance, winner = picker.acceptance(), picker.slot(ticket)
    passed = []
    for slot in islice(picker.structure.walk(ticket), WALK):
        if slot == winner:
            break
        why = f"takes {chance[slot]:.3g} of its tickets, not this" if chance[slot] else "is not eligible"
        passed.append(f"{picker.backends[slot].id} {why}")
    return [("passed", "; ".join(passed) or "nobody")]


def _states(picker: Any) -> Steps:
    """The states that signals give; who is eligible then, unless the picker has rules of its own for that."""
    view = getattr(picker, "view", None)
    if view is None:
        return []
    told = list(_odd(view))
    text = f"{int(view.eligible.sum())} eligible of {len(view)}{', in panic' if view.panic else ''}"
    if hasattr(picker, "explain"):
        text = f"{sum(state == State.HEALTHY for state in view.states.tolist())} healthy of {len(view)}"
    return [("states", "; ".join([text, *told[:WALK]]) + ("; …" if len(told) > WALK else ""))]


def _odd(view: Any) -> Iterator[str]:
    for id, weight, factor, state in zip(
        view.ids, view.weights.tolist(), view.factors.tolist(), view.states.tolist(), strict=True
    ):
        if state != State.HEALTHY:
            yield f"{id} {State(state).name}"
        elif weight == 0:
            yield f"{id} has weight 0"
        elif factor != 1.0:
            yield f"{id} at {factor:.3g} of its weight"
