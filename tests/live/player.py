"""The same requests, decided by `lbalgo`: a balancer with the policy under test, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lbalgo import Balancer, NoBackend, Outcome
from lbalgo.compat.states import FixedStates
from lbalgo.types import State

Key = bytes | str | None
START = 1_700_000_000.0  # seconds: as clocks of real programs, far from 0


class Player:
    """A pool whose decisions are indices of its backends, None where there is no backend.

    Parameters
    ----------
    states : index to state, where not HEALTHY.
    signals : of the system, besides.
    """

    def __init__(
        self, policy: Any, backends: Sequence[Any], states: dict[int, State] | None = None, signals: Iterable[Any] = ()
    ) -> None:
        self.now = START
        self.backends = list(backends)
        self.index = {backend.id: index for index, backend in enumerate(backends)}
        self._states = _Switch({backends[index].id: state for index, state in (states or {}).items()})
        self.balancer = Balancer(policy, backends, signals=[self._states, *signals], clock=lambda: self.now, seed=1)

    def open(self, key: Key = None, exclude: Sequence[str] = ()) -> tuple[int | None, Any]:
        """The backend of a request that stays in flight, and its lease."""
        try:
            lease = self.balancer.acquire(key, exclude=exclude)
        except NoBackend:
            return None, None
        return self.index[lease.backend.id], lease

    def pick(self, key: Key = None, outcome: Outcome = Outcome.SUCCESS) -> int | None:
        """The backend of a request that ends at once."""
        index, lease = self.open(key)
        if lease is not None:
            lease.done(outcome)
        return index

    def play(self, keys: Sequence[Key], steps: Sequence[int]) -> list[int | None]:
        """The backend of each request that a script of held ones opens."""
        found: list[int | None] = []
        waiting: list[Any] = []
        for step in steps:
            if step < 0:
                index, lease = self.open(keys[len(found)])
                found.append(index)
                waiting.append(lease)
            elif (lease := waiting.pop(step)) is not None:
                lease.done()
        return found

    def tries(self, key: Key, dead: set[int]) -> list[int]:
        """The backends that a request is tried on, until one of them is not dead."""
        tried: list[int] = []
        while True:
            index, lease = self.open(key, [self.backends[i].id for i in tried])
            if index is None:
                return tried
            tried.append(index)
            lease.done(Outcome.LOCAL_ERROR if index in dead else Outcome.SUCCESS)
            if index not in dead:
                return tried

    def set_state(self, index: int, state: State) -> None:
        """An administrator changes a backend's state."""
        self._states.set(self.backends[index].id, state)
        self.balancer.advance(self.now)

    def replace(self, index: int, backend: Any) -> None:
        """A backend gets other parameters."""
        self.backends[index] = backend
        self.balancer.update(self.backends)


class _Switch(FixedStates):
    """States that an administrator changes."""

    def set(self, id: str, state: State) -> None:
        self.given[id] = state
        for slot, name in enumerate(self._ids):
            if name == id and self._column[slot] != state:
                self._column[slot] = state
                self.version += 1

    def sync(self, ids: Sequence[str], now: float) -> None:
        self._ids = tuple(ids)
        super().sync(ids, now)
