"""A balancer of a preset under a clock that stands still, and what an operator does to it."""

from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import Verdict
from lbalgo.testing import FakeClock

PASSED, FAILED = Verdict(True), Verdict(False, "down")


class Pool:
    """A preset's balancer, its parts, its clock and its events."""

    def __init__(self, preset, backends, **more):
        self.parts = preset.parts()
        self.clock = FakeClock(1_700_000_000.0)
        self.events = []
        more = {"seed": 1, "on_event": self.events.append, **more}
        self.balancer = preset.balancer(backends, self.parts, clock=self.clock, **more)

    def wait(self, seconds, down=()):
        """Lets time pass, a second at a time, while every probe is answered at once; those of `down` fail."""
        self.answer(down)
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.answer(down)

    def answer(self, down=()):
        self.balancer.advance()
        if any(isinstance(signal, ActiveHealth) for signal in self.parts.signals):
            health = self.parts.get(ActiveHealth)
            while probes := health.take(self.clock()):
                for probe in probes:
                    if probe.id in self.balancer.view.ids:
                        verdict = FAILED if probe.id in down else PASSED
                        self.balancer.report(probe.id, probe.result(verdict))
            self.balancer.advance()

    def shares(self):
        return dict(zip(self.balancer.view.ids, self.balancer.picker.shares().tolist(), strict=True))

    def picks(self, keys):
        """Where requests with these keys go; they end at once."""
        where = []
        for key in keys:
            with self.balancer.acquire(key) as lease:
                where.append(lease.backend.id)
        return where
