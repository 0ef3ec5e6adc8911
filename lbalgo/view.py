"""`View`: the read-only input of every policy, one column per fact, one row per backend.

Signals are merged before a view is made: `factors` is the product of their factors, `states` the worst of their
states. From these and the weights the view derives who is *eligible* and whether the pool is in *panic* (so few healthy
backends that unhealthy ones are used again). A policy reads a view and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast, overload

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, DuplicateBackend, UnknownBackend
from lbalgo.spec import check_id, check_integer, check_real, check_weight
from lbalgo.types import F64, I64, U8, Backend, Bool, Ids, Pool, State

B = TypeVar("B", bound=Backend)
M = TypeVar("M", bound=Backend)  # of a class method, which no `View[...]` has bound yet


class View(Generic[B]):
    """What a policy builds from: backends and, for each, weight, factor, state and eligibility.

    Made by `View.of`, or by a `Balancer`. All arrays have one element per backend, in listing order, and are read-only.

    Attributes
    ----------
    backends, ids : the members and their ids, in slot order.
    weights : configured weights, >= 0.
    factors : product of the signals' factors, each in (0, 1].
    states : `State` values.
    eligible : weight > 0 and HEALTHY; in panic also DEGRADED and UNHEALTHY. DRAINING and weight 0 never are.
    panic : fewer than `panic_below` of the candidates (weight > 0, not DRAINING) are HEALTHY.
    rows : stable row of each backend (a `Balancer` assigns them), or None: rows then follow the previous picker.

    Examples
    --------
    >>> view = View.of({"a": 3, "b": 1}, states={"b": State.UNHEALTHY})
    >>> view.ids, view.eligible.tolist(), view.panic
    (('a', 'b'), [True, False], False)
    """

    __slots__ = (
        "backends",
        "eligible",
        "factors",
        "ids",
        "panic",
        "panic_below",
        "rows",
        "states",
        "weights",
    )

    backends: tuple[B, ...]
    ids: tuple[str, ...]
    weights: F64
    factors: F64
    states: U8
    eligible: Bool
    panic: bool
    panic_below: float
    rows: I64 | None

    def __init__(
        self,
        backends: Iterable[B],
        weights: F64,
        factors: F64,
        states: U8,
        *,
        panic_below: float = 0.5,
        rows: I64 | None = None,
        ids: tuple[str, ...] | None = None,
    ) -> None:
        self.backends = tuple(backends)
        n = len(self.backends)
        self.ids = tuple(b.id for b in self.backends) if ids is None else ids
        _unique(self.ids)
        self.weights = _column("weights", weights, n, np.dtype(np.float64))
        self.factors = _column("factors", factors, n, np.dtype(np.float64))
        self.states = _column("states", states, n, np.dtype(np.uint8))
        self.rows = None if rows is None else _column("rows", rows, n, np.dtype(np.int64))
        for i in np.flatnonzero(~((self.weights >= 0) & np.isfinite(self.weights))).tolist():
            check_weight(f"weights[{self.ids[i]!r}]", self.weights[i])
        bad = ~((self.factors > 0) & (self.factors <= 1))
        if bad.any():
            i = int(bad.argmax())
            raise ConfigError(f"factors[{self.ids[i]!r}]", float(self.factors[i]), "must be in (0, 1]")
        if n and self.states.max() > State.DRAINING:
            i = int(self.states.argmax())
            raise ConfigError(f"states[{self.ids[i]!r}]", int(self.states[i]), "is no State")
        self.panic_below = check_real("panic_below", panic_below, low=0.0, high=1.0)
        candidates = (self.weights > 0) & (self.states < State.DRAINING)
        healthy = candidates & (self.states == State.HEALTHY)
        self.panic = bool(np.count_nonzero(healthy) < self.panic_below * np.count_nonzero(candidates))
        self.eligible = candidates if self.panic else healthy
        self.eligible.flags.writeable = False

    @overload
    @classmethod
    def of(
        cls,
        backends: Ids,
        *,
        weights: Mapping[str, float] | None = None,
        factors: Mapping[str, float] | None = None,
        states: Mapping[str, State] | None = None,
        panic_below: float = 0.5,
    ) -> View[Endpoint[Any]]: ...
    @overload
    @classmethod
    def of(
        cls,
        backends: Pool[M],
        *,
        weights: Mapping[str, float] | None = None,
        factors: Mapping[str, float] | None = None,
        states: Mapping[str, State] | None = None,
        panic_below: float = 0.5,
    ) -> View[M]: ...
    @classmethod
    def of(
        cls,
        backends: Pool[Any],
        *,
        weights: Mapping[str, float] | None = None,
        factors: Mapping[str, float] | None = None,
        states: Mapping[str, State] | None = None,
        panic_below: float = 0.5,
    ) -> View[Any]:
        """A view without a balancer: backends and, by id, what differs from the default.

        Parameters
        ----------
        backends : ids, own backend objects, an id-to-weight mapping, or a view (whose columns are then kept).
        weights : id to weight, finite and >= 0; the backends' own weights otherwise.
        factors : id to factor in (0, 1]; 1 otherwise.
        states : id to `State`; HEALTHY otherwise.
        panic_below : share of healthy candidates under which the pool panics, 0 (never) to 1.

        Raises
        ------
        ConfigError : a weight, factor, state, id or threshold is invalid; DuplicateBackend for a repeated id.
        UnknownBackend : a mapping names an id that is not in the pool.

        Cost: O(N).
        """
        if isinstance(backends, View):
            members: tuple[Any, ...] = backends.backends
            own, f, s = backends.weights.copy(), backends.factors.copy(), backends.states.copy()
            rows = backends.rows
        else:
            members = tuple(members_of(backends))
            n = len(members)
            own = np.fromiter((check_weight(f"weights[{b.id!r}]", b.weight) for b in members), np.float64, n)
            f, s, rows = np.ones(n), np.zeros(n, np.uint8), None
        ids = tuple(b.id for b in members)
        index = {id: slot for slot, id in enumerate(ids)}
        for id, w in _entries("weights", weights):
            own[_slot(index, id)] = check_weight(f"weights[{id!r}]", w)
        for id, x in _entries("factors", factors):
            f[_slot(index, id)] = check_real(f"factors[{id!r}]", x, low=0.0, high=1.0, open_low=True)
        for id, state in _entries("states", states):
            s[_slot(index, id)] = check_integer(f"states[{id!r}]", state, low=0, high=3)
        return cls(members, own, f, s, panic_below=panic_below, rows=rows, ids=ids)

    def restrict(self, mask: Bool | Sequence[bool]) -> View[B]:
        """The view of some of the backends, the others being absent; panic is judged anew.

        Parameters
        ----------
        mask : one boolean per backend, True to keep.

        Raises
        ------
        ConfigError : the mask is not one boolean per backend.
        """
        keep = np.asarray(mask)
        if keep.dtype != np.bool_ or keep.shape != (len(self.ids),):
            raise ConfigError("mask", mask, f"must be {len(self.ids)} booleans")
        picked = np.flatnonzero(keep)
        return View(
            tuple(self.backends[i] for i in picked),
            self.weights[picked],
            self.factors[picked],
            self.states[picked],
            panic_below=self.panic_below,
            rows=None if self.rows is None else self.rows[picked],
            ids=tuple(self.ids[i] for i in picked),
        )

    def __len__(self) -> int:
        return len(self.backends)

    def __repr__(self) -> str:
        parts = [repr(list(self.backends))]
        for name, values, default in (
            ("weights", self.weights, [b.weight for b in self.backends]),
            ("factors", self.factors, [1.0] * len(self)),
            ("states", self.states, [0] * len(self)),
        ):
            odd = {i: v for i, v, d in zip(self.ids, values.tolist(), default, strict=True) if v != d}
            if odd:
                parts.append(f"{name}={odd!r}")
        if self.panic_below != 0.5:
            parts.append(f"panic_below={self.panic_below!r}")
        return f"View.of({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return (
            self.backends == other.backends
            and self.panic_below == other.panic_below
            and all(np.array_equal(getattr(self, c), getattr(other, c)) for c in ("weights", "factors", "states"))
        )

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> tuple[Any, ...]:
        return self.backends, self.weights, self.factors, self.states, self.panic_below, self.rows

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        backends, weights, factors, states, panic_below, rows = state
        View.__init__(self, backends, weights, factors, states, panic_below=panic_below, rows=rows)


def view_of(backends: Pool[B]) -> View[B]:
    """`backends` if it is a view already, else `View.of(backends)`: what every `Policy.build` does first."""
    return backends if isinstance(backends, View) else cast("View[B]", View.of(backends))


def members_of(backends: Iterable[Any] | Mapping[str, float]) -> list[Any]:
    """The backends a beginner means: ids become `Endpoint`s, a mapping gives weights, own objects stay.

    Raises
    ------
    ConfigError : a bare string, an element that is neither a string nor has `id` and `weight`; DuplicateBackend.
    """
    if isinstance(backends, (str, bytes)):
        raise ConfigError("backends", backends, "must be a collection of backends, not one string")
    if isinstance(backends, Mapping):
        members: list[Any] = [Endpoint(check_id(i), check_weight(f"weights[{i!r}]", w)) for i, w in backends.items()]
    else:
        try:
            items = list(backends)
        except TypeError:
            raise ConfigError("backends", backends, "must be an iterable, a mapping or a View") from None
        members = [Endpoint(b) if isinstance(b, str) else b for b in items]
        for b in members:
            if type(b) is Endpoint:  # has checked itself
                continue
            if not (hasattr(b, "id") and hasattr(b, "weight")):  # isinstance with a protocol is ten times slower
                raise ConfigError("backends", b, "must have an id and a weight")
            check_id(b.id)
            check_weight(f"weights[{b.id!r}]", b.weight)
    _unique([b.id for b in members])
    return members


def _unique(ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        for i in ids:
            if i in seen:
                raise DuplicateBackend(i)
            seen.add(i)


def _slot(index: Mapping[str, int], id: str) -> int:
    try:
        return index[id]
    except (KeyError, TypeError):
        raise UnknownBackend(id) from None


def _entries(name: str, mapping: Mapping[str, Any] | None) -> Iterable[tuple[str, Any]]:
    if mapping is None:
        return ()
    if not isinstance(mapping, Mapping):
        raise ConfigError(name, mapping, "must be a mapping from id to value")
    return mapping.items()


def _column(name: str, values: Any, n: int, dtype: np.dtype[Any]) -> Any:
    column = np.array(values, dtype=dtype)
    if column.shape != (n,):
        raise ConfigError(name, values, f"must have one element for each of {n} backends")
    column.flags.writeable = False
    return column
