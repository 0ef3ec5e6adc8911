"""The laws of one picker, as plain functions; `check_picker` runs them. Nothing here needs Hypothesis.

Each function takes the picker, the ids that are eligible, and keys; its docstring is the law's sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError, NoBackend
from lbalgo.types import TicketDecided

KEYS: tuple[Any, ...] = (*(f"user-{k}" for k in range(40)), "", b"", b"\xff\x00", 0, 2**64 - 1, "\U0001f40d")


def check_picker(
    picker: Any, *, keys: Iterable[Any] = KEYS, keyed: bool = True, eligible: Iterable[str] | None = None
) -> None:
    """Checks the laws of one picker, on some keys.

    Parameters
    ----------
    picker : what a policy built, of ours or of yours.
    keys : keys to try.
    keyed : whether the key decides; if not, requests without a key are picked for, one for each key.
    eligible : ids that may be picked; if None, those of `picker.view`, else all backends of weight > 0.

    Raises
    ------
    AssertionError : a law does not hold; the message begins with its sentence.

    Cost: one walk and a few picks a key. A picker without a key is moved on by as many picks.

    Examples
    --------
    >>> from lbalgo import Maglev
    >>> check_picker(Maglev().build(["a", "b", "c"]))
    """
    tried: list[Any] = list(keys) if keyed else [None for _ in keys]
    able = frozenset(eligible_of(picker) if eligible is None else eligible)
    laws: list[Callable[[Any, frozenset[str], Sequence[Any]], None]] = [
        picks_are_eligible,
        walks_are_complete,
        walks_consume_nothing,
        refusals_name_their_reason,
        one_string_is_no_exclusion,
    ]
    if keyed:
        laws += [walks_start_with_the_pick, retries_follow_the_walk, key_forms_agree]
    if isinstance(picker, TicketDecided):
        laws += [bulk_equals_scalar, shares_are_a_law]
    for each in laws:
        try:
            each(picker, able, tried)
        except AssertionError as broken:
            sentence = " ".join((each.__doc__ or "").split())
            raise AssertionError(f"{sentence}\n  {broken}") from broken


def eligible_of(picker: Any) -> list[str]:
    """Ids eligible by the picker's view, or by weight where it shows none."""
    view = getattr(picker, "view", None)
    if view is None:
        return [b.id for b in picker.backends if b.weight > 0]
    return [i for i, able in zip(view.ids, view.eligible.tolist(), strict=True) if able]


def picks_are_eligible(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """What is picked is eligible and not excluded, and is one of `backends`."""
    if not eligible:
        return
    members = {b.id: b for b in picker.backends}
    for key in keys:
        first = picker.pick(key)
        assert first.id in eligible, f"pick({key!r}) gave {first.id!r}, which is not eligible"
        assert members.get(first.id) == first, f"pick({key!r}) gave {first!r}, which is not of the pool"
        for excluded in ({first.id}, eligible - {first.id}):
            if eligible - excluded:
                other = picker.pick(key, exclude=excluded)
                assert other.id in eligible - excluded, f"pick({key!r}, exclude={excluded!r}) gave {other.id!r}"


def walks_are_complete(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`walk` yields every eligible backend exactly once, and no other."""
    for key in keys[:8]:
        seen = [b.id for b in picker.walk(key)]
        assert len(set(seen)) == len(seen), f"walk({key!r}) repeats: {seen}"
        missing, foreign = eligible - set(seen), set(seen) - eligible
        assert not missing, f"walk({key!r}) leaves out {sorted(missing)}"
        assert not foreign, f"walk({key!r}) yields {sorted(foreign)}, not eligible"


def walks_consume_nothing(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`walk` consumes no ticket: until a pick it yields the same again."""
    for key in keys[:8]:
        first, again = ([b.id for b in picker.walk(key)] for _ in range(2))
        assert first == again, f"walk({key!r}) gave {first[:9]}, then {again[:9]}"


def walks_start_with_the_pick(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """A key's `walk` starts with its `pick`."""
    for key in keys:
        head, chosen = next(iter(picker.walk(key)), None), picker.pick(key) if eligible else None
        assert head == chosen, f"walk({key!r}) starts with {head!r}, pick is {chosen!r}"


def retries_follow_the_walk(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`pick(key, exclude=E)` is the first of `walk(key)` that is not in E."""
    for key in keys[:8]:
        order = [b.id for b in picker.walk(key)]
        for excluded in (set(), set(order[:1]), set(order[:2]), set(order[1:3]), set(order[:-1]), {"nobody"}):
            left = [i for i in order if i not in excluded]
            if left:
                chosen = picker.pick(key, exclude=excluded).id
                assert chosen == left[0], (
                    f"pick({key!r}, exclude={excluded!r}) is {chosen!r}, the walk says {left[0]!r}"
                )


def key_forms_agree(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """A str key is its UTF-8 form, an int its 8 bytes, little-endian; a key of another type is a TypeError."""
    for key in keys if eligible else ():
        raw = (
            key.to_bytes(8, "little") if isinstance(key, int) else key.encode() if isinstance(key, str) else bytes(key)
        )
        for form in (raw, bytearray(raw), memoryview(raw)):
            assert picker.pick(form) == picker.pick(key), f"{key!r} and {form!r} are picked differently"
    for wrong in (1.5, True, ["k"], ("k",)):
        try:
            picker.pick(wrong)
        except TypeError:
            continue
        except NoBackend:
            assert not eligible, f"pick({wrong!r}) says that there is no backend"
            continue
        raise AssertionError(f"pick({wrong!r}) was answered")


def refusals_name_their_reason(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """Where nobody can be picked NoBackend says why: "empty", "ineligible", else "excluded"."""
    reason = "excluded" if eligible else "ineligible" if len(picker.backends) else "empty"
    everybody = [b.id for b in picker.backends]
    for key in keys[:3]:
        calls: list[dict[str, Any]] = [{"exclude": everybody}] if eligible else [{}, {"exclude": ["nobody"]}]
        for call in calls:
            try:
                chosen = picker.pick(key, **call)
            except NoBackend as refused:
                assert refused.reason == reason, f"pick({key!r}) says {refused.reason!r}, not {reason!r}"
            else:
                raise AssertionError(f"pick({key!r}) gave {chosen!r} where nobody can be picked ({reason})")


def one_string_is_no_exclusion(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`exclude` refuses a bare string with ConfigError: "ab" would exclude "a" and "b"."""
    for wrong in ("a", b"a"):
        try:
            picker.pick(keys[0] if keys else None, exclude=wrong)
        except ConfigError as refused:
            assert refused.parameter == "exclude", f"ConfigError names {refused.parameter!r}"
        except NoBackend as refused:
            raise AssertionError(f"exclude={wrong!r} was taken: {refused}") from refused
        else:
            raise AssertionError(f"exclude={wrong!r} was taken")


def bulk_equals_scalar(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`pick_many(tickets(keys))` names the slots that `slot` and `pick` name one by one."""
    tickets = picker.tickets(list(keys))
    assert tickets.dtype == np.uint64 and tickets.shape == (len(keys),), f"tickets are {tickets!r}"
    if not eligible:
        return
    bulk = picker.pick_many(tickets)
    assert bulk.dtype == np.int32, f"pick_many gives {bulk.dtype}"
    single = [picker.slot(int(t)) for t in tickets]
    assert bulk.tolist() == single, f"in bulk {bulk.tolist()}, by slot {single}"
    picked = [picker.pick(key).id for key in keys]
    named = [picker.backends[slot].id for slot in single]
    assert named == picked, f"by ticket {named}, by pick {picked}"


def shares_are_a_law(picker: Any, eligible: frozenset[str], keys: Sequence[Any]) -> None:
    """`shares` are >= 0, sum to 1 where anybody is eligible, and are 0 for whoever is not."""
    shares = picker.shares()
    assert shares.dtype == np.float64 and shares.shape == (len(picker.backends),), f"shares are {shares!r}"
    assert (shares >= 0).all(), f"a share is negative: {shares.tolist()}"
    idle = [b.id for b, s in zip(picker.backends, shares.tolist(), strict=True) if s > 0 and b.id not in eligible]
    assert not idle, f"{idle} have a share but are not eligible"
    total = float(shares.sum())
    wanted = 1.0 if eligible else 0.0
    assert abs(total - wanted) < 1e-9, f"shares sum to {total}"
