"""What arrives late, out of order, is taken as of the latest instant: it turns no clock back and gives no future."""

import pytest

import lbalgo as lb
from lbalgo.loads import Blend, FailurePenalty, InFlight, InFlightAge, Overdue, Product, Reported, Sum
from lbalgo.policies import C3, AdaptiveChoices, Feedback, Idle, JoinIdleQueue, OrcaWeights, PidWeights, Prequal, Probe
from lbalgo.report import Report
from tests.contract.test_load_aware import LOADS as THEIRS
from tests.contract.test_loads import LOADS

REPORTED = Reported(blackout=0.0, expiry=10.0)
REPORT = Report(0.75, 100.0, 5.0)
LISTENERS = [
    (REPORTED, REPORT),
    (Blend(reports=REPORTED), REPORT),
    (Sum(InFlight(), REPORTED), REPORT),
    (Product(InFlight(), REPORTED), REPORT),
    (InFlightAge(REPORTED), REPORT),
    (FailurePenalty(REPORTED), REPORT),
    (Overdue(REPORTED), REPORT),
    (AdaptiveChoices(REPORTED, 0.1), REPORT),
    (OrcaWeights(blackout=0.0, expiry=10.0), REPORT),
    (PidWeights(expiry=10.0), REPORT),
    (Prequal(age=10.0), Probe(3, 0.5)),
    (C3(), Feedback(3, 0.5)),
    (JoinIdleQueue(told=True), Idle()),
]


@pytest.mark.parametrize(("spec", "said"), LISTENERS, ids=[repr(spec) for spec, _ in LISTENERS])
def test_a_late_report_counts_from_the_latest_instant(spec, said):
    late, now, never = spec.start(), spec.start(), spec.start()
    for load in (late, now, never):
        load.started(0, 1.0, 95.0)
        load.finished(0, lb.Outcome.SUCCESS, 1.0, 96.0)
        load.started(1, 1.0, 97.0)
        load.advance(100.0)
    late.reported(0, said, 40.0)
    now.reported(0, said, 100.0)
    differs = False
    for instant in (100.0, 101.5, 105.0, 109.5, 110.5, 200.0):
        for load in (late, now, never):
            load.advance(instant)
        assert [late.at(row) for row in range(2)] == [now.at(row) for row in range(2)], instant
        assert late.snapshot() == now.snapshot()
        differs = differs or late.at(0) != never.at(0) or late.snapshot() != never.snapshot()
    assert differs or isinstance(spec, JoinIdleQueue), "the report counts; who says it is idle is no less loaded"


def test_no_listener_is_left_out():
    """Those lists hold every load there is (tests/contract/test_complete.py)."""
    hear = {type(spec) for spec in (*LOADS, *THEIRS) if hasattr(spec.start(), "reported")}
    assert {kind.__name__ for kind in hear - {type(spec) for spec, _ in LISTENERS}} == set()
