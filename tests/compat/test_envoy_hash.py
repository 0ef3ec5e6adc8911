"""RingHash and Maglev of Envoy as policies: the laws that hold, pools of all kinds, states, balancers, bad input."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, State, View
from lbalgo.compat import envoy
from lbalgo.compat.envoy.libcxx_sort import libcxx_order
from lbalgo.compat.envoy.normalized import Normalized
from lbalgo.compat.envoy.ring_hash import ring_counts
from lbalgo.testing import FakeClock, KeyedContract, check_picker
from lbalgo.testing import strategies as some

WEIGHTS = some.whole_weights(12).filter(lambda w: w > 0)
KINDS = [envoy.RingHash(minimum_ring_size=64), envoy.Maglev(251)]
NAMES = [f"10.0.0.{i}:80" for i in range(8)]


def named(policy):
    return type(policy).__name__


class OwnHealth:
    """What differs from the native laws: who may serve is decided by priorities and panic, and factors play no part."""

    keyed = True
    max_size = 33
    weights = WEIGHTS
    settings = settings(max_examples=15)
    test_panic_serves_the_unhealthy_but_never_the_draining = None  # Envoy's panic serves the draining too
    test_nobody_eligible_is_refused = None  # if all are draining, Envoy panics
    test_signals_move_only_what_fell_or_rose = None  # states rebuild the table, and a ring moves other keys too
    test_keys_only_return_while_signals_rise = None
    test_no_rebuild_restarts_a_sequence = None  # the keyless sequence goes on, but over other tables

    def eligible(self, view):
        picker = self.policy.build(view)
        return frozenset(i for i, able in zip(view.ids, picker.view.eligible.tolist(), strict=True) if able)


class TestMaglevContract(OwnHealth, KeyedContract):
    policy = envoy.Maglev(251)


class TestRingHashContract(OwnHealth, KeyedContract):
    policy = envoy.RingHash(minimum_ring_size=64)
    test_listing_order_is_irrelevant = None  # list order decides who gets the last points


class TestBoundedContract(OwnHealth, KeyedContract):
    policy = envoy.Maglev(251, hash_balance_factor=110)
    settings = settings(max_examples=5)
    test_bulk_equals_scalar = None  # decisions depend on loads
    test_shares_are_a_law = None
    test_equal_fingerprints_mean_equal_mappings = None
    test_listing_order_is_irrelevant = None  # the shuffle is one of places in the list


def spread(policy, **more):
    """A picker over two priorities, the first of which hands on a part."""
    hosts = [envoy.Host(f"10.0.{p}.{i}:80", 1 + i, priority=p) for p in (0, 1) for i in range(4)]
    states = {hosts[i].id: State.UNHEALTHY for i in (0, 1)}
    return policy.build(View.of(hosts, states=states), **more)


@pytest.mark.parametrize("policy", KINDS, ids=named)
class TestBothKinds:
    def test_one_priority_is_the_native_picker(self, policy):
        picker = policy.build(NAMES)
        assert type(picker) is type(lb.Maglev(251).build(NAMES))
        check_picker(picker)
        picker.check_invariants()

    def test_several_priorities(self, policy):
        picker = spread(policy)
        assert isinstance(picker, envoy.PriorityPicker)
        assert picker.priorities.healthy == (70, 30)
        check_picker(picker, eligible={i for slot, i in enumerate(picker.view.ids) if slot > 1})
        picker.check_invariants()
        tickets = picker.tickets(range(20000))
        share = np.bincount(picker.pick_many(tickets), minlength=8) / 20000
        assert abs(share[:4].sum() - 0.7) < 6.5 * math.sqrt(0.7 * 0.3 / 20000)  # alpha below 1e-9
        exact = picker.shares()
        assert (np.abs(share - exact) <= 6.7 * np.sqrt(exact * (1 - exact) / 20000)).all()  # alpha below 1e-9 for all
        assert {int(t) % 100 < 70 for t in tickets if picker.slot(int(t)) < 4} == {True}
        copy = pickle.loads(pickle.dumps(picker))
        assert copy.fingerprint() == picker.fingerprint()
        assert [copy.pick().id for _ in range(9)] == [picker.pick().id for _ in range(9)]

    def test_tables_are_taken_over(self, policy):
        first = spread(policy)
        again = spread(policy, previous=first)
        assert all(a is b for a, b in zip(first.tables, again.tables, strict=True))
        assert again.cursor is first.cursor
        plain = policy.build(NAMES)
        assert policy.build(NAMES, previous=plain).structure is plain.structure
        assert policy.build({n: 1 + (n == NAMES[0]) for n in NAMES}, previous=plain).structure is not plain.structure

    def test_a_priority_all_of_degraded_hosts_has_nobody(self, policy):
        """Degraded load sends keys to a table of healthy hosts, of which there is none."""
        degraded = View.of(NAMES, states=dict.fromkeys(NAMES, State.DEGRADED))
        with pytest.raises(NoBackend) as refused:
            policy.build(degraded).pick("k")
        assert refused.value.reason == "ineligible"
        hosts = [envoy.Host(f"10.0.{p}.{i}:80", priority=p) for p in (0, 1) for i in range(10)]
        states = {h.id: State.DEGRADED for h in hosts[:10]} | {h.id: State.UNHEALTHY for h in hosts[11:]}
        picker = policy.build(View.of(hosts, states=states))
        assert (picker.priorities.healthy, picker.priorities.degraded) == ((0, 14), (86, 0))
        lost = [k for k in range(500) if not list(picker.walk(k))]
        assert 380 < len(lost) < 470
        with pytest.raises(NoBackend):
            picker.pick(lost[0])
        with pytest.raises(NoBackend):
            picker.pick(lost[0], exclude=["x"])
        with pytest.raises(NoBackend):
            picker.pick_many(picker.tickets(lost))
        assert abs(picker.shares().sum() - 0.14) < 1e-9

    def test_bounded_over_priorities(self, policy):
        picker = spread(type(policy)(**{**vars(policy), "hash_balance_factor": 100}))
        for k in range(60):
            chosen = picker.pick(f"k{k % 5}")
            assert chosen == next(picker.walk(f"k{k % 5}"))
            assert picker.slot(int(picker.tickets([f"k{k % 5}"])[0])) == picker.view.ids.index(chosen.id)
            picker.load.started(int(picker.rows[picker.view.ids.index(chosen.id)]), 1.0, 0.0)
        check_picker(picker, eligible={i for slot, i in enumerate(picker.view.ids) if slot > 1})
        picker.check_invariants()

    def test_in_a_balancer(self, policy):
        policy = type(policy)(**{**vars(policy), "hash_balance_factor": 125})
        balancer = lb.Balancer(policy, NAMES, seed=3)
        leases = [balancer.acquire(f"user-{i % 2}") for i in range(40)]
        assert balancer.picker.load.total == 40
        assert max(balancer.picker.load.at(r) for r in range(8)) <= math.ceil(1.25 * 40 / 8) + 1
        balancer.update(dict.fromkeys(NAMES[2:], 2) | {"10.0.0.9:80": 1})
        assert balancer.picker.load.total == 40, "requests to those that left are in the cluster's count"
        for lease in leases:
            lease.done()
        assert balancer.picker.load.total == 0
        leases = [balancer.acquire("k") for _ in range(12)]
        assert len({lease.backend.id for lease in leases}) > 1

    def test_states_come_from_signals(self, policy):
        ejection = lb.OutlierEjection(max_ejection_percent=100)
        balancer = lb.Balancer(policy, NAMES[:4], signals=[ejection], clock=FakeClock(), seed=1)
        victim = balancer.acquire("k").backend.id
        for _ in range(5):
            lease = balancer.acquire("k")
            assert lease.backend.id == victim
            lease.status(500)
            lease.done(lb.Outcome.SERVER_ERROR)
        assert balancer.acquire("k").backend.id != victim
        assert balancer.picker.structure.slots == 4

    def test_plain_data(self, policy):
        policy = type(policy)(
            **{**vars(policy), "local_locality": ("r", "z", ""), "hash_balance_factor": 150, "ready_hash": True}
        )
        data = json.loads(json.dumps(policy.to_dict()))
        assert type(policy).from_dict(data) == policy
        assert hash(type(policy).from_dict(data)) == hash(policy)
        assert eval(repr(policy), vars(envoy)) == policy
        assert pickle.loads(pickle.dumps(policy)) == policy

    def test_ready_hashes(self, policy):
        ready = type(policy)(**{**vars(policy), "ready_hash": True})
        plain, picker = policy.build(NAMES), ready.build(NAMES)
        for key in ("a", "b", "c"):
            assert picker.pick(lb.hash_key(key)) == plain.pick(key)
        assert spread(ready).pick(lb.hash_key("a")) == spread(policy).pick("a")
        with pytest.raises(ConfigError, match="ready request hash"):
            picker.pick("not a hash")

    @pytest.mark.parametrize(
        ("weights", "name"),
        [
            ({"a:1": 0.0, "b:1": 1}, "weights['a:1']"),
            ({"a:1": 1.5}, "weights['a:1']"),
            ({"a:1": 2.0**32}, "weights['a:1']"),
        ],
    )
    def test_weights_envoy_does_not_take(self, policy, weights, name):
        before = policy.build(["a:1", "b:1"])
        with pytest.raises(ConfigError) as refused:
            policy.build(weights, previous=before)
        assert refused.value.parameter == name
        assert before.pick("k") == policy.build(["a:1", "b:1"]).pick("k")

    def test_weights_of_a_locality_fit_32_bits(self, policy):
        with pytest.raises(ConfigError) as refused:
            policy.build([envoy.Host("a:1", 2**32 - 1), envoy.Host("b:1")])
        assert refused.value.parameter == "weight"

    def test_nobody(self, policy):
        for pool, reason in (([], "empty"), (View.of(["a:1"], states={"a:1": State.DEGRADED}), "ineligible")):
            with pytest.raises(NoBackend) as refused:
                policy.build(pool).pick("k")
            assert refused.value.reason == reason
        never = type(policy)(**{**vars(policy), "healthy_panic_threshold": 0})
        with pytest.raises(NoBackend):
            never.build(View.of(["a:1"], states={"a:1": State.UNHEALTHY})).pick("k")

    def test_localities_without_weight_serve_nothing(self, policy):
        by_locality = type(policy)(**{**vars(policy), "locality_weighted_lb_config": True})
        with pytest.raises(NoBackend):
            by_locality.build(NAMES).pick("k")
        hosts = [envoy.Host(n, locality=("", "z"[: i % 2], ""), locality_weight=i % 2) for i, n in enumerate(NAMES)]
        picker = by_locality.build(hosts)
        assert {picker.pick(k).id for k in range(200)} == set(NAMES[1::2])

    def test_localities_that_disagree_are_refused(self, policy):
        with pytest.raises(ConfigError) as refused:
            type(policy)(**{**vars(policy), "locality_weighted_lb_config": True}).build(
                [envoy.Host("a:1", locality_weight=1), envoy.Host("b:1", locality_weight=2)]
            )
        assert (refused.value.parameter, refused.value.value) == ("locality_weight", 2)


BAD = [
    (envoy.RingHash, "minimum_ring_size", (-1, 8388609, 1.0, True, None)),
    (envoy.RingHash, "maximum_ring_size", (0, 8388609, "7")),
    (envoy.RingHash, "hash_function", ("XX_HASH", 0, None)),
    (envoy.RingHash, "libcxx_sort", (1, None)),
    (envoy.Maglev, "table_size", (1, 0, 4, 1000, 5000077, 65537.0, True)),
    *(
        (kind, name, values)
        for kind in (envoy.RingHash, envoy.Maglev)
        for name, values in (
            ("use_hostname_for_hashing", (1, None)),
            ("hash_balance_factor", (99, 0, 2**32, 125.0, True)),
            ("locality_weighted_lb_config", (1,)),
            ("overprovisioning_factor", (0, 1.4, True)),
            ("healthy_panic_threshold", (-1, 101, "50", math.nan)),
            ("weighted_priority_health", (None,)),
            ("local_locality", ("zone", ("a", "b"), ("a", "b", 3))),
            ("ready_hash", (0,)),
        )
    ),
]


@pytest.mark.parametrize(("kind", "name", "value"), [(k, n, v) for k, n, values in BAD for v in values])
def test_bad_parameters(kind, name, value):
    with pytest.raises(ConfigError) as refused:
        kind(**{name: value})
    assert refused.value.parameter == name
    assert refused.value.value is value


def test_sizes_that_contradict_each_other():
    with pytest.raises(ConfigError) as refused:
        envoy.RingHash(minimum_ring_size=11, maximum_ring_size=10)
    assert refused.value.parameter == "minimum_ring_size"
    with pytest.raises(ConfigError) as refused:
        envoy.RingHash(maximum_ring_size=10)
    assert refused.value.parameter == "minimum_ring_size"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"id": ""}, "id"),
        ({"weight": 0}, "weight"),
        ({"weight": 2**32}, "weight"),
        ({"weight": 1.0}, "weight"),
        ({"hash_key": 5}, "hash_key"),
        ({"hostname": None}, "hostname"),
        ({"priority": -1}, "priority"),
        ({"priority": 129}, "priority"),
        ({"locality": "zone"}, "locality"),
        ({"locality_weight": -1}, "locality_weight"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {1: 2}}, "metadata"),
        ({"metadata": (("a", 1), ("a", 2))}, "metadata"),
        ({"metadata": {"a": object()}}, "metadata"),
    ],
)
def test_bad_hosts(fields, name):
    with pytest.raises(ConfigError) as refused:
        envoy.Host(**{"id": "a:1", **fields})
    assert refused.value.parameter == name


def test_hosts_are_values():
    host = envoy.Host("a:1", metadata={"b": [1, {"c": None}], "a": True})
    assert host.metadata == (("a", True), ("b", (1, (("c", None),))))
    assert host == envoy.Host("a:1", metadata=host.metadata)
    assert len({host, pickle.loads(pickle.dumps(host))}) == 1
    assert envoy.Host("a:1", metadata={"hash_key": "x"}).key() == b"x"
    assert envoy.Host("a:1", metadata={"hash_key": 5}, hostname="h").key(use_hostname=True) == b"h"
    assert envoy.Host("a:1", hash_key="", hostname="").key(use_hostname=True) == b""
    assert not envoy.Host("a:1", metadata={"canary": "true"}).canary


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=40),
    st.integers(0, 3000),
    st.integers(1, 3000),
)
def test_points_are_counted_as_they_are_given(weights, least, most):
    """The loop as Envoy's documentation implies it, one point at a time."""
    total = sum(weights)
    n = Normalized(range(len(weights)), [w * 1.0 / total for w in weights])
    scale = min(math.ceil(n.least * least) / n.least, float(most))
    counts, current, target = [], 0.0, 0.0
    for weight in n.weights.tolist():
        target += scale * weight
        counts.append(0)
        while current < target:
            counts[-1] += 1
            current += 1.0
    assert ring_counts(n, least, most).tolist() == counts


def test_a_small_ring_leaves_hosts_out():
    picker = envoy.RingHash(minimum_ring_size=1, maximum_ring_size=1).build(["a:1", "b:1", "c:1"])
    assert {picker.pick(k).id for k in range(50)} == {"a:1"}
    assert [b.id for b in picker.walk("k")] == ["a:1"]
    with pytest.raises(NoBackend):
        envoy.RingHash(minimum_ring_size=0).build(["a:1"]).pick("k")


def test_more_hosts_than_positions():
    picker = envoy.Maglev(5).build([f"a:{i}" for i in range(9)])
    assert {picker.pick(k).id for k in range(200)} == {f"a:{i}" for i in range(5)}
    assert picker.shares().tolist() == [0.2] * 5 + [0.0] * 4


def test_tables_of_two_and_five_depend_on_the_priority():
    """Both sizes divide 100, so that the position is a function of the residue that chose the priority."""
    for size in (2, 5):
        picker = spread(envoy.Maglev(size))
        owners = picker.pick_many(np.arange(100, dtype=np.uint64))
        assert np.allclose(picker.shares(), np.bincount(owners, minlength=8) / 100, atol=1e-12)


@given(st.lists(st.integers(0, 40), max_size=400))
def test_the_emulated_sort_sorts(keys):
    order = libcxx_order(keys)
    assert sorted(order) == list(range(len(keys)))
    assert [keys[i] for i in order] == sorted(keys)


def test_the_slow_way_is_the_short_way():
    """One healthy priority takes a short way; plain endpoints and other priorities do not."""
    hosts = [envoy.Host(n, 1 + i) for i, n in enumerate(NAMES)]
    for policy in KINDS:
        short = policy.build(hosts)
        long = policy.build({n: 1 + i for i, n in enumerate(NAMES)})
        assert short.fingerprint() == long.fingerprint()
        assert policy.build([*hosts, envoy.Host("z:1", priority=1)]).pick("k") == short.pick("k")
