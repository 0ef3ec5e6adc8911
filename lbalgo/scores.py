"""Scorers for `ByScore`: frozen specifications that answer with a number from 0 to 1 for each candidate.

Each says what it is 1 for, and how it is scaled, since weights add what is comparable only if the scales are.

Sources: Gateway API inference extension (queue, KV cache and prefix scorers); SGLang's router (switch while loads are
uneven); KubeAI (prefix hashing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.estimators.prefix_index import PrefixIndex
from lbalgo.loads import InFlight
from lbalgo.loads.specs import check_load
from lbalgo.policies.by_score import Asked
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.spec import check_integer, check_real
from lbalgo.types import F64
from lbalgo.view import View

UNEVEN = 32.0  # SGLang's router: greatest less least
TIMES = 1.1  # SGLang's router: greatest over least


@dataclass(frozen=True)
class LeastLoad:
    """1 for the least loaded candidate, 0 for the most, in between in proportion; 1 for all while they are equal.

    Parameters
    ----------
    load : specification of the load; divided by weight x factor.

    The scale is that of the moment: between 0 and 1 in flight it is as steep as between 0 and 100.

    Raises
    ------
    ConfigError : `load` is no such specification.

    Costs: O(N). Source: Gateway API inference extension, queue scorer.
    """

    load: Any = InFlight()

    def __post_init__(self) -> None:
        check_load(self.load)

    def scores(self, asked: Asked) -> F64:
        """(max - load) / (max - min)."""
        view, slots = asked.view, asked.slots
        loads = asked.loads() / np.maximum(view.weights[slots] * view.factors[slots], 2.0**-1000)
        span = loads.max() - loads.min()
        if not np.isfinite(span):
            raise ConfigError("load", self.load, "must be finite")
        return (loads.max() - loads) / span if span > 0 else np.ones(len(loads))


@dataclass(frozen=True)
class Free:
    """1 minus the load, where that is a share of what there is: utilisation, use of a cache; 0 where it is above 1.

    Parameters
    ----------
    load : specification of the load.

    Raises
    ------
    ConfigError : `load` is no such specification.

    Costs: O(N). Source: Gateway API inference extension, KV cache scorer.
    """

    load: Any

    def __post_init__(self) -> None:
        check_load(self.load)

    def scores(self, asked: Asked) -> F64:
        """1 - load, at least 0."""
        return np.clip(1.0 - asked.loads(), 0.0, 1.0)


@dataclass(frozen=True)
class Affinity:
    """1 for the first backend of the key's walk, then less by 1 / depth for each next; 0 from there, and without a key.

    Parameters
    ----------
    policy : a keyed policy, whose walk it is.
    depth : backends that have any affinity, >= 1.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Costs: `depth` steps of the walk. Source: KubeAI's prefix hash: give it as the key.
    """

    policy: Any = Rendezvous()
    depth: int = 2

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Rendezvous()")
        check_integer("depth", self.depth, low=1)

    def prepare(self, view: View[Any]) -> Any:
        """The policy's picker, and the slot of each id."""
        return self.policy.build(view), {id: slot for slot, id in enumerate(view.ids)}

    def scores(self, asked: Asked) -> F64:
        """1, 1 - 1 / depth, and so on down the walk."""
        picker, slot_of = asked.ready
        whole = np.zeros(len(asked.view))
        if asked.key is not None:
            for place, backend in enumerate(islice(picker.walk(asked.key), self.depth)):
                whole[slot_of[backend.id]] = 1.0 - place / self.depth
        scores: F64 = whole[asked.slots]
        return scores


@dataclass(frozen=True)
class PrefixMatch:
    """The part of the request's prefix that a backend is thought to have in its cache.

    Parameters
    ----------
    index : what the backends are thought to have; the caller adds to it what it sends where.
    blocks : function from the request's context to its prefix in blocks, as `PrefixIndex` takes them.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Costs: O(N x matched blocks). Source: SGLang's router (longest prefix), here by blocks.
    """

    index: PrefixIndex
    blocks: Callable[[Any], Sequence[int]]

    def __post_init__(self) -> None:
        if not isinstance(self.index, PrefixIndex):
            raise ConfigError("index", self.index, "must be a PrefixIndex")
        if not callable(self.blocks):
            raise ConfigError("blocks", self.blocks, "must be a function of the context")

    def scores(self, asked: Asked) -> F64:
        """Leading blocks known over all blocks; 0 for all without a context or blocks."""
        blocks = () if asked.context is None else self.blocks(asked.context)
        if not len(blocks):
            return np.zeros(len(asked.slots))
        ids = (asked.view.ids[slot] for slot in asked.slots.tolist())
        return np.array([self.index.match(id, blocks) for id in ids], dtype=np.float64) / len(blocks)


@dataclass(frozen=True)
class WhileBalanced:
    """Another scorer's answer while loads are even; 0 for all while they are not, so that other scorers decide.

    Parameters
    ----------
    scorer : the other.
    load : specification of the load that is compared.
    uneven, times : loads are uneven when the greatest exceeds the least by more than `uneven`, >= 0, and is more than
        `times`, >= 1, as great.

    Raises
    ------
    ConfigError : a parameter is invalid.

    A scorer with a load of its own does not fit inside: it has one load already, this one.

    Costs: O(N) and the scorer's. Source: SGLang's router, cache-aware rule.
    """

    scorer: Any
    load: Any = InFlight()
    uneven: float = UNEVEN
    times: float = TIMES

    def __post_init__(self) -> None:
        if isinstance(self.scorer, type) or not callable(getattr(self.scorer, "scores", None)):
            raise ConfigError("scorer", self.scorer, "must be a scorer, such as Affinity()")
        if getattr(self.scorer, "load", None) is not None:
            raise ConfigError("scorer", self.scorer, "must not have a load of its own")
        check_load(self.load)
        check_real("uneven", self.uneven, low=0.0)
        check_real("times", self.times, low=1.0)

    def prepare(self, view: View[Any]) -> Any:
        """What the other scorer prepares."""
        return self.scorer.prepare(view) if hasattr(self.scorer, "prepare") else None

    def scores(self, asked: Asked) -> F64:
        """The other's, or 0."""
        loads = asked.loads()
        high, low = loads.max(), loads.min()
        if high - low > self.uneven and high > self.times * low:
            return np.zeros(len(loads))
        scores: F64 = self.scorer.scores(asked)
        return scores
