"""How signals become one factor and one state a backend, so that their order cannot show.

Factors are multiplied, smallest first, and of states the worst counts: both are symmetric to the last bit. When a state
has moved, every signal is told, which may move further states (a slow start begins when an ejection ends); the
merge is repeated until nothing moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.types import F64, U8, State

ROUNDS = 16  # far above any chain of signals that answer each other; beyond it they answer in circles


def merged(signals: Sequence[Any], ids: Sequence[str]) -> tuple[F64, U8]:
    """The product of the signals' factors and the worst of their states, one of each a backend.

    Raises
    ------
    ConfigError : a signal gave a factor outside (0, 1].
    """
    factors = np.ones((len(signals), len(ids)))
    states = np.zeros((len(signals) + 1, len(ids)), dtype=np.uint8)
    for i, signal in enumerate(signals):
        signal.apply(factors[i], states[i])
        good = (factors[i] > 0.0) & (factors[i] <= 1.0)
        if not good.all():
            slot = int(np.argmin(good))
            raise ConfigError(f"signals[{i}].factors[{ids[slot]!r}]", float(factors[i, slot]), "must be in (0, 1]")
    factors.sort(axis=0)
    product = np.ones(len(ids))
    for row in factors:
        product *= row
    return product, states.max(axis=0)


def settle(signals: Sequence[Any], ids: Sequence[str], told: U8, now: float) -> tuple[F64, U8, list[Any]]:
    """Merges until no signal answers a moved state; returns factors, states and the versions they hold for.

    Parameters
    ----------
    signals : the machines, synced to `ids`.
    told : merged state each backend was last said to have; brought up to date.
    now : seconds.

    Raises
    ------
    ConfigError : a factor is out of range, or the signals move each other without end.
    """
    for _ in range(ROUNDS):
        versions = [signal.version for signal in signals]
        factors, states = merged(signals, ids)
        for slot in np.flatnonzero(states != told).tolist():
            old, new = State(int(told[slot])), State(int(states[slot]))
            told[slot] = new
            for signal in signals:
                signal.changed(slot, old, new, now)
        if versions == [signal.version for signal in signals]:
            return factors, states, versions
    raise ConfigError("signals", list(signals), "do not settle: each change of state makes another")
