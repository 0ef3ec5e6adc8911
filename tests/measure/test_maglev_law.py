"""The law for Maglev's excess against tables that were built, and the size helper against the law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.measure import disruption, maglev_excess, maglev_size_for
from lbalgo.spec import is_prime


def excesses(n, size, pools):
    """Excess on the loss of one of n equal backends, over pools of different ids."""
    policy, sample = lb.Maglev(table_size=size), []
    for pool in range(pools):
        ids = [f"p{pool}-{i}" for i in range(n)]
        sample.append(disruption(policy.build(ids), policy.build(ids[1:])).excess)
    return np.array(sample)


@pytest.mark.parametrize("n, max_excess", [(10, 0.02), (30, 0.02), (100, 0.02), (200, 0.02)])
def test_size_keeps_what_it_promises_and_is_not_lavish(n, max_excess):
    """Over pools of fixed ids the mean is at most the promise, and at least two thirds of it."""
    sample = excesses(n, maglev_size_for(n, max_excess), 24)
    assert max_excess * 2 / 3 <= sample.mean() <= max_excess


@given(st.integers(2, 3000), st.floats(0.0005, 1.0))
def test_size_is_the_smallest_prime_by_the_law(n, max_excess):
    size = maglev_size_for(n, max_excess)
    assert is_prime(size)
    assert size >= n
    assert maglev_excess(n, size) <= max_excess
    smaller = size - 1
    while smaller >= n and not is_prime(smaller):
        smaller -= 1
    assert smaller < n or maglev_excess(n, smaller) > max_excess * (1 - 1e-9)


@given(st.integers(2, 3000), st.integers(3000, 10**6), st.integers(1, 10**6))
def test_a_larger_table_is_never_worse(n, size, more):
    assert maglev_excess(n, size + more) <= maglev_excess(n, size)


def test_of_two_backends_nothing_moves_in_vain():
    assert maglev_excess(2, 7) == 0.0
    assert maglev_size_for(2, 1e-9) == 2
    assert (excesses(2, 101, 10) == 0).all()


@pytest.mark.parametrize(
    "arguments, parameter",
    [((1, 0.1), "backends"), ((True, 0.1), "backends"), ((10, 0.0), "max_excess"), ((10, 1e-9), "max_excess")],
)
def test_refusals(arguments, parameter):
    with pytest.raises(lb.ConfigError) as error:
        maglev_size_for(*arguments)
    assert error.value.parameter == parameter
