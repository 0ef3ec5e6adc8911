"""Whatever can be read can be audited: edited files end in advice or in a typed error, every preset has an audit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import presets
from lbalgo.advice import Facts, Setup, audit
from lbalgo.advice.reading import read_advice
from lbalgo.compat import envoy, haproxy, nginx
from lbalgo.errors import LBError
from lbalgo.findings import Finding
from tests.advice.test_command import FULL
from tests.fuzz.targets import ENVOY, HAPROXY, NGINX
from tests.fuzz.test_targets import edited

KNOWN = Facts(p99=2.0, drain=1.0, grace=3.0, rate=5.0, detect_within=1.0, max_excess=1e-3, retries=3, strangers=True)


def audited(setup):
    findings = audit(setup)
    assert all(isinstance(finding, Finding) and "\n" not in finding.field for finding in findings)
    assert [Finding.from_dict(finding.to_dict()) for finding in findings] == list(findings)


@given(data=edited((FULL.encode(),)))
def test_edited_files(data):
    try:
        setup, _, _ = read_advice(data.decode("utf-8", "surrogateescape"))
    except LBError:
        return
    if setup is not None:
        audited(setup)


@pytest.mark.parametrize(("room", "seed"), [(envoy, ENVOY), (haproxy, HAPROXY), (nginx, NGINX)], ids=["e", "h", "n"])
@given(data=st.data())
def test_edited_configurations_of_others(room, seed, data):
    try:
        loaded = room.load(data.draw(edited((seed,))).decode("utf-8", "surrogateescape"), strict=False)
        setup = Setup.of(loaded, KNOWN)
    except LBError:
        return
    audited(setup)


@pytest.mark.parametrize("name", [name for name in presets.__all__ if name.islower()])
def test_presets(name):
    preset = getattr(presets, name)()
    parts = preset.parts()
    setup = Setup(parts.policy, ["a", "b", "c"], parts.signals, parts.gates, preset.panic_below, KNOWN)
    audited(setup)
    assert any(finding.field == "retries" for finding in audit(setup)), "no preset has a retry budget"


def test_policies_are_found_inside_of_others():
    policy = lb.ByPriority(lb.BoundedLoad(lb.Maglev(251)))
    setup = Setup(policy)
    assert setup.policies == (policy, policy.policy, policy.policy.policy)
    assert (setup.kind, Setup().kind) == ("Maglev", "NoneType")
    assert Setup(envoy.WrrLocality()).kind == "envoy.ClientSideWeightedRoundRobin"
