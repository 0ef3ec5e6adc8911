"""Two tiers against the laws derived in the module, at alpha 1e-9, and polarisation against counting by hand."""

import numpy as np
import pytest
from scipy import stats

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.gates.second_chance import SecondChance
from lbalgo.measure.tiers import FLOWS, Keep, Spray, Tiers, breakage, polarisation
from lbalgo.policies.stable_table import StableTable

L, B = tuple(f"l{i}" for i in range(8)), tuple(f"b{i}" for i in range(20))
RENDEZVOUS, ALPHA = lb.Rendezvous(), 1e-9


def binomial(part, chance, flows=FLOWS):
    return stats.binomtest(round(part * flows), flows, chance).pvalue > ALPHA


@pytest.mark.parametrize(("spray", "moved"), [(Spray.MODULO, 7 / 8), (Spray.CONSISTENT, 1 / 8)])
@pytest.mark.parametrize("keep", [Keep.NOTHING, Keep.TABLE, Keep.JET])
def test_a_balancer_leaves(spray, moved, keep):
    """Every flow finds its backend: all balancers have one table."""
    (change,) = breakage(RENDEZVOUS, [Tiers(L, B), Tiers(L[:7], B)], spray=spray, keep=keep)
    assert change.broken == change.lost == 0 and binomial(change.resprayed, moved)


@pytest.mark.parametrize(("keep", "chance"), [(Keep.NOTHING, 1 / 21), (Keep.TABLE, 0), (Keep.JET, 0)])
def test_a_backend_joins(keep, chance):
    (change,) = breakage(RENDEZVOUS, [Tiers(L, B), Tiers(L, (*B, "new"))], keep=keep)
    assert change.resprayed == change.lost == 0
    assert binomial(change.broken, chance) if chance else change.broken == 0


@pytest.mark.parametrize("keep", list(Keep)[:3])
def test_a_backend_leaves_and_only_its_flows_are_lost(keep):
    (change,) = breakage(RENDEZVOUS, [Tiers(L, B), Tiers(L, B[:19])], keep=keep)
    assert change.broken == 0 and binomial(change.lost, 1 / 20)


@pytest.mark.parametrize(("spray", "moved"), [(Spray.MODULO, 7 / 8), (Spray.CONSISTENT, 1 / 8)])
@pytest.mark.parametrize("keep", [Keep.TABLE, Keep.JET])
def test_a_balancer_leaves_after_a_backend_joined(spray, moved, keep):
    """The product law: moved by the spray, and changed in the table since."""
    steps = [Tiers(L, B), Tiers(L, (*B, "new")), Tiers(L[:7], (*B, "new"))]
    joined, left = breakage(RENDEZVOUS, steps, spray=spray, keep=keep)
    assert joined.broken == 0 and binomial(left.broken, moved / 21)


def test_a_flow_breaks_once():
    steps = [Tiers(L, B), Tiers(L, (*B, "new")), Tiers(L, (*B, "new")), Tiers(L, B)]
    joined, same, left = breakage(RENDEZVOUS, steps, keep=Keep.NOTHING)
    assert joined.broken > 0 and same.broken == left.broken == left.lost == 0


def test_what_is_held():
    steps = [Tiers(L, B), Tiers(L, (*B, "new"))]
    table, jet = (breakage(RENDEZVOUS, steps, keep=keep)[0].held for keep in (Keep.TABLE, Keep.JET))
    assert table == 1.0 and binomial(jet, 1 / 21)


@pytest.mark.parametrize("policy", [SecondChance(bytes(16), rows=4096), StableTable(4099)])
def test_backends_that_help(policy):
    """One change after the other, at either tier: nothing breaks; two changes of one row do."""
    one, two = (*B, "new"), (*B, "new", "newer")
    joined, left, again = breakage(
        policy, [Tiers(L, B), Tiers(L, one), Tiers(L[:7], one), Tiers(L[:7], two)], keep=Keep.CHANCES
    )
    assert joined.broken == left.broken == 0 and left.resprayed > 0.8 and again.held == 0
    assert 0 < again.broken < 2 / 21 / 22 * 1.5


def test_without_memory_the_broken_are_the_disruption():
    before, after = lb.Maglev(1009).build(B), lb.Maglev(1009).build((*B, "new"))
    moved = lb.measure.disruption(before, after, keys=np.arange(FLOWS, dtype=np.uint64)).moved
    (change,) = breakage(lb.Maglev(1009), [Tiers(L, B), Tiers(L, (*B, "new"))], keep=Keep.NOTHING)
    assert change.broken == moved


def test_polarisation_by_hand():
    """One point a backend and one hash: balancer k sees the k-th part of the circle, and who owns something there."""
    ring, keys = lb.RingHash(1).build([f"b{i}" for i in range(16)]), range(4000)
    seen = [set() for _ in range(8)]
    for key in keys:
        seen[lb.hash_key(key) * 8 >> 64].add(ring.pick(key).id)
    wanted = sum(map(len, seen)) / 8 / 16
    assert polarisation(ring, 8, flows=4000).reach == pytest.approx(wanted, abs=1e-12) and wanted < 0.4


@pytest.mark.parametrize(
    ("spray", "policy"), [(Spray.RANGE, lb.RingHash(100)), (Spray.MODULO, SecondChance(bytes(16), 4096))]
)
def test_another_seed_ends_it(spray, policy):
    picker = policy.build([f"b{i}" for i in range(100)])
    same, other = (polarisation(picker, 64, spray=spray, spray_seed=seed, flows=2**18) for seed in (None, 1))
    assert same.reach < 0.8 and other.reach > 0.99
    assert same.peak > 1.8 * other.peak and same.total_peak == other.total_peak


def test_a_prime_table_does_not_mind_a_modulo():
    picker = lb.Maglev().build([f"b{i}" for i in range(100)])
    same, other = (polarisation(picker, 64, spray=Spray.MODULO, spray_seed=seed, flows=2**18) for seed in (None, 1))
    assert same.reach == other.reach == 1.0 and same.peak == pytest.approx(other.peak, rel=0.1)


GOOD = [Tiers(L, B), Tiers(L[:7], B)]


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: breakage(RENDEZVOUS, GOOD[:1]), "steps"),
        (lambda: breakage(RENDEZVOUS, [*GOOD, Tiers((), B)]), "steps"),
        (lambda: breakage(RENDEZVOUS, GOOD, keep="TABLE"), "keep"),
        (lambda: breakage(RENDEZVOUS, GOOD, spray=None), "spray"),
        (lambda: breakage(RENDEZVOUS, GOOD, flows=0), "flows"),
        (lambda: breakage(lb.Maglev(), GOOD, keep=Keep.JET), "policy"),
        (lambda: breakage(lb.Maglev(), GOOD, keep=Keep.CHANCES), "policy"),
        (lambda: polarisation(lb.RoundRobin().build(B), 8), "picker"),
        (lambda: polarisation(lb.Maglev().build(B), 0), "balancers"),
    ],
)
def test_what_is_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
