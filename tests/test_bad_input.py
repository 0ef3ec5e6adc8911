"""The bad-input table: what every public name refuses, with which error, and that nothing is changed by it."""

import math

import pytest

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.testing import SignalContract, check_picker
from tests.bad_input import (
    advice,
    affinity,
    core,
    draining,
    health,
    loads,
    machines,
    parts,
    policies,
    relatives,
    scores,
    snapshots,
    subsets,
    told,
)
from tests.bad_input.rows import ANY

TABLE = [
    *core.TABLE,
    *policies.TABLE,
    *machines.TABLE,
    *loads.TABLE,
    *health.TABLE,
    *draining.TABLE,
    *advice.TABLE,
    *snapshots.TABLE,
    *affinity.TABLE,
    *relatives.TABLE,
    *subsets.TABLE,
    *parts.TABLE,
    *told.TABLE,
    *scores.TABLE,
]
COVERED = {name for name, *_ in TABLE}
EXCEPTIONS = {
    **dict.fromkeys(("Backend", "Load", "Picker", "Policy", "Signal", "TicketDecided"), "a protocol"),
    **dict.fromkeys(("Key", "Hasher"), "a type alias"),
    **dict.fromkeys(
        ("LBError", "ConfigError", "DuplicateBackend", "NoBackend", "NotAdmitted", "UnknownBackend"),
        "carries what it is given",
    ),
    **dict.fromkeys(("State", "Lookup", "Ties", "DrainOrder"), "an enum: Python refuses what is no member"),
    **dict.fromkeys(("Best", "XXH64", "XXH3"), "takes nothing"),
    "kernels": "takes nothing",
    **dict.fromkeys(("Stats", "events"), "frozen records that the balancer and the signals fill in"),
    "Explanation": "a frozen record that `explain` fills in",
    "HeavyHitter": "a frozen record that `HeavyHitters` fills in",
    **dict.fromkeys(("advice", "estimators", "gates", "measure", "sim"), "a module, with bad-input tests of its own"),
}
CASES = [
    pytest.param(make, state, call, error, facts, id=f"{name}-{block}-{row}")
    for block, (name, make, state, rows) in enumerate(TABLE)
    for row, (call, error, facts) in enumerate(rows)
]


def same(a, b):
    return a is b or a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize(("make", "state", "call", "error", "facts"), CASES)
def test_refused_and_nothing_changed(make, state, call, error, facts):
    subject = None if make is None else make()
    before = state(subject)
    with pytest.raises(error) as refused:
        call(subject)
    assert type(refused.value) is error
    for name, value in facts.items():
        assert value is ANY or same(getattr(refused.value, name), value), f"{name} is {getattr(refused.value, name)!r}"
    assert str(refused.value), "an error says something"
    assert state(subject) == before


def test_every_public_name_is_in_the_table_or_has_a_reason():
    assert set(lb.__all__) - COVERED == set(EXCEPTIONS)
    assert not COVERED & set(EXCEPTIONS)


def test_the_secret_is_never_shown():
    with pytest.raises(ConfigError) as refused:
        lb.SipHash(b"very secret")
    assert "very" not in str(refused.value) + repr(refused.value)


def test_contracts_refuse_to_certify_nothing():
    with pytest.raises(TypeError):
        SignalContract().signal()
    with pytest.raises(AssertionError):
        check_picker(lb.Maglev(251).build(["a", "b"]), eligible=["a"])
