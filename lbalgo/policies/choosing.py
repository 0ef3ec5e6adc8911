"""How `ByScore` chooses by scores.

`Best` takes the highest and draws among equals; `BestOf(d)` the best of d that are drawn, so that many routers with one
view do not run to the same backend; `Softmax(temperature)` draws in proportion to exp(score / temperature). Each orders
all candidates, so that a retry takes the next; a draw is a candidate's own, whoever else is one.

Costs: O(N log N).
Source: the pickers of the Gateway API inference extension; Dynamo (softmax); Gumbel's trick for the order of draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lbalgo.spec import check_integer, check_real
from lbalgo.types import F64, I64


@dataclass(frozen=True)
class Best:
    """The highest score; equals are drawn.

    Examples
    --------
    >>> Best().order(np.array([0.1, 0.9, 0.5]), np.array([0.5, 0.5, 0.5])).tolist()
    [1, 2, 0]
    """

    def order(self, scores: F64, draws: F64) -> I64:
        """Candidates, best first; `draws` are uniform in [0, 1), one for each."""
        return np.lexsort((draws, -scores))


@dataclass(frozen=True)
class BestOf:
    """The best of `choices` candidates that are drawn; then the others, best first.

    Parameters
    ----------
    choices : how many are drawn, >= 1.

    Examples
    --------
    >>> BestOf(2).order(np.array([0.1, 0.9, 0.5]), np.array([0.2, 0.7, 0.3])).tolist()
    [2, 0, 1]
    """

    choices: int = 2

    def __post_init__(self) -> None:
        check_integer("choices", self.choices, low=1)

    def order(self, scores: F64, draws: F64) -> I64:
        """Candidates, best of those drawn first; `draws` are uniform in [0, 1), one for each."""
        late = np.ones(len(scores), dtype=np.bool_)
        late[np.argsort(draws, kind="stable")[: self.choices]] = False
        return np.lexsort((draws, -scores, late))


@dataclass(frozen=True)
class Softmax:
    """Drawn in proportion to exp(score / temperature).

    Parameters
    ----------
    temperature : > 0; the lower, the nearer to `Best`.

    Examples
    --------
    >>> Softmax(0.1).order(np.array([0.1, 0.9, 0.5]), np.array([0.5, 0.5, 0.5])).tolist()
    [1, 2, 0]
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_real("temperature", self.temperature, low=0.0, open_low=True)

    def order(self, scores: F64, draws: F64) -> I64:
        """Candidates as drawn one after the other without return; `draws` are uniform in [0, 1), one for each."""
        gumbel = -np.log(-np.log(np.maximum(draws, 2.0**-60)))
        return np.argsort(-((scores - scores.max(initial=-math.inf)) / self.temperature + gumbel), kind="stable")
