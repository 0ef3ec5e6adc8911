"""Studies: the same scenario with other seeds, scenarios that differ in one thing, on as many machines as there are.

Runs are independent and described by values, so where they run is one argument: any `concurrent.futures.Executor`, or
what behaves as one (`distributed.Client(...).get_executor()`). Results come back in the order asked for, whatever
order they were done in, and are the same bits wherever they were done on machines of one kind.

Seeds are common to all scenarios of a sweep: arrivals and work are then the same for all of them, and the differences
that are left are those one wanted to see.

Source: Law, Kelton, *Simulation Modeling and Analysis*, 9.4 (replications) and 11.2 (common random numbers).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lbalgo.errors import ConfigError
from lbalgo.sim.intervals import Interval, interval
from lbalgo.sim.result import Result
from lbalgo.sim.running import run
from lbalgo.sim.scenario import Scenario
from lbalgo.spec import check_integer

if TYPE_CHECKING:
    from concurrent.futures import Executor

RUNS = 10  # replications: Student's t is 2.26 then, and four times as many only halve the interval


def mean_latency(result: Result) -> float:
    """Seconds; what a study looks at unless told otherwise."""
    return result.mean


@dataclass(frozen=True)
class Study:
    """The runs of one scenario with different seeds.

    Parameters
    ----------
    scenario : of the first run.
    values : what was asked of each run, by the names that the study was given.

    Examples
    --------
    >>> Study(None, {"mean": (1.0, 2.0, 3.0)}).interval("mean").mean
    2.0
    """

    scenario: Any
    values: Mapping[str, tuple[float, ...]]

    def interval(self, figure: str, confidence: float = 0.95) -> Interval:
        """The mean of a figure over the runs, with its confidence interval.

        Raises
        ------
        ConfigError : there is no such figure, or fewer than two runs.
        """
        if figure not in self.values:
            raise ConfigError("figure", figure, f"must be one of {', '.join(self.values)}")
        return interval(self.values[figure], confidence)


Figures = Mapping[str, Callable[[Result], float]]
FIGURES: Figures = {
    "mean": mean_latency,
    "p50": partial(Result.quantile, q=0.5),
    "p99": partial(Result.quantile, q=0.99),
}


def replicate(
    scenario: Scenario, runs: int = RUNS, *, figures: Figures = FIGURES, executor: Executor | None = None
) -> Study:
    """Runs a scenario with the seeds from its own on, and keeps some figures of each.

    Parameters
    ----------
    scenario : what is simulated.
    runs : how many times, >= 1.
    figures : by name, what is asked of each result; functions that can be pickled if the executor has other processes.
    executor : where the runs are done; None: a pool of processes, one for each core.

    Raises
    ------
    ConfigError : runs is no integer >= 1, or what a run may raise.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from lbalgo.sim import Poisson, Scenario
    >>> scenario = Scenario(lb.Random(), servers=1, arrivals=Poisson(0.5), duration=10_000.0, warmup=1000.0)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     2.0 in replicate(scenario, executor=executor).interval("mean", 0.999)
    True
    """
    return sweep({None: scenario}, runs, figures=figures, executor=executor)[None]


def sweep(
    scenarios: Mapping[Any, Scenario], runs: int = 1, *, figures: Figures = FIGURES, executor: Executor | None = None
) -> dict[Any, Study]:
    """Runs many scenarios, each with several seeds; see `replicate`.

    Parameters
    ----------
    scenarios : by any name; `vary` makes them.
    runs, figures, executor : as in `replicate`.

    Raises
    ------
    ConfigError : runs is no integer >= 1, or what a run may raise.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from lbalgo.sim import Poisson, Scenario, vary
    >>> base = Scenario(lb.Random(), servers=20, arrivals=Poisson(18.0), duration=500.0, warmup=100.0)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     found = sweep(vary(base, policy=[lb.Random(), lb.PowerOfTwo()]), runs=2, executor=executor)
    >>> random, two = found.values()
    >>> random.interval("mean").mean > two.interval("mean").mean
    True
    """
    check_integer("runs", runs, low=1)
    jobs = [scenario.but(seed=(scenario.seed + i) % 2**64) for scenario in scenarios.values() for i in range(runs)]
    ask = partial(_figures, figures=dict(figures))
    if executor is None:
        from concurrent.futures import ProcessPoolExecutor  # with all it brings along, only where it is wanted

        with ProcessPoolExecutor() as pool:
            found = list(pool.map(ask, jobs))
    else:
        found = list(executor.map(ask, jobs))
    answers = iter(found)
    studies = {}
    for name, scenario in scenarios.items():
        rows = list(itertools.islice(answers, runs))
        studies[name] = Study(scenario, {figure: tuple(row[figure] for row in rows) for figure in figures})
    return studies


def _figures(scenario: Scenario, figures: Figures) -> dict[str, float]:
    result = run(scenario)
    return {name: float(figure(result)) for name, figure in figures.items()}


def vary(scenario: Scenario, **parameters: Iterable[Any]) -> dict[tuple[Any, ...], Scenario]:
    """The scenario with every combination of these parameters, by the tuple of their values.

    Raises
    ------
    ConfigError : a scenario has no such parameter, or not such a value.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.sim import Poisson, Scenario
    >>> base = Scenario(lb.Random(), servers=2, arrivals=Poisson(1.0), duration=10.0)
    >>> [name for name in vary(base, clients=[1, 2], seed=[7, 8])]
    [(1, 7), (1, 8), (2, 7), (2, 8)]
    """
    return {values: scenario.but(**changed) for values, changed in _combinations(parameters)}


def _combinations(parameters: Mapping[str, Iterable[Any]]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for values in itertools.product(*parameters.values()):
        yield values, dict(zip(parameters, values, strict=True))
