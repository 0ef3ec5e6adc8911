"""`benchmarks/scale.py`: every policy is in it, with what its docstring claims."""

import pytest

import lbalgo as lb
from benchmarks import scale
from lbalgo import policies


def test_every_policy_and_every_rule_is_there():
    exported = [getattr(policies, name) for name in policies.__all__]
    assert {one for one in exported if hasattr(one, "build")} == {type(c.policy) for c in scale.CLAIMS.values()}
    assert {one for one in exported if hasattr(one, "coverage")} == {type(rule) for rule in scale.RULES}


@pytest.mark.parametrize("name", scale.CLAIMS)
def test_each_claims_something(name):
    claim = scale.CLAIMS[name]
    assert claim.pick.startswith("O(") and claim.build.startswith("O(")
    assert 0 < claim.least(10) <= claim.least(100_000)


def test_claims_are_the_docstrings():
    assert scale.claimed(lb.Maglev(), "build") == "O(M log M)" == scale.claimed(lb.TopK(lb.Maglev()), "build")
    assert scale.claimed(lb.BoundedLoad(lb.Jump()), "pick") == "O(N)"
    assert scale.claimed(lb.WeightedRoundRobin(), "build") == "O(W sqrt(W))"
    assert [scale.claimed(lb.LeastLoaded(), "pick", other) for other in (False, True)] == ["O(log N)", "O(N)"]
    assert {scale.part(rule).build for rule in scale.RULES} == {"O(N log N)"}
    with pytest.raises(LookupError, match="int says nothing of a pick"):
        scale.claimed(3, "pick")
