"""How evenly a picker spreads requests, against the weights it was given.

On its own structure a picker's shares need no sample: a table is counted, a ring's arcs are summed, a law is a law. On
keys the shares are what those keys really get, every occurrence counted, and a chi-square test says whether the
distinct ones are a fair sample of the structure: hashing is at fault if they are not, not the structure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.measure.method import Method
from lbalgo.measure.statistics import chi2_sf
from lbalgo.policies.building import COUNTER
from lbalgo.types import F64, TicketDecided
from lbalgo.view import View

_SMALL = 5.0  # cells expected below this are pooled, the usual rule for the chi-square approximation


@dataclass(frozen=True, eq=False)
class Balance:
    """Shares against targets, one element for each backend, in slot order.

    Attributes
    ----------
    ids : the backends.
    shares : fraction of the requests each gets.
    targets : fraction each should get: weight times factor over the eligible backends, normalised.
    method : STRUCTURE if the shares are the picker's own `shares()`, SAMPLE if they were counted on keys.
    keys : how many keys were counted, 0 without.
    distinct : how many different tickets they gave, 0 without.
    chi2, freedom, p : chi-square of the distinct keys' counts against the picker's own shares, its degrees of freedom
        and the chance of a larger one; None without keys, for a rotation (its tickets are no sample), and where fewer
        than two cells expect 5 keys.
    """

    ids: tuple[str, ...] = field(repr=False)
    shares: F64 = field(repr=False)
    targets: F64 = field(repr=False)
    method: Method
    keys: int = 0
    distinct: int = 0
    chi2: float | None = None
    freedom: int | None = None
    p: float | None = None

    @property
    def ratios(self) -> F64:
        """Share over target; NaN where the target is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.targets > 0, self.shares / self.targets, np.nan)

    @property
    def peak_to_mean(self) -> float:
        """The largest ratio: how much more than the mean load, per unit of weight, the worst-off backend carries."""
        return float(np.nanmax(self.ratios))

    @property
    def cv(self) -> float:
        """Coefficient of variation of the load per unit of weight, every unit of weight counted once.

        For equal weights it is the standard deviation of the shares over their mean; K times its square is the
        noncentrality a chi-square test of K keys against the weights would have.
        """
        on = self.targets > 0
        return float(np.sqrt(((self.shares[on] - self.targets[on]) ** 2 / self.targets[on]).sum()))

    def columns(self) -> dict[str, Any]:
        """Columns of equal length, one row for each backend: what `pandas.DataFrame` takes."""
        return {"id": list(self.ids), "share": self.shares, "target": self.targets, "ratio": self.ratios}


def balance(picker: Any, keys: Any = None) -> Balance:
    """How evenly a picker spreads requests.

    Parameters
    ----------
    picker : a picker that decides by ticket.
    keys : a collection of keys, as `hash_many` takes them; None to measure the structure itself. A picker that takes
        no key spends as many of its next tickets, without consuming them.

    Raises
    ------
    ConfigError : the picker does not decide by ticket (simulate it instead), or there are no keys.
    NoBackend : no backend is eligible.

    Costs: `picker.shares()`, and with keys one bulk hash, one bulk pick and one sort of them.

    Examples
    --------
    >>> import lbalgo as lb
    >>> result = balance(lb.Maglev(table_size=101).build({"a": 2, "b": 1}))
    >>> (result.shares * 101).round().tolist(), round(result.peak_to_mean, 4), round(result.cv, 4)
    ([67.0, 34.0], 1.0099, 0.007)
    """
    if not isinstance(picker, TicketDecided):
        raise ConfigError("picker", picker, "must decide by ticket; a load-aware one has no shares without traffic")
    ids = tuple(b.id for b in picker.backends)  # type: ignore[attr-defined]
    wanted = targets(picker)
    shares = np.asarray(picker.shares(), dtype=np.float64)
    if keys is None:
        if not shares.any():
            picker.pick_many(np.zeros(1, dtype=np.uint64))  # says why nobody has a share
        return Balance(ids, shares, wanted, Method.STRUCTURE)
    tickets = picker.tickets(keys)
    if len(tickets) == 0:
        raise ConfigError("keys", keys, "must not be empty")
    counts = np.bincount(picker.pick_many(tickets), minlength=len(ids))
    ordered = np.sort(tickets)
    distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]  # np.unique hashes, several times slower
    test: tuple[float, int, float] | tuple[None, None, None] = (None, None, None)
    if getattr(picker, "source", None) != COUNTER:
        test = _chi_square(np.bincount(picker.pick_many(distinct), minlength=len(ids)), shares)
    return Balance(ids, counts / len(tickets), wanted, Method.SAMPLE, len(tickets), len(distinct), *test)


def targets(picker: Any) -> F64:
    """What a perfectly even algorithm would give each backend: weight times factor over the eligible, normalised."""
    view = getattr(picker, "view", None)
    if isinstance(view, View):
        wanted = np.where(view.eligible, view.weights / max(view.weights.max(initial=0.0), 1e-300) * view.factors, 0.0)
    else:
        wanted = np.array([b.weight for b in picker.backends], dtype=np.float64)
    total = wanted.sum()
    return np.asarray(wanted / total if total > 0 else wanted, dtype=np.float64)


def _chi_square(counts: Any, law: F64) -> tuple[float, int, float] | tuple[None, None, None]:
    expected = law * counts.sum()
    if (counts[law == 0] > 0).any():
        return float("inf"), 1, 0.0
    large = expected >= _SMALL
    observed, wanted = counts[large].astype(np.float64), expected[large]
    rest = (law > 0) & ~large
    if rest.any():
        observed, wanted = np.append(observed, counts[rest].sum()), np.append(wanted, expected[rest].sum())
        if len(wanted) > 1 and wanted[-1] < _SMALL:  # still too small alone: joins the smallest of the others
            k = int(wanted[:-1].argmin())
            wanted[k] += wanted[-1]
            observed[k] += observed[-1]
            observed, wanted = observed[:-1], wanted[:-1]
    if len(wanted) < 2:
        return None, None, None
    statistic = float(((observed - wanted) ** 2 / wanted).sum())
    return statistic, len(wanted) - 1, chi2_sf(statistic, len(wanted) - 1)
