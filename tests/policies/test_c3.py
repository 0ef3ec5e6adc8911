"""C3: the score by hand, averages against exact sums, and queues in the ratio of the cube root of the speeds."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import Outcome
from lbalgo.policies.c3 import C3, UNTRIED, Feedback

GOOD, BAD = Outcome.SUCCESS, Outcome.SERVER_ERROR


def heard(load, row, response, service, queue, now=0.0):
    load.started(row, 1.0, now)
    load.reported(row, Feedback(queue, service), now)
    load.finished(row, GOOD, response, now)


@pytest.mark.parametrize(
    ("clients", "exponent", "response", "service", "queue", "flying", "score"),
    [
        (1, 3, 0.5, 0.25, 1, 0, 0.25 + 2**3 * 0.25),
        (3, 3, 0.5, 0.25, 1, 2, 0.25 + 8**3 * 0.25),
        (1, 3, 4.0, 4.0, 0, 0, 4.0),
        (1, 1, 5.0, 4.0, 2, 1, 1.0 + 4 * 4.0),
        (150, 3, 0.010, 0.004, 5, 1, 0.006 + 156**3 * 0.004),
        (1, 3, 0.1, 0.4, 0, 0, 0.4),  # a server that says more than the whole took: the rest is 0, not negative
    ],
)
def test_the_score_by_hand(clients, exponent, response, service, queue, flying, score):
    load = C3(clients=clients, exponent=exponent).start()
    heard(load, 4, response, service, queue)
    for _ in range(flying):
        load.started(4, 1.0, 0.0)
    assert load.at(4) == pytest.approx(score, rel=1e-14)


def test_new_samples_have_nine_tenths_of_the_weight():
    """1, 2, 0 with 0.9: 1, 1.9, 0.19; and Elasticsearch's 0.3: 1, 1.3, 0.91."""
    for alpha, wanted in ((0.9, (1.0, 1.9, 0.19)), (0.3, (1.0, 1.3, 0.91))):
        load = C3(alpha=alpha).start()
        for sample, average in zip((1.0, 2.0, 0.0), wanted, strict=True):
            heard(load, 0, sample, sample, 0.0)
            assert load.at(0) == pytest.approx(average, rel=1e-14)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(0, 50)), min_size=1, max_size=12),
    st.floats(0.05, 1.0),
)
def test_averages_are_weighted_sums(samples, alpha):
    """After n samples the weight of the k-th is a (1-a)^(n-k), of the first (1-a)^(n-1)."""
    load = C3(alpha=alpha, exponent=2.0).start()
    n = len(samples)
    weights = [(1 - alpha) ** (n - 1), *(alpha * (1 - alpha) ** (n - k) for k in range(2, n + 1))]
    assert sum(weights) == pytest.approx(1.0)
    for sample in samples:
        heard(load, 0, *sample)
    r, s, q = (math.fsum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*samples, strict=True))
    assert load.at(0) == pytest.approx(max(r - s, 0.0) + (1 + q) ** 2 * s, rel=1e-9, abs=1e-9)


def test_one_trial():
    """Unknown and idle it is first, unknown and tried it is last; heard of once, it is known."""
    picker = C3().build(["a", "b", "c"])
    for row in (0, 1):
        heard(picker.load.load, row, 0.1, 0.1, 0.0)
    assert picker.pick().id == "c"
    picker.load.started(2, 1.0, 0.0)
    assert picker.load.at(2) == UNTRIED and {picker.pick().id for _ in range(40)} == {"a", "b"}
    picker.load.finished(2, GOOD, 0.01, 0.0)
    assert picker.pick().id == "c"


def test_without_feedback_the_answer_is_the_service():
    load = C3(clients=2).start()
    load.started(0, 1.0, 0.0)
    load.finished(0, GOOD, 0.5, 0.0)
    load.started(0, 1.0, 0.0)
    assert load.at(0) == 3**3 * 0.5
    load = C3().start()
    load.reported(0, Feedback(2, 0.5), 0.0)
    assert load.at(0) == 3**3 * 0.5


def test_failing_fast_is_not_being_fast():
    load = C3(penalty=2.0).start()
    for outcome, took in ((BAD, 0.0), (Outcome.TIMEOUT, None)):
        load.started(0, 1.0, 0.0)
        load.finished(0, outcome, took, 0.0)
        assert load.at(0) == 2.0
    load.started(0, 1.0, 0.0)
    load.finished(0, BAD, 12.0, 0.0)
    assert load.at(0) == pytest.approx(11.0)
    before = load.at(0)
    for outcome, took in ((Outcome.CANCELLED, 99.0), (GOOD, None)):
        load.started(0, 1.0, 0.0)
        load.finished(0, outcome, took, 0.0)
    assert load.at(0) == before, "what was cancelled, or not measured, says nothing"


def test_averages_fade():
    """After tau each is 1/e of itself: R - s + (1 + q)^3 s."""
    load = C3(tau=5.0).start()
    heard(load, 0, 1.0, 0.5, 3.0)
    load.advance(5.0)
    e = math.exp(-1)
    assert load.at(0) == pytest.approx(0.5 * e + (1 + 3 * e) ** 3 * 0.5 * e)
    heard(load, 0, 2.0, 0.5, 3.0, now=5.0)
    assert load.at(0) == pytest.approx(
        (0.1 * e + 1.8) - (0.05 * e + 0.45) + (1 + 0.3 * e + 2.7) ** 3 * (0.05 * e + 0.45)
    )
    load.advance(1.0)
    assert load.at(0) > 0.0, "an earlier instant changes nothing"


@pytest.mark.parametrize("speed", [2, 4, 8])
def test_queues_are_as_the_cube_root_of_the_speeds(speed):
    """Requests that never end go where the score is least: of two servers the fast one gets speed**(1/3) as many."""
    picker = C3().build(["fast", "slow"])
    for row, service in enumerate((1.0, float(speed))):
        heard(picker.load.load, row, service, service, 0.0)
    counts = [0, 0]
    for _ in range(3000):
        row = picker.backends.index(picker.pick())
        picker.load.started(row, 1.0, 0.0)
        counts[row] += 1
    assert (counts[0] + 1) / (counts[1] + 1) == pytest.approx(speed ** (1 / 3), abs=2 / 1000)


@given(
    st.lists(
        st.tuples(st.floats(0.001, 5), st.floats(0.001, 5), st.floats(0, 20), st.integers(0, 4), st.floats(0.1, 9)),
        min_size=2,
        max_size=8,
    )
)
def test_the_pick_has_the_least_score_for_its_weight(servers):
    picker = C3().build({f"b{i}": server[-1] for i, server in enumerate(servers)})
    for row, (response, service, queue, flying, _) in enumerate(servers):
        heard(picker.load.load, row, response, service, queue)
        for _ in range(flying):
            picker.load.started(row, 1.0, 0.0)
    scores = [picker.load.at(row) / server[-1] for row, server in enumerate(servers)]
    assert scores[picker.backends.index(picker.pick())] <= min(scores) * (1 + 1e-12)


def test_in_a_balancer_and_as_a_load():
    now = [0.0]
    balancer = lb.Balancer(C3(choices=2), ["a", "b", "c"], clock=lambda: now[0], seed=3)
    for _ in range(3):
        lease = balancer.acquire()
        balancer.report(lease.backend.id, Feedback(1, 0.1 if lease.backend.id == "b" else 0.4))
        now[0] += 0.5
        lease.done()
    load = balancer.picker.load
    assert {balancer.acquire().backend.id for _ in range(1)} <= {"a", "b", "c"}
    balancer.update(["b", "c", "d"])
    assert balancer.picker.load is load
    with pytest.raises(lb.ConfigError):
        balancer.report("b", 3)
    picker = lb.PowerOfTwo(load=C3()).build(["a", "b"])
    heard(picker.load.load, 0, 0.5, 0.5, 0.0)
    heard(picker.load.load, 1, 0.1, 0.1, 0.0)
    assert {picker.pick().id for _ in range(20)} == {"b"}


def test_snapshots():
    load = C3().start()
    heard(load, 3, 1.0, 0.5, 2.0, now=7.0)
    load.started(5, 1.0, 7.0)
    load.finished(5, GOOD, 0.25, 7.0)
    load.advance(8.0)
    kept, other = json.loads(json.dumps(load.snapshot())), C3().start()
    other.restore(kept, 100.0)
    assert [other.at(row) for row in range(6)] == [load.at(row) for row in range(6)] and other.at(3) > 0.0
    for bad in (None, {}, {"type": "C3"}, {"type": "C3", "rows": 1}, {"type": "C3", "rows": [[1, 2]]}):
        with pytest.raises(lb.ConfigError):
            other.restore(bad, 0.0)
    for row in ([0, -1.0, 1.0, 1.0], [-1, 1, 1, 1], [0, math.nan, 1, 1], ["0", 1, 1, 1]):
        with pytest.raises(lb.ConfigError):
            other.restore({"type": "C3", "rows": [row]}, 0.0)
    assert other.snapshot() == {"type": "C3", "rows": kept["rows"]}
    load.restart(3)
    assert load.at(3) == 0.0


def test_plain_data():
    policy = C3(clients=40, choices=3)
    assert C3.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert repr(policy.start()) == f"{policy!r}.start()"


def test_a_server_that_is_silent_over_a_long_request_does_not_seem_faster():
    load = C3(tau=1.0).start()
    for row in (0, 1):
        load.started(row, 1.0, 0.0)
        load.finished(row, Outcome.SUCCESS, 1.0, 1.0)
    load.started(0, 1.0, 1.0)
    score = load.at(0)
    load.advance(50.0)
    assert load.at(0) == score  # with a request there
    assert load.at(1) == pytest.approx(math.exp(-49.0), rel=1e-12)  # and one that is idle
    load.finished(0, Outcome.CANCELLED, None, 50.0)
    assert load.at(0) == pytest.approx(1.0, rel=1e-12)
    load.advance(52.0)
    assert load.at(0) == pytest.approx(math.exp(-2.0), rel=1e-12)
    load.started(0, 1.0, 52.0)
    load.advance(53.0)
    assert load.at(0) == pytest.approx(8.0 * math.exp(-2.0), rel=1e-12)  # (1 + 1) ** 3
