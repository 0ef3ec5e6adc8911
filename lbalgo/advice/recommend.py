"""The recommendation: the row of the matrix that holds for a workload, what comes on top, and the simulation beside.

The matrix decides, not the simulation: a run knows nothing of failures, of what a scan of all backends costs, or of
news that is late. Where another policy did clearly better in the run, `better` says so.

Costs: a few simulated runs, some hundredths of a second each; without them O(rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lbalgo.advice.matrix import additions_for, row_for
from lbalgo.advice.measured import Measured, measured
from lbalgo.advice.trials import Trial, scaled, shown, trials
from lbalgo.advice.workload import Workload
from lbalgo.sim.traces import Trace
from lbalgo.spec import check_bool, check_enum

CLEARLY = 0.9  # of the recommended policy's mean; a difference of a tenth is more than chance in such runs


@dataclass(frozen=True)
class Recommendation:
    """What to take for a workload, and why.

    Parameters
    ----------
    workload : what was asked, with what the trace says of it, if there was one.
    policy : the algorithm, ready to `build`.
    because : (when it holds, why) of the row of the matrix that decided.
    additions : (when, what, why) of what comes on top.
    trials : the simulated comparison; empty if none was asked for.
    simulated : backends and balancers of the comparison.
    measured : what the trace has, if there was one.

    Costs: none.
    Source: ours.
    """

    workload: Workload
    policy: Any
    because: tuple[str, str]
    additions: tuple[tuple[str, str, str], ...] = ()
    trials: tuple[Trial, ...] = ()
    simulated: tuple[int, int] = (0, 0)
    measured: Measured | None = None

    @property
    def better(self) -> tuple[Trial, ...]:
        """The policies whose mean was clearly below the recommended one's, and that keep keys as well; best first."""
        if not self.trials:
            return ()
        mine = self.trials[0]
        found = [t for t in self.trials[1:] if t.mean < CLEARLY * mine.mean and (t.kept or 0.0) >= (mine.kept or 0.0)]
        return tuple(sorted(found, key=lambda trial: trial.mean))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return {
            "workload": self.workload.to_dict(),
            "trace": None if self.measured is None else self.measured.to_dict(),
            "policy": self.policy.to_dict(),
            "when": self.because[0],
            "because": self.because[1],
            "additions": [{"when": when, "what": what, "because": why} for when, what, why in self.additions],
            "simulated": {"backends": self.simulated[0], "balancers": self.simulated[1]} if self.trials else None,
            "trials": [trial.to_dict() for trial in self.trials],
            "better": [trial.policy for trial in self.better],
        }

    def __str__(self) -> str:
        lines = [f"{shown(self.policy)}: {self.because[0]}: {self.because[1]}"]
        lines += [f"also {what}: {when}: {why}" for when, what, why in self.additions]
        return "\n".join(lines)


def recommend(
    workload: Workload,
    *,
    trace: Trace | None = None,
    simulate: bool = True,
    requests: int | None = None,
    seed: int = 0,
) -> Recommendation:
    """The algorithm for a workload, with reasons and the comparison behind it.

    Parameters
    ----------
    workload : in numbers.
    trace : recorded requests (`lbalgo.sim.read_trace`). Their costs give the variance, their keys the hottest one's
        share, and they are what is simulated, at the pace that makes the workload's load.
    simulate : whether to compare.
    requests : how many are simulated, where there is no trace; >= 1000; None: 50 000, with probes 20 000.
    seed : of the simulation.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Costs: a few runs of about a microsecond a request.
    Source: the matrix's rows; `docs/guide/advice.md` shows them.

    Examples
    --------
    >>> print(recommend(Workload(backends=20, load=0.9), simulate=False))
    LeastConnections(): up to 256 backends, half a request or more in flight for each balancer: the balancer sees \
what it needs to see, and looking at all backends is cheap
    also `OutlierEjection`: more than one backend, and a policy that looks at loads: who fails at once has nobody in \
flight, looks idle, and gets more than its share
    """
    check_enum("workload", workload, Workload)
    check_bool("simulate", simulate)
    told = None if trace is None else measured(trace)
    if told is not None:
        workload = told.into(workload)
    row = row_for(workload)
    policy = row.policy(workload)
    additions = tuple((each.when, each.what, each.because) for each in additions_for(workload))
    found = trials(workload, policy, trace=trace, requests=requests, seed=seed) if simulate else ()
    return Recommendation(workload, policy, (row.when, row.because), additions, found, scaled(workload), told)
