"""What an admission gate promises, and several of them in a row.

`admit` only decides, and changes nothing, so that of several gates none has paid for what another refuses. The caller
then says what became of it: `started` if all admitted it, `refused` if one did not, and `finished` when a started
request has ended. Whoever shares a gate between threads holds a lock over `admit` and what follows it.

Snapshots hold what was learned, not what is in flight: that is gone with the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.request import ADMIT, FIRST, Decision, Request
from lbalgo.types import Outcome


@runtime_checkable
class Gate(Protocol):
    """A machine that admits requests or refuses them; `now` in seconds, any monotone origin."""

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Decide, and change nothing."""
        ...

    def started(self, now: float, request: Request = FIRST) -> None:
        """An admitted request was sent."""
        ...

    def refused(self, now: float, request: Request = FIRST) -> None:
        """A request was refused, by this gate or another."""
        ...

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A started request has ended, after `latency` seconds."""
        ...

    def snapshot(self, now: float) -> dict[str, Any]:
        """What was learned, as plain data; instants as ages."""
        ...

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if it had been taken at `now`."""
        ...


class Gates:
    """Several gates in a row: a request goes if all admit it; the first refusal is the answer.

    Parameters
    ----------
    gates : the gates, in the order in which they are asked.

    Raises
    ------
    ConfigError : one of them is no gate.

    Costs: those of its gates.

    Examples
    --------
    >>> from lbalgo.gates import Limits, RetryBudget
    >>> both = Gates([RetryBudget(min_per_second=0), Limits(pool=1)])
    >>> both.started(0.0)
    >>> both.admit(0.0).reason, both.admit(0.0, Request(attempt=1)).reason
    (<Reason.POOL_LIMIT: 'pool limit'>, <Reason.RETRY_BUDGET: 'retry budget'>)
    """

    def __init__(self, gates: Iterable[Gate]) -> None:
        if isinstance(gates, (str, bytes)) or not isinstance(gates, Iterable):
            raise ConfigError("gates", gates, "must be a collection of gates")
        self.gates = tuple(gates)
        for at, gate in enumerate(self.gates):
            if isinstance(gate, type) or not isinstance(gate, Gate):
                raise ConfigError(f"gates[{at}]", gate, "must be a gate")

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """The first refusal, or the admission by all."""
        for gate in self.gates:
            decision = gate.admit(now, request)
            if not decision.admitted:
                return decision
        return ADMIT

    def started(self, now: float, request: Request = FIRST) -> None:
        """Tell all."""
        for gate in self.gates:
            gate.started(now, request)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """Tell all."""
        for gate in self.gates:
            gate.refused(now, request)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """Tell all."""
        for gate in self.gates:
            gate.finished(now, request, outcome, latency)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Their snapshots, in order."""
        return {"type": "Gates", "gates": [gate.snapshot(now) for gate in self.gates]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Let all go on; if one refuses its state, none has changed.

        Raises
        ------
        ConfigError : the state is none of such gates.
        """
        states = check_state("Gates", state, "gates")["gates"]
        if not isinstance(states, (list, tuple)) or len(states) != len(self.gates):
            raise ConfigError("state['gates']", states, f"must be the states of {len(self.gates)} gates")
        before = [gate.snapshot(now) for gate in self.gates]
        try:
            for gate, one in zip(self.gates, states, strict=True):
                gate.restore(one, now)
        except BaseException:
            for gate, one in zip(self.gates, before, strict=True):
                gate.restore(one, now)
            raise

    def __repr__(self) -> str:
        return f"Gates({list(self.gates)!r})"
