"""Figures of measurements (extra ``lbalgo[plot]``): shares against weights, what moves, and policies side by side.

Every function returns a `matplotlib.figure.Figure` that is tied to no window and no global state; `savefig` writes it.
matplotlib is imported when the first figure is drawn, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.measure import Balance, Disruption, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lbalgo.sim.result import Result

_BLUE, _GREEN, _ORANGE, _GREY = "#3b6ea5", "#5b8a72", "#d9822b", "#9aa3ab"
_LABELS = 40  # more names than this on an axis nobody can read


def require() -> None:
    """Raises ImportError, naming the extra, where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ImportError("figures need matplotlib: pip install 'lbalgo[plot]'") from None


def plot_balance(result: Balance, *, title: str = "Load per unit of weight") -> Figure:
    """Each backend's share over its target, in listing order; 1 is what its weight asks for.

    Parameters
    ----------
    result : what `measure.balance` returned.
    title : above the figure.

    Raises
    ------
    ImportError : matplotlib is not installed.

    Examples
    --------
    >>> import lbalgo as lb
    >>> figure = plot_balance(lb.measure.balance(lb.Maglev().build({"a": 2, "b": 1})))
    >>> figure.axes[0].get_ylabel()
    'share / target'
    """
    figure, (axis,) = _canvas(1, (8.0, 4.0))
    ratios = result.ratios
    place = np.arange(len(ratios))
    axis.bar(place, ratios - 1.0, bottom=1.0, color=_BLUE, width=0.8)
    axis.axhline(1.0, color="black", linewidth=0.8)
    axis.set(title=f"{title}: peak/mean {result.peak_to_mean:.3f}, CV {100 * result.cv:.2f} %", ylabel="share / target")
    _name_places(axis, result.ids)
    return figure


def plot_disruption(result: Disruption, *, top: int = 20, title: str = "Keys moved") -> Figure:
    """The largest flows from backend to backend, in percent of the keys.

    Parameters
    ----------
    result : what `measure.disruption` returned.
    top : how many flows to show, >= 1; the title has the totals.
    title : above the figure.

    Raises
    ------
    ImportError : matplotlib is not installed. ConfigError : top is below 1.

    Examples
    --------
    >>> import lbalgo as lb
    >>> before, after = (lb.RingHash().build(pool) for pool in (["a", "b", "c"], ["a", "b"]))
    >>> figure = plot_disruption(lb.measure.disruption(before, after))
    >>> figure.axes[0].get_xlabel()
    'keys moved, %'
    """
    if top < 1:
        raise ConfigError("top", top, "must be >= 1")
    shown = min(top, len(result.amounts))
    figure, (axis,) = _canvas(1, (8.0, max(2.2, 0.3 * shown + 1.4)))
    names = [f"{_short(a)} → {_short(b)}" for a, b in zip(result.losers, result.gainers, strict=True)][:shown]
    place = np.arange(shown)
    axis.barh(place, 100 * result.amounts[:shown], color=_BLUE, height=0.7)
    axis.set_yticks(place, names)
    axis.invert_yaxis()
    axis.set_xlabel("keys moved, %")
    totals = (
        f"moved {100 * result.moved:.3f} %, at least {100 * result.minimal:.3f} %, excess {100 * result.excess:.3f} %"
    )
    rest = len(result.amounts) - shown
    axis.set_title(f"{title}: {totals}" + (f"\n{rest} smaller flows not shown" if rest else ""))
    return figure


def plot_comparison(rows: Sequence[Row]) -> Figure:
    """Policies side by side: peak over mean load, and what moves when a backend leaves and when one joins.

    Parameters
    ----------
    rows : what `measure.compare` yielded; rows without figures keep an empty place.

    Raises
    ------
    ImportError : matplotlib is not installed. ConfigError : there are no rows.
    """
    if not rows:
        raise ConfigError("rows", rows, "must not be empty")
    figure, axes = _canvas(3, (12.0, 0.42 * len(rows) + 1.9))
    place = np.arange(len(rows))
    names = ["\n".join(wrap(row.name, 24)).replace("$", r"\$") for row in rows]
    for side, field, label, marker, colour in (
        (-0.12, "structure", "shares", "o", _BLUE),
        (0.12, "sample", "shares on the keys", "D", _GREY),
    ):
        results: list[Balance | None] = [getattr(row, field) for row in rows]
        peaks = [result.peak_to_mean if result else np.nan for result in results]
        axes[0].plot(peaks, place + side, marker, color=colour, markersize=7, label=label)
    axes[0].set(title="Peak over mean load", xlabel="peak / mean, per unit of weight")
    axes[0].grid(axis="y", color="lightgrey", linewidth=0.6)
    axes[0].axvline(1.0, color="black", linewidth=0.8)
    axes[0].set_yticks(place, names)
    for axis, what in zip(axes[1:], ("leave", "join"), strict=True):
        changes: list[Disruption | None] = [getattr(row, what) for row in rows]
        least = np.array([100 * c.minimal if c else 0.0 for c in changes])
        extra = np.array([100 * c.excess if c else 0.0 for c in changes])
        axis.barh(place, least, color=_GREEN, height=0.6, label="had to move")
        axis.barh(place, extra, left=least, color=_ORANGE, height=0.6, label="in excess")
        axis.set(title=f"Keys moved when one backend {what}s", xlabel="keys moved, %")
        axis.set_yticks(place, [])
    for k, row in enumerate(rows):
        for axis, missing in zip(axes, (not row.structure, not row.leave, not row.join), strict=True):
            if missing:
                axis.text(
                    0.03,
                    k,
                    "n/a",
                    va="center",
                    fontsize=8,
                    color="dimgrey",
                    transform=axis.get_yaxis_transform(),
                    bbox={"color": "white", "pad": 1.5},
                )
    for axis in axes:
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.margins(x=0.08)
    figure.legend(*_handles(axes), loc="outside lower center", ncols=4, frameon=False)
    return figure


def plot_simulation(result: Result) -> Figure:
    """A run: how many requests took longer than what, and how busy the servers were, over time if that was sampled.

    Parameters
    ----------
    result : what `sim.run` returned.

    Raises
    ------
    ImportError : matplotlib is not installed.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.sim import Poisson, Scenario, run
    >>> figure = plot_simulation(run(Scenario(lb.Random(), 2, Poisson(1.0), duration=100.0)))
    >>> figure.axes[0].get_xlabel()
    'latency, s'
    """
    figure, (tail, busy) = _canvas(2, (11.0, 4.0))
    levels = np.append(0.0, 1.0 - np.geomspace(1.0, 1e-4, 120)[1:])
    tail.plot([result.quantile(float(q)) for q in levels], 1.0 - levels, color=_BLUE)
    tail.set(yscale="log", xlabel="latency, s", ylabel="fraction that took longer")
    tail.set_title(
        f"mean {result.mean:.4g} s, p99 {result.quantile(0.99):.4g} s, errors {100 * result.error_rate:.3g} %"
    )
    busy.set_ylim(0.0, 1.05)
    if len(result.times):
        used = result.busy_over_time / result.slots
        busy.fill_between(
            result.times, used.min(axis=1), used.max(axis=1), color=_GREY, alpha=0.4, label="least to most"
        )
        busy.plot(result.times, used.mean(axis=1), color=_BLUE, label="mean")
        busy.set(xlabel="time, s", ylabel="utilisation of the servers")
        busy.legend(frameon=False)
    else:
        busy.bar(np.arange(len(result.ids)), result.utilisation, color=_BLUE, width=0.8)
        busy.set_ylabel("utilisation")
        _name_places(busy, result.ids)
    return figure


def _handles(axes: Sequence[Any]) -> tuple[list[Any], list[str]]:
    pairs = [axis.get_legend_handles_labels() for axis in axes[:2]]
    return [h for handles, _ in pairs for h in handles], [name for _, names in pairs for name in names]


def _canvas(columns: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    require()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, k + 1) for k in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _name_places(axis: Any, ids: Sequence[str]) -> None:
    if len(ids) <= _LABELS:
        axis.set_xticks(range(len(ids)), [_short(id) for id in ids], rotation=0 if len(ids) <= 8 else 90)
    else:
        axis.set_xlabel(f"{len(ids)} backends, in listing order")


def _short(name: str) -> str:
    """A label that leaves room for the figure, with no meaning to matplotlib's mathematics."""
    return (name if len(name) <= 24 else name[:23] + "…").replace("$", r"\$")
