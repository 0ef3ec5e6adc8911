"""Shares of a thinned pool, counted the long way: every outcome of the coins, every order, one by one."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.policies.building import first_accepting

FACTORS = [
    {"a": 0.25, "b": 0.5},
    {"b": 0.5, "c": 0.125},
    {"a": 0.75, "b": 0.5, "c": 0.25},  # all lie below the greatest, d's
    {"a": 0.5},
]
DOWN = [(), ("b",), ("a",), ("d",), ("b", "c", "d"), ("c", "d"), ("a", "d")]


def heads(order, accept):
    """P(slot is picked) for one base order: the first that accepts, or the first of all."""
    shares = dict.fromkeys(order, 0.0)
    for coins in itertools.product((True, False), repeat=len(order)):
        chance = np.prod([accept[s] if coin else 1.0 - accept[s] for s, coin in zip(order, coins, strict=True)])
        winner = next((s for s, coin in zip(order, coins, strict=True) if coin), order[0])
        shares[winner] += chance
    return shares


def view_of(pool, factors, down):
    return lb.View.of(pool, factors=factors, states=dict.fromkeys(down, lb.State.UNHEALTHY), panic_below=0.0)


@pytest.mark.parametrize("down", DOWN, ids=str)
@pytest.mark.parametrize("factors", FACTORS, ids=str)
def test_maglev(factors, down):
    """Of 211 positions a backend of weight 100 has runs far longer than the 4 N a walk goes forward."""
    view = view_of({"a": 100.0, "b": 2.0, "c": 1.0, "d": 1.0}, factors, down)
    picker = lb.Maglev(table_size=211).build(view)
    table, accept = np.asarray(picker.structure.table()).tolist(), picker.acceptance()
    expected = np.zeros(4)
    beyond = 0
    for position in range(211):
        met = list(dict.fromkeys(table[(position + step) % 211] for step in range(16)))
        rest = [slot for slot in range(4) if slot not in met]
        beyond += len(rest)
        orders = list(itertools.permutations(rest))
        for tail in orders:
            order = [slot for slot in [*met, *tail] if view.eligible[slot]]
            for slot, share in heads(order, accept).items():
                expected[slot] += share / len(orders) / 211
    assert beyond > 100
    assert picker.shares() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("down", DOWN, ids=str)
@pytest.mark.parametrize("factors", FACTORS, ids=str)
@pytest.mark.parametrize("policy", [lb.Jump(), lb.JumpBack()], ids=["Jump", "JumpBack"])
def test_jump(policy, factors, down):
    """The law: the eligible in every order alike."""
    view = view_of(["a", "b", "c", "d"], factors, down)
    picker = policy.build(view)
    able = np.flatnonzero(view.eligible).tolist()
    orders = list(itertools.permutations(able))
    expected = np.zeros(4)
    for order in orders:
        for slot, share in heads(order, picker.acceptance()).items():
            expected[slot] += share / len(orders)
    assert picker.shares() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12, 40])
def test_the_first_to_accept_by_exact_integration(n):
    """The integral over x of a_i times the product of 1 - a_j x, coefficient by coefficient."""
    accept = [Fraction(k + 1, n + 1) for k in range(n)]
    wanted = []
    for i, a in enumerate(accept):
        terms = [Fraction(1)]
        for other in accept[:i] + accept[i + 1 :]:
            terms = [low - other * high for low, high in zip([*terms, 0], [0, *terms], strict=True)]
        wanted.append(float(a * sum(term / (power + 1) for power, term in enumerate(terms))))
    assert first_accepting(np.array([float(a) for a in accept])) == pytest.approx(wanted, abs=1e-13)
