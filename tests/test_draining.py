"""The times of a deploy: every finding at both sides of its threshold, and against a deploy that is played out."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.draining import DEFAULTS, ELB_DEREGISTRATION_DELAY, KUBERNETES_GRACE, check_drain
from lbalgo.findings import Severity

GOOD = {"p99": 10.0, "drain": 20.0, "grace": 30.0, "pre_stop": 5.0, "propagation": 5.0}
NANO = 1e-9
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def found(**times):
    return {finding.field: finding.severity for finding in check_drain(**{**GOOD, **times})}


@pytest.mark.parametrize(
    ("well", "ill", "field", "severity"),
    [
        ({"propagation": 5.0}, {"propagation": 5.0 + NANO}, "pre_stop", ERROR),
        ({"pre_stop": 5.0}, {"pre_stop": 5.0 - NANO}, "pre_stop", ERROR),
        ({"drain": 10.0}, {"drain": 10.0 - NANO}, "drain", ERROR),
        ({"drain": 20.0, "p99": 20.0}, {"drain": 20.0, "p99": 20.0 + NANO}, "drain", ERROR),
        # what the hook waits after everybody has heard is drained as well
        ({"pre_stop": 9.0, "drain": 6.0}, {"pre_stop": 9.0 - NANO, "drain": 6.0}, "drain", ERROR),
        ({"pre_stop": 15.0, "drain": 0.0}, {"pre_stop": 15.0 - NANO, "drain": 0.0}, "drain", ERROR),
        ({"grace": 25.0}, {"grace": 25.0 - NANO}, "grace", WARNING),
        ({"drain": 25.0}, {"drain": 25.0 + NANO}, "grace", WARNING),
        ({"pre_stop": 10.0}, {"pre_stop": 10.0 + NANO}, "grace", WARNING),
        ({"grace": 15.0, "drain": 10.0}, {"grace": 15.0 - NANO, "drain": 10.0}, "grace", ERROR),
    ],
)
def test_both_sides_of_a_threshold(well, ill, field, severity):
    assert found(**well) == {}
    assert found(**ill) == {field: severity}


def test_the_grace_period_from_a_warning_to_an_error():
    assert found(grace=15.0) == {"grace": WARNING}, "99 of 100 still end"
    assert found(grace=15.0 - NANO) == {"grace": ERROR}
    assert found(p99=0.0, grace=5.0) == {"grace": WARNING}, "killed when the last has ended"
    assert found(p99=0.0, grace=5.0 - NANO) == {"grace": ERROR}, "killed while requests are sent to it"


WORDS = [
    ({"propagation": 7.5}, ["for 2.5 s requests are sent", "set pre_stop to 7.5 s"]),
    ({"drain": 4.0}, ["the last requests have 4 s", "set drain to 10 s"]),
    ({"drain": 4.0, "pre_stop": 6.0}, ["the last requests have 5 s", "set drain to 9 s"]),
    ({"grace": 22.0}, ["cut short after 17 s", "set grace to 25 s"]),
    ({"grace": 5.0, "p99": 0.0}, ["the drain never begins", "set grace to 25 s"]),
    ({"grace": 12.0}, ["killed 7 s after the last request:", "set grace to 25 s"]),
    ({"grace": 4.0, "p99": 0.0}, ["killed, and for 1 s more requests are sent", "set grace to 25 s"]),
    ({"grace": 29.0, "drain": 24.0, "propagation": 9.0}, ["set pre_stop to 9 s", "cut short after 20 s", "to 33 s"]),
]


@pytest.mark.parametrize(("times", "words"), WORDS)
def test_what_is_said(times, words):
    text = "\n".join(str(finding) for finding in check_drain(**{**GOOD, **times}))
    assert [word for word in words if word not in text] == []


def test_sums_are_of_whole_nanoseconds():
    """0.1 + 0.2 is above 0.3 as floats."""
    assert check_drain(p99=0.2, drain=0.2, grace=0.3, pre_stop=0.1, propagation=0.1) == ()
    assert check_drain(p99=0.7, drain=0.7, grace=0.8, pre_stop=0.1, propagation=0.1) == ()


def played(p99, drain, grace, pre_stop, propagation):
    """One request each quarter of a second as long as somebody sends; how many are refused, how many are cut."""
    refused = cut = 0
    for arrival in range(4 * propagation):
        if arrival >= 4 * min(pre_stop, grace):
            refused += 1
        elif arrival + 4 * p99 >= 4 * min(pre_stop + drain, grace):
            cut += 1
    return refused, cut


@given(*[st.integers(0, 12)] * 5)
def test_an_error_is_a_request_that_fails(p99, drain, grace, pre_stop, propagation):
    """Played out with requests that all last p99 seconds: there are errors if and only if some fail."""
    refused, cut = played(p99, drain, grace, pre_stop, propagation)
    errors = {f.field for f in check_drain(p99, drain, grace, pre_stop, propagation) if f.severity is ERROR}
    if propagation == 0:  # nobody sends; the check still speaks of what was under way at the beginning
        assert bool(errors) is (p99 > min(pre_stop + drain, grace))
        return
    last = min(pre_stop, grace, propagation)
    cut_at_the_end = last + p99 > min(pre_stop + drain, grace)
    assert bool(errors) is bool(refused or cut_at_the_end)
    assert not cut or cut_at_the_end
    assert bool(refused) is (propagation > min(pre_stop, grace))
    assert ("pre_stop" in errors) is (propagation > pre_stop)


@given(*[st.floats(0.0, 100.0) | st.integers(0, 40)] * 5)
def test_with_all_fixes_made_there_is_nothing_left(p99, drain, grace, pre_stop, propagation):
    times = {"drain": drain, "grace": grace, "pre_stop": pre_stop}
    findings = check_drain(p99, propagation=propagation, **times)
    assert [f.field for f in findings] == [
        name for name in ("pre_stop", "drain", "grace") if name in {f.field for f in findings}
    ]
    for finding in findings:
        value = float(re.search(r"set \w+ to ([\d.]+) s", finding.fix)[1])
        assert value > times[finding.field], "a fix is another value"
        times[finding.field] = value
    assert check_drain(p99, propagation=propagation, **times) == ()
    for finding in findings:  # and none of them is larger than it must be
        less = {**times, finding.field: times[finding.field] - 1e-6}
        if less[finding.field] >= 0:
            assert check_drain(p99, propagation=propagation, **less) != ()


def test_a_drain_too_short_is_found_behind_a_grace_period_that_hides_it():
    times = {"p99": 8.0, "drain": 5.0, "grace": 2.0, "pre_stop": 10.0, "propagation": 10.0}
    assert [f.fix for f in check_drain(**times)] == ["set drain to 8 s or more", "set grace to 18 s or more"]


def test_defaults_that_do_not_go_together():
    """ELB keeps a target for 300 s, but Kubernetes has killed it after 30."""
    drain, grace = ELB_DEREGISTRATION_DELAY.seconds, KUBERNETES_GRACE.seconds
    (finding,) = check_drain(p99=2.0, drain=drain, grace=grace, pre_stop=0.0, propagation=0.0)
    assert (finding.field, finding.severity) == ("grace", WARNING)
    assert "after 30 s" in finding.consequence


def test_defaults_have_sources():
    assert [default.seconds for default in DEFAULTS] == [300.0, 600.0, 5.0, 1.0, 30.0]
    assert all(default.source and default.meaning for default in DEFAULTS)
    assert len({default.name for default in DEFAULTS}) == len(DEFAULTS)


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "5", None, True, 2.0**54])
def test_bad_times(name, value):
    with pytest.raises(ConfigError) as refused:
        check_drain(**{**GOOD, name: value})
    assert refused.value.parameter == name
