"""Weighted by report: shares follow what backends say of themselves, spread evenly by static strides.

What reaches a backend here is not decided by who is least loaded now, but by weights that change once a period; within
it the sequence is fixed. So the clients of a pool do not herd, however many they are and however old the reports, and
each backend sees a steady stream. That suits requests which are many and small, and utilisation that is averaged over
seconds; against a burst, or one slow request, it does nothing.

How reports become weights is a rule (`OrcaWeights`, `PidWeights`, or an object with `start()` of one's own); how
weights become turns is `WeightedRoundRobin`'s static strides, whose counter goes on through every change of weights.

Costs: pick O(N max w / W) at worst, O(1) for equal weights; new weights O(N) a period; memory 300 bytes a backend.
Sources: gRPC A58, and its shipped static stride scheduler; Dropbox's Robinhood for controlled weights.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np

from lbalgo.active import TicketPicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.policies.loaded import rows_of
from lbalgo.policies.orca_weights import OrcaWeights
from lbalgo.policies.pid_weights import PidWeights
from lbalgo.policies.round_robin import WeightedRoundRobin
from lbalgo.rebuilding import rebuild
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

STRIDES = WeightedRoundRobin(max_period=1)  # no period: the sequence is a function of the weights alone
RULES = {rule.__name__: rule for rule in (OrcaWeights, PidWeights)}


@dataclass(frozen=True)
class WeightedByReport:
    """Turns in proportion to weights that a rule makes of reports.

    Parameters
    ----------
    rule : how reports become weights.

    Raises
    ------
    ConfigError : `rule` is no rule; by the live state, for a report that is no `Report`.

    Reports come in by ``balancer.report(id, Report(...))``. Configured weights are what is known before reports are,
    and 0 is 0; signals' factors multiply. A key is accepted and ignored. State and counter are handed on.

    Costs: build O(N), pick O(1) on average, at most 10 N steps, memory 300 bytes a backend, disruption does not apply.
    Source: gRPC A58.

    Examples
    --------
    >>> from lbalgo.report import Report
    >>> picker = WeightedByReport(OrcaWeights(blackout=0.0)).build(["a", "b"])
    >>> for row, qps in enumerate((30.0, 10.0)):
    ...     picker.load.reported(row, Report(0.5, qps=qps), 0.0)
    >>> picker.load.advance(1.0)
    >>> picker.weights().tolist(), "".join(picker.pick().id for _ in range(8))
    ([60.0, 20.0], 'aabaaaba')
    """

    rule: Any = OrcaWeights()

    def __post_init__(self) -> None:
        if isinstance(self.rule, type) or not all(callable(getattr(self.rule, n, None)) for n in ("start", "to_dict")):
            raise ConfigError("rule", self.rule, "must be a rule that makes weights, such as OrcaWeights()")

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> ReportedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> ReportedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> ReportedPicker[Any]:
        """A picker for this view; state, rows and counter are the previous one's, the state if its policy is equal."""
        view = view_of(view)
        rows, unused = rows_of(view, previous)
        goes_on = isinstance(previous, ReportedPicker) and previous.policy == self
        load = previous.load if isinstance(previous, ReportedPicker) and goes_on else self.rule.start()
        return ReportedPicker(self, view, load, rows, unused, previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the rule's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, rule: Any = None) -> WeightedByReport:
        """The policy `to_dict` described; `rule` supplies a rule of one's own."""
        if rule is not None and isinstance(data, Mapping):
            data = {**data, "rule": rule}
        return from_dict(cls, data, {"rule": _rule_from})


class ReportedPicker(Generic[B]):
    """A snapshot of members whose weights are the load's latest; made by `WeightedByReport`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    load : the rule's live state, which makes the weights.
    rows : row of each slot.
    unused : the first row that neither this picker nor one before it used.
    previous : the picker before, whose counter goes on, or None.
    """

    def __init__(
        self, policy: WeightedByReport, view: View[B], load: Any, rows: I64, unused: int, previous: Any
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.load = load
        self.rows = rows
        self.unused = unused
        self._seen = load.version
        self._turns = self._made(previous.turns if isinstance(previous, ReportedPicker) else previous)

    @property
    def turns(self) -> TicketPicker[B]:
        """The picker by static strides over the weights published last."""
        version = self.load.version
        if version != self._seen:
            self._turns, self._seen = self._made(self._turns), version
        return self._turns

    def _made(self, previous: Any) -> TicketPicker[B]:
        old = self.view
        weights = View(
            old.backends,
            self.weights(),
            old.factors,
            old.states,
            panic_below=old.panic_below,
            rows=self.rows,
            ids=old.ids,
        )
        return STRIDES.build(weights, previous=previous)

    def weights(self) -> F64:
        """The weights in force, by slot; those configured as long as less than two are known from reports."""
        return np.array(self.load.weights(self.rows.tolist(), self.view.weights.tolist()), dtype=np.float64)

    def shares(self) -> F64:
        """Each slot's share of the turns, by the weights in force."""
        return self.turns.shares()

    @property
    def cursor(self) -> Any:
        """The counter of turns."""
        return self._turns.cursor

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The backend whose turn it is; with `exclude` the first to have a turn that is not in it."""
        return self.turns.pick(None, exclude=exclude) if exclude != () else self.turns.pick()

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once, in the order of their next turns; consumes none."""
        return self.turns.walk()

    def reseed(self, seed: int) -> None:
        """Moves the counter: turns go on from here, an int in [0, 2**64)."""
        self._turns.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself."""
        assert ((self.weights() > 0.0) == (self.view.weights > 0.0)).all(), "whoever is configured has weight"
        self.turns.check_invariants()
        self.load.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)


def _rule_from(data: object) -> Any:
    """The rule that plain data describe, or `data` itself if it is one."""
    if isinstance(data, Mapping):
        name = data.get("type")
        if name not in RULES:
            raise ConfigError("rule", data, f"must be one of {', '.join(RULES)}, or an object (rule=...)")
        return RULES[name].from_dict(data)
    return data
