"""The best score: candidates, scores that may depend on the request, and a way to choose by them.

What routers of requests to language models, and schedulers before them, have in common: *filter* (here: who is
eligible), *score* each candidate by several measures, *weigh* and add, *choose*. A scorer answers with one finite
number for each candidate, the more the better, best from 0 to 1 so that weights mean what they say; it may look at the
key, at a `context` of the request that only the scorers understand, and at a live load of its own.

`acquire(key, context=...)` of the balancer hands the context through. All scorers' loads hear every start and end, so a
request counts at once, not when the next report comes.

Choosing is separate: see `lbalgo.policies.choosing`.

Costs: a pick asks each scorer once, O(N) each, and orders, O(N log N): tens of microseconds at N = 100; memory the
loads'. Disruption does not apply.
Source: the scorers and pickers of the Kubernetes scheduler and of the Gateway API inference extension (llm-d).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

import numpy as np

from lbalgo.active import Cursor, mix64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.excluding import check_exclude
from lbalgo.policies.choosing import Best
from lbalgo.policies.loaded import rows_of
from lbalgo.policies.scorer_loads import ScorerLoads
from lbalgo.spec import check_integer, check_real
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
GAMMA, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1


@dataclass(frozen=True)
class Asked:
    """What a scorer is asked about.

    Attributes
    ----------
    view : the whole pool.
    slots : of the candidates, which are eligible and not excluded.
    rows : of the candidates, in the loads.
    key, context : of the request, or None.
    load : the scorer's own live load, or None.
    ready : what the scorer's `prepare` made of the view, or None.
    """

    view: View[Any]
    slots: I64
    rows: I64
    key: Any
    context: Any
    load: Any
    ready: Any

    def loads(self) -> F64:
        """The load of each candidate."""
        return np.array([self.load.at(row) for row in self.rows.tolist()], dtype=np.float64)


class Scorer(Protocol):
    """Scores candidates; may have `load`, a specification whose state is kept for it, and `prepare(view)`."""

    def scores(self, asked: Asked) -> F64:
        """One finite number for each of `asked.slots`, the more the better."""
        ...


@dataclass(frozen=True)
class ByScore:
    """The backend with the best weighted sum of scores.

    Parameters
    ----------
    scorers : scorers, or pairs of a scorer and its weight (finite, any sign); at least one.
    choose : `Best`, `BestOf`, `Softmax`, or any object with `order(scores, draws)`.

    Raises
    ------
    ConfigError : a parameter is invalid; by a pick, if a scorer answers with anything but finite numbers.

    It is no plain data: scorers are objects, and may look at what is alive.

    Costs: build O(N), pick O(N log N), and O(N) a scorer.
    Source: Kubernetes scheduler; Gateway API inference extension.

    Examples
    --------
    >>> from lbalgo.scores import Free, LeastLoad
    >>> from lbalgo.loads import Reported
    >>> policy = ByScore([(LeastLoad(), 2.0), (Free(Reported(blackout=0.0)), 1.0)])
    >>> picker = policy.build(["a", "b", "c"])
    >>> for row in (0, 0, 1):
    ...     picker.load.started(row, 1.0, 0.0)
    >>> picker.pick().id
    'c'
    """

    scorers: Any
    choose: Any = Best()

    def __post_init__(self) -> None:
        given = self.scorers
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence) or not given:
            raise ConfigError("scorers", given, "must be scorers, or pairs of a scorer and its weight")
        pairs = []
        for at, entry in enumerate(given):
            scorer, weight = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 1.0)
            if isinstance(scorer, type) or not callable(getattr(scorer, "scores", None)):
                raise ConfigError(f"scorers[{at}]", entry, "must be a scorer, such as LeastLoad()")
            pairs.append((scorer, check_real(f"scorers[{at}]", weight)))
        object.__setattr__(self, "scorers", tuple(pairs))
        if isinstance(self.choose, type) or not callable(getattr(self.choose, "order", None)):
            raise ConfigError("choose", self.choose, "must be a way to choose, such as Best()")

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> ScorePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> ScorePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> ScorePicker[Any]:
        """A picker for this view; live loads, rows and the cursor are the previous one's."""
        view = view_of(view)
        rows, unused = rows_of(view, previous)
        load, cursor = None, Cursor()
        if isinstance(previous, ScorePicker):
            cursor = previous.cursor
            if [pair[0] for pair in previous.policy.scorers] == [pair[0] for pair in self.scorers]:
                load = previous.load
        if load is None:
            specs = [getattr(scorer, "load", None) for scorer, _ in self.scorers]
            load = ScorerLoads([None if spec is None else spec.start() for spec in specs])
        return ScorePicker(self, view, load, rows, unused, cursor)


class ScorePicker(Generic[B]):
    """A snapshot that scores candidates at each pick; made by `ByScore`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    load : the scorers' live loads, read at each pick.
    rows : row of each slot.
    unused : the first row that neither this picker nor one before it used.
    cursor : state of the generator of draws.
    """

    takes_context = True

    def __init__(
        self, policy: ByScore, view: View[B], load: ScorerLoads, rows: I64, unused: int, cursor: Cursor
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.load = load
        self.rows = rows
        self.unused = unused
        self.cursor = cursor
        self._able = np.flatnonzero(view.eligible)
        self._ready = [s.prepare(view) if hasattr(s, "prepare") else None for s, _ in policy.scorers]

    def scores(self, key: Any = None, *, context: Any = None, exclude: Container[str] = ()) -> dict[str, float]:
        """The weighted score of each candidate, by id.

        Raises
        ------
        ConfigError : a scorer answers with anything but one finite number for each.
        """
        slots = self._candidates(exclude)
        total = self._scored(slots, key, context)
        return dict(zip((self.view.ids[slot] for slot in slots), total.tolist(), strict=True))

    def pick(self, key: Any = None, *, exclude: Container[str] = (), context: Any = None) -> B:
        """The candidate chosen by score.

        Parameters
        ----------
        key, context : for the scorers.
        exclude : ids that cannot be chosen.

        Raises
        ------
        NoBackend : there is no candidate.
        ConfigError : a scorer answers with anything but one finite number for each; nothing is consumed then.
        """
        for backend in self._ordered(self._candidates(check_exclude(exclude)), key, context):
            self.cursor.state = (self.cursor.state + GAMMA) & WORD
            return backend
        raise NoBackend("excluded" if len(self._able) else "ineligible" if self.backends else "empty")

    def walk(self, key: Any = None, *, context: Any = None) -> Iterator[B]:
        """Every eligible backend once, as the next pick orders them."""
        return self._ordered(self._candidates(()), key, context)

    def _candidates(self, exclude: Container[str]) -> I64:
        if exclude == ():
            return self._able
        return np.array([slot for slot in self._able.tolist() if self.view.ids[slot] not in exclude], dtype=np.int64)

    def _ordered(self, slots: I64, key: Any, context: Any) -> Iterator[B]:
        if not len(slots):
            return iter(())
        order = self.policy.choose.order(self._scored(slots, key, context), self._draws(slots))
        return (self.backends[slots[at]] for at in order)

    def _scored(self, slots: I64, key: Any, context: Any) -> F64:
        total = np.zeros(len(slots))
        rows = self.rows[slots]
        for (scorer, weight), load, ready in zip(self.policy.scorers, self.load.parts, self._ready, strict=True):
            answer = np.asarray(scorer.scores(Asked(self.view, slots, rows, key, context, load, ready)))
            if answer.shape != total.shape or answer.dtype.kind not in "fiu" or not np.isfinite(answer).all():
                raise ConfigError("scorer", scorer, f"must score each of {len(slots)} candidates by a finite number")
            total += weight * answer
        return total

    def _draws(self, slots: I64) -> F64:
        """A uniform number in [0, 1) for each, of the next ticket and the slot, whoever else is a candidate."""
        ticket = mix64((self.cursor.state + GAMMA) & WORD)
        return np.array([(mix64(ticket ^ slot) >> 11) * 2.0**-53 for slot in slots.tolist()], dtype=np.float64)

    def reseed(self, seed: int) -> None:
        """Moves the cursor: draws go on from here, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=WORD)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself."""
        assert len(set(self.rows.tolist())) == len(self.backends), "one row for each backend"
        order = [backend.id for backend in self.walk()]
        assert len(set(order)) == len(order) == len(self._able), "everybody eligible is ordered once"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _rebuilt, (self.policy, self.view, self.cursor.state)


def _rebuilt(policy: ByScore, view: View[Any], state: int) -> ScorePicker[Any]:
    """The picker of the view with its cursor where it stood; live loads begin anew."""
    picker = policy.build(view)
    picker.cursor.state = state
    return picker
