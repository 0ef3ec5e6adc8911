"""What makes an outlier, by the numbers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError, ConsecutiveErrors, ConsecutiveGatewayErrors, FailurePercentage, SuccessRate


@pytest.mark.parametrize(
    ("rates", "factor", "threshold"),
    [
        ([100, 100, 100, 100, 50], 1.9, 52.0),  # Envoy's own example: mean 90, deviation 20
        ([50, 100, 100, 100, 100], 1.9, 52.0),
        ([100] * 9 + [0], 3.0, 0.0),
        ([80, 80, 80], 1.9, 80.0),
        ([60, 80], 0.0, 70.0),
        ([60, 80], 0.5, 65.0),
        ([33.0], 2.0, 33.0),
    ],
)
def test_success_rate_threshold(rates, factor, threshold):
    assert SuccessRate(stdev_factor=factor).threshold([float(rate) for rate in rates]) == threshold


@pytest.mark.parametrize(
    ("n", "bad", "caught"),
    [(4, 1, False), (5, 1, True), (9, 2, False), (10, 2, True), (100, 21, True), (100, 22, False)],
)
@pytest.mark.parametrize("failures", [1, 30, 100])
def test_masking(n, bad, caught, failures):
    """k of n alike stand sqrt((n - k) / k) deviations out, however badly they fail: 1.9 catches under 21.7 %."""
    successes = [100 - failures] * bad + [100] * (n - bad)
    outliers = SuccessRate(minimum_hosts=1).outliers(successes, [100] * n)
    assert outliers == (list(range(bad)) if caught else [])
    assert (math.sqrt((n - bad) / bad) > 1.9) == caught


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 30), st.floats(0, 3))
def test_equals_have_no_outlier(total, successes, n, factor):
    detector = SuccessRate(1, 1, factor)
    assert detector.outliers([min(successes, total)] * n, [total] * n) == []


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12), st.randoms())
def test_success_rate_is_the_exact_rule_and_knows_no_order(counts, random):
    detector, factor = SuccessRate(minimum_hosts=1, request_volume=5, stdev_factor=1.1), Fraction(11, 10)
    rows = [(good, good + bad) for good, bad in counts if good + bad]
    heard = [(good, total) for good, total in rows if total >= 5]
    rates = [Fraction(good, total) for good, total in heard]
    mean = sum(rates, Fraction(0)) / max(1, len(rates))
    variance = sum(((rate - mean) ** 2 for rate in rates), Fraction(0)) / max(1, len(rates))
    wanted = [
        row for row, rate in zip(heard, rates, strict=True) if rate < mean and (mean - rate) ** 2 > factor**2 * variance
    ]
    random.shuffle(rows)
    found = [rows[i] for i in detector.outliers([r[0] for r in rows], [r[1] for r in rows])]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(
    ("hosts", "volume", "total", "n", "speaks"),
    [(5, 100, 100, 5, True), (5, 100, 99, 5, False), (5, 100, 100, 4, False), (6, 100, 100, 5, False)],
)
def test_success_rate_needs_hosts_with_volume(hosts, volume, total, n, speaks):
    detector = SuccessRate(hosts, volume, 1.0)
    assert detector.outliers([0] + [total] * (n - 1), [total] * n) == ([0] if speaks else [])
    small = detector.outliers([0] + [total] * (n - 1) + [0], [total] * n + [volume - 1])
    assert small == ([0] if speaks else []), "one without volume neither helps nor counts"


@pytest.mark.parametrize(
    ("threshold", "failures", "total", "caught"),
    [(85, 85, 100, True), (85, 84, 100, False), (60, 12, 20, True), (60, 11, 20, False), (100, 50, 50, True)],
)
def test_failure_percentage(threshold, failures, total, caught):
    detector = FailurePercentage(threshold, 2, 20)
    assert detector.outliers([total - failures, total], [total, total]) == ([0] if caught else [])


@pytest.mark.parametrize(("totals", "speaks"), [([50] * 5, True), ([50] * 4, False), ([50] * 4 + [49], False)])
def test_failure_percentage_needs_hosts_with_volume(totals, speaks):
    assert FailurePercentage().outliers([0] * len(totals), totals) == (list(range(5)) if speaks else [])


def test_defaults():
    assert ConsecutiveErrors() == ConsecutiveErrors(5, 100)
    assert ConsecutiveGatewayErrors() == ConsecutiveGatewayErrors(5, 100)
    assert SuccessRate() == SuccessRate(5, 100, 1.9, 100)
    assert FailurePercentage() == FailurePercentage(85, 5, 50, 100)


KINDS = {
    ConsecutiveErrors: {"threshold": [0, -1, 1.0, True, None, 2**63], "enforcement": [-1, 100.1, math.nan, "1"]},
    ConsecutiveGatewayErrors: {"threshold": [0, 2.5], "enforcement": [-0.1, 101]},
    SuccessRate: {
        "minimum_hosts": [0, 1.5],
        "request_volume": [0, "1"],
        "stdev_factor": [-1, math.inf, math.nan],
        "enforcement": [-1, 101],
    },
    FailurePercentage: {
        "threshold": [0, 100.5, -1, math.nan],
        "minimum_hosts": [0],
        "request_volume": [0],
        "enforcement": [-1, None],
    },
}


@pytest.mark.parametrize(
    ("kind", "parameter", "value"),
    [(kind, name, value) for kind, fields in KINDS.items() for name, values in fields.items() for value in values],
)
def test_bad_parameters(kind, parameter, value):
    with pytest.raises(ConfigError) as caught:
        kind(**{parameter: value})
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", KINDS)
def test_description(kind):
    detector = kind(enforcement=40)
    assert eval(repr(detector)) == detector
    assert hash(detector) == hash(kind(enforcement=40))
    assert detector.to_dict()["type"] == kind.__name__


@pytest.mark.parametrize("kind", [ConsecutiveErrors, ConsecutiveGatewayErrors])
def test_the_largest_threshold(kind):
    assert kind(2**63 - 1).threshold == 2**63 - 1
    with pytest.raises(ConfigError) as refused:
        kind(2**63)
    assert (refused.value.parameter, refused.value.value) == ("threshold", 2**63)


def test_a_threshold_below_one_percent():
    assert FailurePercentage(threshold=0.5).threshold == 0.5
