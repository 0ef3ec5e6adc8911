"""Hypothesis strategies for what the library takes: ids, weights, views, keys, outcomes, and how pools change.

Large pools are not drawn backend by backend: a short drawn pattern is repeated, so that an example stays cheap and
shrinks to something a person can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from lbalgo.endpoint import Endpoint
from lbalgo.types import Outcome, State
from lbalgo.view import View

LARGE = (33, 150, 1000)
# Ids that naive code confuses: case, composed and decomposed accents, a NUL, a prefix, digits, another plane.
ALIKE = ("a", "A", "aa", "a\0", "b", "é", "e\u0301", "0", "1", "10", "𝟙", " ")


@cache
def ids() -> st.SearchStrategy[str]:
    """Any id: a string of any Unicode that has a UTF-8 form, not empty; often one that is easily confused."""
    return st.one_of(st.sampled_from(ALIKE), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))


@cache
def weights(low: float = 2.0**-10, high: float = 2.0**10, *, zero: bool = True) -> st.SearchStrategy[float]:
    """Weights in [low, high], often a small whole number; 0 (no new traffic) besides if `zero`."""
    whole = [float(w) for w in (1, 2, 3, 7) if low <= w <= high]
    chosen: list[st.SearchStrategy[float]] = [st.floats(low, high)]
    if whole:
        chosen.insert(0, st.sampled_from(whole))
    if zero:
        chosen.append(st.just(0.0))
    return st.one_of(chosen)


@cache
def whole_weights(high: int = 100, *, zero: bool = True) -> st.SearchStrategy[float]:
    """Weights that are whole numbers up to `high`, from 0 or 1."""
    return st.integers(0 if zero else 1, high).map(float)


@cache
def factors() -> st.SearchStrategy[float]:
    """Factors of a signal, in (0, 1]; often 1, sometimes tiny."""
    return st.one_of(st.just(1.0), st.sampled_from([0.5, 0.1, 1e-9]), st.floats(0.0, 1.0, exclude_min=True))


@cache
def states() -> st.SearchStrategy[State]:
    """States, more often HEALTHY than not."""
    return st.sampled_from([State.HEALTHY, State.HEALTHY, State.HEALTHY, *State])


@st.composite
def pools(
    draw: st.DrawFn,
    weight: st.SearchStrategy[float] | None = None,
    *,
    min_size: int = 0,
    max_size: int = 1000,
) -> list[Endpoint[None]]:
    """Lists of endpoints with different ids: mostly few, one in ten of tens to a thousand.

    Parameters
    ----------
    weight : strategy of the weights; `weights()` if None.
    min_size, max_size : number of endpoints.
    """
    large = [n for n in LARGE if min_size <= n <= max_size]
    if large and draw(st.integers(0, 9)) == 9:
        n = draw(st.sampled_from(large))
    else:
        n = draw(st.integers(min_size, max(min_size, min(8, max_size))))
    names = draw(st.lists(ids(), unique=True, min_size=min(n, 8), max_size=min(n, 8)))
    taken = set(names)
    names += [i for i in (f"10.0.{k // 256}.{k % 256}:80" for k in range(n + 8)) if i not in taken][: n - len(names)]
    pattern = draw(st.lists(weights() if weight is None else weight, min_size=1, max_size=5))
    return [Endpoint(name, pattern[k % len(pattern)]) for k, name in enumerate(names)]


@st.composite
def views(
    draw: st.DrawFn,
    weight: st.SearchStrategy[float] | None = None,
    *,
    factor: st.SearchStrategy[float] | None = None,
    state: st.SearchStrategy[State] | None = None,
    panic_below: st.SearchStrategy[float] | None = None,
    min_size: int = 0,
    max_size: int = 1000,
) -> View[Any]:
    """Views of `pools` with factors and states; pass `st.just(1.0)` or `st.just(State.HEALTHY)` for none."""
    pool = draw(pools(weight, min_size=min_size, max_size=max_size))
    factor = factors() if factor is None else factor
    state = states() if state is None else state
    worth = draw(st.lists(factor, min_size=1, max_size=5))
    health = draw(st.lists(state, min_size=1, max_size=5))
    threshold = draw(st.sampled_from([0.5, 0.0, 1.0, 0.3]) if panic_below is None else panic_below)
    return with_signals(pool, worth, health, panic_below=threshold)


def with_signals(
    pool: Sequence[Any], worth: Sequence[float], health: Sequence[State], *, panic_below: float = 0.5
) -> View[Any]:
    """The view of a pool with factors and states repeated in order."""
    return View.of(
        pool,
        factors={b.id: worth[k % len(worth)] for k, b in enumerate(pool)},
        states={b.id: health[k % len(health)] for k, b in enumerate(pool)},
        panic_below=panic_below,
    )


def memberships(*, max_steps: int = 6) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Sequences of pools drawn from few, easily confused ids, so that ids leave, return and change places."""
    some = st.lists(st.sampled_from(ALIKE[:8]), unique=True, max_size=6).map(tuple)
    return st.lists(some, min_size=1, max_size=max_steps)


@cache
def keys() -> st.SearchStrategy[Any]:
    """Any key: str, bytes-like or int, empty, huge or far from ASCII."""
    text = st.text(st.characters(codec="utf-8"), max_size=40)
    return st.one_of(
        text,
        st.binary(max_size=80),
        st.integers(0, 2**64 - 1),
        st.sampled_from(["", b"", 0, 2**64 - 1, "\U0010ffff", bytearray(b"key"), memoryview(b"key"), "é" * 5000]),
    )


@cache
def outcomes() -> st.SearchStrategy[Outcome]:
    """Outcomes, failures as often as successes."""
    return st.sampled_from([Outcome.SUCCESS, Outcome.SERVER_ERROR, *Outcome])


@cache
def latencies() -> st.SearchStrategy[float | None]:
    """Latencies in seconds, or None where nobody measured."""
    return st.one_of(st.none(), st.floats(0.0, 100.0))


@cache
def durations(longest: float = 100.0) -> st.SearchStrategy[float]:
    """Seconds between two events, none to `longest`, in whole 1/1024 s: sums of them are exact on any clock."""
    ticks = int(longest * 1024)
    usual = [t for t in (0, 256, 1024, 10240) if t <= ticks]
    return st.one_of(st.sampled_from(usual), st.integers(0, ticks)).map(lambda t: t / 1024)
