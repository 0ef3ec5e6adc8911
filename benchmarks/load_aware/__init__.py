"""What load-aware policies are known to do: functions that yield figures, quickly or at length."""

from collections.abc import Callable, Iterable

from benchmarks.figure import Figure
from benchmarks.load_aware import attempts, chances, fleets, information, queues

FIGURES: tuple[Callable[[bool], Iterable[Figure]], ...] = (
    queues.supermarket,
    queues.heavy,
    queues.finite_pool,
    queues.round_robin,
    queues.shortest_and_idle,
    information.boards,
    information.clients,
    fleets.heterogeneity,
    fleets.sinkhole,
    fleets.slow_server,
    fleets.prequal,
    attempts.hedges,
    attempts.budgets,
    attempts.throttling,
    chances.balls,
    chances.weights,
    chances.ranks,
    chances.ties,
    chances.subsets,
)
