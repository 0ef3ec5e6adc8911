"""Active health under the laws of signals, with probes that outcomes of requests stand in for."""

from lbalgo import Outcome
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import Verdict
from lbalgo.testing import SignalContract


class Answered(ActiveHealth):
    """Whoever is due is probed when anybody's request ends; the probe of that backend ends as its request did."""

    def observe(self, slot, outcome, latency, now):
        super().observe(slot, outcome, latency, now)
        if outcome is not Outcome.CANCELLED:
            taken = {probe.id: probe for probe in self.take(now)}
            for other, id in enumerate(self._roster.members):
                if id in taken:
                    passed = outcome is Outcome.SUCCESS or other != slot
                    self.reported(other, taken[id].result(Verdict(passed)), now)


class TestActiveHealth(SignalContract):
    longest = 40.0

    def signal(self):
        return Answered(interval=5, timeout=2, fall=2, fast_interval=1, down_interval=9, jitter=0.5, hold_share=1.0)


class TestActiveHealthInDoubt(SignalContract):
    longest = 10.0

    def signal(self):
        return Answered(interval=0.5, timeout=2, fall=2, jitter=0, spread=0, hold_share=0.3, hold_window=4.0, seed=3)
