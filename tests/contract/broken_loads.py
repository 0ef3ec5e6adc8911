"""Loads that break one law each, and differ from `InFlight` in that alone."""

import random
from dataclasses import dataclass, field

from lbalgo.reference.loads import InFlightCounts
from lbalgo.testing import LoadContract
from tests.contract.quick import QUICK


class BelowNothing(InFlightCounts):
    def at(self, row):
        return super().at(row) - 1


class WearsOff(InFlightCounts):
    def at(self, row):
        load = super().at(row)
        self._costs[row] = load / 2
        return load


class ForgivesFinishing(InFlightCounts):
    def finished(self, row, outcome, latency, now, cost=1.0):
        if self.at(row):
            super().finished(row, outcome, latency, now, cost)


class OneForAll(InFlightCounts):
    def at(self, row):
        return float(sum(self._costs.values()))


class CountsAdvances(InFlightCounts):
    times = 0

    def advance(self, now):
        super().advance(now)
        self.times += 1

    def at(self, row):
        return super().at(row) + self.times


class Noisy(InFlightCounts):
    def started(self, row, cost, now):
        for _ in range(random.randrange(1, 9)):
            super().started(row, cost, now)


class ChecksTooLate(InFlightCounts):
    def started(self, row, cost, now):
        self._costs[0] = self._costs.get(0, 0.0) + 1.0
        super().started(row, cost, now)
        self._costs[0] -= 1.0


@dataclass(frozen=True)
class Starts:
    """The specification of a load that is spoiled."""

    state: type = field(default=InFlightCounts, compare=False)
    limit: int = 0

    def start(self):
        return self.state()

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, data):
        return cls(**data)


class BrokenLoad(LoadContract):
    settings = QUICK

    def __init__(self, load):
        self.load = load if isinstance(load, Starts) else Starts(load)


LOADS = {
    "test_a_load_is_finite_and_not_negative": BelowNothing,
    "test_reading_changes_nothing": WearsOff,
    "test_what_was_started_is_finished_once": ForgivesFinishing,
    "test_rows_are_independent": OneForAll,
    "test_time_does_not_run_backwards": CountsAdvances,
    "test_equal_histories_mean_equal_loads": Noisy,
    "test_bad_events_change_nothing": ChecksTooLate,
    "test_a_load_survives_json_and_pickle": Starts(limit=1),
}
