"""Envoy's combinators: subsets by metadata, and hosts that the request names."""

import collections
import dataclasses
import json
import pickle

import pytest

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, Outcome, State, View
from lbalgo.compat import envoy
from lbalgo.compat.envoy import (
    Host,
    MetadataFallback,
    OverrideHost,
    OverrideHostSource,
    SelectionContext,
    Subset,
    SubsetFallback,
    SubsetSelector,
)

A, B = ("", "a", ""), ("", "b", "")
HOSTS = [
    Host("e1", metadata={"stage": "prod", "version": "1.0", "type": "std"}),
    Host("e2", metadata={"stage": "prod", "version": "1.0", "type": "std"}),
    Host("e3", metadata={"stage": "prod", "version": "1.1", "type": "std"}),
    Host("e4", metadata={"stage": "prod", "version": "1.1", "type": "std"}),
    Host("e5", metadata={"stage": "prod", "version": "1.0", "type": "bigmem"}),
    Host("e6", metadata={"stage": "prod", "version": "1.1", "type": "bigmem"}),
    Host("e7", metadata={"stage": "dev", "version": "1.2-pre", "type": "std", "xlarge": True}),
]
SELECTORS = (
    SubsetSelector(("stage", "type")),
    SubsetSelector(("stage", "version")),
    SubsetSelector(("version",)),
    SubsetSelector(("xlarge", "version")),
)
DOCUMENTED = Subset(
    envoy.RoundRobin(),
    SELECTORS,
    fallback_policy=SubsetFallback.DEFAULT_SUBSET,
    default_subset={"stage": "prod", "version": "1.0", "type": "std"},
)


def served(picker, n=30, **wanted):
    return {picker.pick(context=SelectionContext(wanted)).id for _ in range(n)}


def test_the_example_of_the_documentation():
    picker = DOCUMENTED.build(HOSTS)
    assert served(picker, stage="prod", type="std") == {"e1", "e2", "e3", "e4"}
    assert served(picker, stage="prod", type="bigmem") == {"e5", "e6"}
    assert served(picker, stage="prod", version="1.1") == {"e3", "e4", "e6"}
    assert served(picker, version="1.2-pre") == {"e7"}
    assert served(picker, xlarge=True, version="1.2-pre") == {"e7"}
    default = {"e1", "e2"}
    assert served(picker, xlarge=1, version="1.2-pre") == default, "1 is not true"
    assert served(picker, stage="prod") == default, "no selector has these keys"
    assert served(picker, stage="test", type="std") == default, "nobody has these values"
    assert served(picker) == default
    assert {picker.pick().id for _ in range(9)} == default


@pytest.mark.parametrize(
    ("fallback", "wanted"),
    [
        (SubsetFallback.NO_FALLBACK, None),
        (SubsetFallback.ANY_ENDPOINT, {f"e{i}" for i in range(1, 8)}),
        (SubsetFallback.DEFAULT_SUBSET, {"e7"}),
        (SubsetFallback.NOT_DEFINED, {"e7"}),
    ],
)
def test_fallbacks_of_a_selector(fallback, wanted):
    selectors = (SubsetSelector(("stage",), fallback),)
    policy = Subset(envoy.Random(), selectors, SubsetFallback.DEFAULT_SUBSET, default_subset={"stage": "dev"})
    picker = policy.build(HOSTS)
    if wanted is None:
        with pytest.raises(NoBackend, match="eligible"):
            served(picker, stage="test")
        assert list(picker.walk(context=SelectionContext({"stage": "test"}))) == []
    else:
        assert served(picker, 200, stage="test") == wanted


def test_fewer_keys():
    fewer = SubsetSelector(("stage", "version"), SubsetFallback.KEYS_SUBSET, ("stage",))
    nobody = SubsetSelector(("stage",), SubsetFallback.NO_FALLBACK)
    picker = Subset(envoy.RoundRobin(), (nobody, fewer), SubsetFallback.ANY_ENDPOINT).build(HOSTS)
    assert served(picker, stage="dev", version="9") == {"e7"}
    with pytest.raises(NoBackend):
        served(picker, stage="test", version="9")


def test_the_fallback_of_keys_that_begin_an_earlier_selectors_is_not_heard():
    """So does the running program: tests/live found it."""
    longer = SubsetSelector(("stage", "version"), SubsetFallback.NO_FALLBACK)
    nobody = SubsetSelector(("stage",), SubsetFallback.NO_FALLBACK)
    other = SubsetSelector(("version",), SubsetFallback.NO_FALLBACK)
    everybody = {host.id for host in HOSTS}
    picker = Subset(envoy.RoundRobin(), (longer, nobody, other), SubsetFallback.ANY_ENDPOINT).build(HOSTS)
    assert served(picker, stage="test") == everybody
    for wanted in ({"version": "9"}, {"stage": "test", "version": "9"}):
        with pytest.raises(NoBackend):
            served(picker, **wanted)
    twice = SubsetSelector(("stage",), SubsetFallback.ANY_ENDPOINT)
    picker = Subset(envoy.RoundRobin(), (nobody, twice), SubsetFallback.ANY_ENDPOINT).build(HOSTS)
    with pytest.raises(NoBackend):
        served(picker, stage="test")


def test_redundant_keys_only_where_allowed():
    for allowed in (False, True):
        picker = Subset(envoy.RoundRobin(), SELECTORS, allow_redundant_keys=allowed).build(HOSTS)
        if allowed:
            assert served(picker, stage="prod", type="bigmem", odd=3) == {"e5", "e6"}
            assert served(picker, stage="prod", type="bigmem", version="1.1") == {"e5", "e6"}, "the first selector"
            assert served(picker, version="1.2-pre", xlarge=True, type="std") == {"e7"}, "one with more keys first"
            less = Subset(envoy.RoundRobin(), SELECTORS[2:] + SELECTORS[:1], allow_redundant_keys=True).build(HOSTS)
            assert served(less, stage="prod", type="bigmem", version="1.1") == {"e5", "e6"}, "one with more keys first"
        else:
            with pytest.raises(NoBackend):
                served(picker, stage="prod", type="bigmem", odd=3)


def test_lists_as_any_of_their_elements():
    hosts = [Host("a", metadata={"v": [1, 2]}), Host("b", metadata={"v": [2, 3], "w": ["x", "y"]})]
    selectors = (SubsetSelector(("v",)), SubsetSelector(("v", "w")))
    picker = Subset(envoy.RoundRobin(), selectors, list_as_any=True).build(hosts)
    assert [served(picker, v=v) for v in (1, 2, 3)] == [{"a"}, {"a", "b"}, {"b"}]
    assert served(picker, v=3, w="x") == {"b"}
    plain = Subset(envoy.RoundRobin(), selectors).build(hosts)
    assert served(plain, v=[1, 2]) == {"a"}
    with pytest.raises(NoBackend):
        served(plain, v=1)


def test_a_list_without_elements_takes_away_the_keys_before_it():
    hosts = [Host("a", metadata={"v": [], "w": "x"}), Host("b", metadata={"v": [2], "w": "x"})]
    picker = Subset(envoy.RoundRobin(), (SubsetSelector(("v", "w")),), list_as_any=True).build(hosts)
    assert served(picker, v=2, w="x") == {"b"}
    assert served(picker, w="x") == {"a"}


def test_a_default_subset_of_lists():
    hosts = [Host("a", metadata={"v": [1, 2]}), Host("b", metadata={"v": [3]})]
    shared = {"fallback_policy": SubsetFallback.DEFAULT_SUBSET, "default_subset": {"v": 2}}
    assert served(Subset(envoy.RoundRobin(), list_as_any=True, **shared).build(hosts)) == {"a"}
    with pytest.raises(NoBackend):
        served(Subset(envoy.RoundRobin(), **shared).build(hosts))


def test_one_host_a_subset():
    policy = Subset(envoy.RingHash(0), (SubsetSelector(("stage",), single_host_per_subset=True),))
    picker = policy.build(HOSTS)
    assert served(picker, stage="prod") == {"e1"}
    sick = policy.build(View.of(HOSTS, states={"e1": State.DRAINING}, panic_below=0.0))
    assert served(sick, stage="prod") == {"e1"}, "whatever its health, and though the ring has no points"
    prod = SelectionContext({"stage": "prod"})
    assert [host.id for host in picker.walk(context=prod)] == ["e1"]
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick(context=prod, exclude={"e1"})
    first = [dataclasses.replace(HOSTS[0], priority=1), *HOSTS[1:]]
    assert served(policy.build(first), stage="prod") == {"e2"}, "of the best priority"


def test_localities_have_no_weights_in_subsets_that_are_not_aware_of_them():
    hosts = [Host(f"{zone}{i}", locality=("", zone, ""), metadata={"stage": "prod"}) for zone in "ab" for i in range(2)]
    policy = envoy.RingHash(locality_weighted_lb_config=True)
    with pytest.raises(NoBackend):
        policy.build(hosts).pick("a key")  # nobody has a weight
    selectors = (SubsetSelector(("stage",)),)
    prod = SelectionContext({"stage": "prod"})
    inside = Subset(policy, selectors).build(hosts)
    plain = envoy.RingHash().build(hosts)
    assert [inside.pick(k, context=prod) for k in range(50)] == [plain.pick(k) for k in range(50)]
    with pytest.raises(NoBackend):
        Subset(policy, selectors, locality_weight_aware=True).build(hosts).pick("a key", context=prod)


@pytest.mark.parametrize(("elsewhere", "points"), [(1, 855), (5, 513), (0, 1025)])
def test_weights_of_localities_without_a_host_in_the_subset_count(elsewhere, points):
    """Weights 2 and 3 beside 1: shares 1/3 and 1/2, so 342 and 513 points; beside 5: 205 and 308."""

    def hosts(weight):
        return [
            Host("a", locality=("", "a", ""), locality_weight=2, metadata={"stage": "prod"}),
            Host("b", locality=("", "b", ""), locality_weight=3, metadata={"stage": "prod"}),
            Host("c", locality=("", "c", ""), locality_weight=weight),
        ]

    inside = envoy.RingHash(locality_weighted_lb_config=True)
    policy = Subset(inside, (SubsetSelector(("stage",)),), locality_weight_aware=True)

    def size(picker):
        (ring,) = [p.structure.size for pairs, p in picker.pickers.items() if pairs[0][0] == "stage"]
        return ring

    picker = policy.build(hosts(elsewhere))
    assert size(picker) == size(pickle.loads(pickle.dumps(picker))) == points
    assert size(policy.build(hosts(elsewhere), previous=policy.build(hosts(7)))) == points
    assert size(policy.build(hosts(elsewhere), previous=picker)) == points


@pytest.mark.parametrize(("weight", "scaled"), [(1, 1), (3, 2), (0, 0)])
def test_locality_weights_in_the_scale_of_a_subset(weight, scaled):
    """Half of the locality's hosts: a half rounds up."""
    metadata = {"stage": "prod"}
    hosts = [
        Host("a0", locality=("", "a", ""), locality_weight=weight, metadata=metadata),
        Host("a1", locality=("", "a", ""), locality_weight=weight),
        Host("b0", locality=("", "b", ""), locality_weight=1, metadata=metadata),
    ]
    policy = envoy.Maglev(1021, locality_weighted_lb_config=True)
    shared = {"locality_weight_aware": True, "scale_locality_weight": True}
    picker = Subset(policy, (SubsetSelector(("stage",)),), **shared).build(hosts)
    (inside,) = [p for pairs, p in picker.pickers.items() if pairs[0][0] == "stage"]
    assert inside.shares() == pytest.approx([scaled / (scaled + 1), 1 / (scaled + 1)], abs=1 / 1021)


def test_metadata_in_turn():
    policy = Subset(envoy.RoundRobin(), SELECTORS, metadata_fallback_policy=MetadataFallback.FALLBACK_LIST)
    picker = policy.build(HOSTS)
    assert served(picker, fallback_list=[{"version": "9"}, {"version": "1.2-pre"}]) == {"e7"}
    assert served(picker, stage="prod", fallback_list=[{"type": "gpu"}, {"type": "bigmem"}]) == {"e5", "e6"}
    assert served(picker, version="1.1", fallback_list=[]) == {"e3", "e4", "e6"}


def test_a_sick_subset_panics_and_does_not_fall_back():
    states = {"e5": State.UNHEALTHY, "e6": State.UNHEALTHY}
    picker = DOCUMENTED.build(View.of(HOSTS, states=states))
    assert served(picker, stage="prod", type="bigmem") == {"e5", "e6"}
    calm = Subset(envoy.RoundRobin(healthy_panic_threshold=0), SELECTORS, SubsetFallback.ANY_ENDPOINT)
    with pytest.raises(NoBackend):
        served(calm.build(View.of(HOSTS, states=states)), stage="prod", type="bigmem")


def test_panic_mode_any():
    states = {"e7": State.UNHEALTHY}
    inner = envoy.RoundRobin(healthy_panic_threshold=0)
    for any_host in (False, True):
        policy = Subset(
            inner, (), SubsetFallback.DEFAULT_SUBSET, default_subset={"stage": "dev"}, panic_mode_any=any_host
        )
        picker = policy.build(View.of(HOSTS, states=states))
        if any_host:
            assert served(picker) == {f"e{i}" for i in range(1, 7)}
        else:
            with pytest.raises(NoBackend):
                picker.pick()


def test_weights_of_localities_in_subsets():
    hosts = [
        *(Host(f"a{i}", locality=A, locality_weight=4, metadata={"v": str(i // 2)}) for i in range(4)),
        *(Host(f"b{i}", locality=B, locality_weight=4, metadata={"v": "0"}) for i in range(2)),
    ]
    inner = envoy.RoundRobin(locality_weighted_lb_config=True, locality_start=0)
    shares = {}
    for aware, scaled in ((False, False), (True, False), (True, True)):
        policy = Subset(inner, (SubsetSelector(("v",)),), locality_weight_aware=aware, scale_locality_weight=scaled)
        picker = policy.build(hosts)
        picks = collections.Counter(picker.pick(context=SelectionContext({"v": "0"})).id[0] for _ in range(300))
        shares[aware, scaled] = picks["a"]
    assert shares == {(False, False): 150, (True, False): 150, (True, True): 100}


def test_subsets_go_on_where_they_stood_and_share_what_is_in_flight():
    policy = Subset(
        envoy.LeastRequest(selection_method=envoy.SelectionMethod.FULL_SCAN), SELECTORS, SubsetFallback.ANY_ENDPOINT
    )
    picker = policy.build(HOSTS)
    for row in range(6):
        picker.load.started(row, 1.0, 0.0)
    assert picker.pick().id == "e7"
    picker = policy.build([*HOSTS, Host("e8", metadata={"version": "1.0"})], previous=picker)
    assert served(picker, version="1.0") == {"e8"}, "the others are known to be busy"
    picker.load.started(7, 1.0, 1.0)
    picker.load.started(7, 1.0, 1.0)
    newer = [*HOSTS, Host("e8", metadata={"version": "2"}), Host("e9", metadata={"version": "2"})]
    picker = policy.build(newer, previous=picker)
    assert served(picker, version="2") == {"e9"}, "a new subset learns what is in flight"
    picker.load.finished(7, Outcome.SUCCESS, None, 2.0)
    assert picker.load.at(7) == 1.0
    picker.load.restart(7)
    assert picker.load.at(7) == 0.0
    picker.check_invariants()


def test_in_a_balancer_the_context_stands_for_the_key():
    policy = Subset(envoy.Maglev(), SELECTORS, SubsetFallback.ANY_ENDPOINT)
    pool = lb.Balancer(policy, HOSTS, seed=1)
    wanted = SelectionContext({"stage": "prod", "version": "1.1"}, key="user-1")
    direct = envoy.Maglev().build([HOSTS[2], HOSTS[3], HOSTS[5]])
    with pool.acquire(wanted) as lease:
        assert lease.backend.id == direct.pick("user-1").id
    with pool.acquire(wanted, exclude={lease.backend.id}) as second:
        assert second.backend.id in {"e3", "e4", "e6"} - {lease.backend.id}
    assert pool.stats().open_leases == 0
    pool.update(HOSTS[:3])
    with pool.acquire(wanted) as lease:
        assert lease.backend is HOSTS[2]


def test_walks_and_exclusions_stay_in_the_line():
    picker = DOCUMENTED.build(HOSTS)
    context = SelectionContext({"version": "1.1"})
    assert [host.id for host in picker.walk(context=context)] == ["e3", "e4", "e6"]
    assert picker.pick(exclude={"e3", "e4"}, context=context).id == "e6"
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick(exclude={"e3", "e4", "e6"}, context=context)
    for call in (picker.pick, OverrideHost(envoy.RoundRobin(), (OverrideHostSource("h"),)).build(HOSTS).pick):
        with pytest.raises(ConfigError, match="exclude"):
            call(exclude="e3")
        with pytest.raises(ConfigError, match="context"):
            call(context={"version": "1.1"})
    with pytest.raises(NoBackend) as empty:
        DOCUMENTED.build([]).pick()
    assert empty.value.reason == "empty"


def test_any_backend_will_do():
    picker = Subset(envoy.RoundRobin(), (), SubsetFallback.ANY_ENDPOINT).build(["a", "b"])
    assert [picker.pick().id for _ in range(3)] == ["a", "b", "a"]
    pool = Subset(envoy.RoundRobin(), (SubsetSelector(("k",)),)).build([lb.Endpoint("a", metadata=(("k", "v"),))])
    assert served(pool, k="v") == {"a"}


NAMED = OverrideHost(
    envoy.RoundRobin(), (OverrideHostSource("x-host"), OverrideHostSource(metadata=("envoy.lb", "x", "hosts")))
)


def test_addresses_from_headers_then_metadata():
    picker = NAMED.build(View.of(["a:1", "b:1", "c:1"], states={"b:1": State.UNHEALTHY}))
    context = SelectionContext(
        headers=[("X-Host", " z:1, b:1 "), ("x-host", "c:1")], metadata={"envoy.lb": {"x": {"hosts": "c:1,b:1"}}}
    )
    assert picker.pick(context=context).id == "b:1", "health is not looked at"
    assert [host.id for host in picker.walk(context=context)] == ["b:1", "c:1", "a:1"]
    assert picker.pick(exclude={"b:1"}, context=context).id == "c:1"

    def attempt(k):
        return picker.pick(context=dataclasses.replace(context, attempt=k)).id

    assert [attempt(k) for k in range(3)] == ["b:1", "c:1", "b:1"], "each entry once, whatever it names"
    assert {attempt(3) for _ in range(6)} == {"a:1", "c:1"}, "then the policy"
    assert picker.pick(context=SelectionContext(headers={"x-host": "a"})).id in {"a:1", "c:1"}, "not the exact address"
    assert picker.pick(context=SelectionContext(metadata={"envoy.lb": {"x": {"hosts": 3}}})).id in {"a:1", "c:1"}


def test_override_around_subsets_hands_the_context_on():
    picker = OverrideHost(DOCUMENTED, (OverrideHostSource("x-host"),)).build(HOSTS)
    assert picker.pick(context=SelectionContext({"version": "1.2-pre"})).id == "e7"
    assert picker.pick(context=SelectionContext({"version": "1.2-pre"}, headers={"x-host": "e1"})).id == "e1"
    picker.check_invariants()
    pool = lb.Balancer(OverrideHost(envoy.LeastRequest(), (OverrideHostSource("h"),)), ["a:1", "b:1"], seed=3)
    lease = pool.acquire(SelectionContext(headers={"h": "b:1"}))
    assert lease.backend.id == "b:1"
    assert pool.picker.load.at(1) == 1.0
    lease.done()
    pool.update(["b:1", "c:1"])
    assert pool.acquire(SelectionContext(headers={"h": "c:1"})).backend.id == "c:1"


@pytest.mark.parametrize("policy", [DOCUMENTED, NAMED, OverrideHost(DOCUMENTED, (OverrideHostSource("h"),))])
def test_plain_data_and_pickles(policy):
    again = type(policy).from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again == policy and hash(again) == hash(policy)
    picker = policy.build(HOSTS)
    other = pickle.loads(pickle.dumps(picker))
    assert [picker.pick().id for _ in range(9)] == [other.pick().id for _ in range(9)]
    assert repr(picker).startswith(repr(policy))
    picker.reseed(5)
    picker.check_invariants()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Subset(3), "policy"),
        (lambda: Subset(envoy.RoundRobin), "policy"),
        (lambda: Subset.from_dict({"policy": {"type": "Host"}}), "policy"),
        (lambda: Subset.from_dict({"policy": {"type": "Nothing"}}), "policy"),
        (lambda: Subset(envoy.RoundRobin(), "stage"), "subset_selectors"),
        (lambda: Subset(envoy.RoundRobin(), ("stage",)), "subset_selectors[0]"),
        (lambda: Subset(envoy.RoundRobin(), fallback_policy=SubsetFallback.KEYS_SUBSET), "fallback_policy"),
        (lambda: Subset(envoy.RoundRobin(), fallback_policy="ANY_ENDPOINT"), "fallback_policy"),
        (lambda: Subset(envoy.RoundRobin(), default_subset="x"), "default_subset"),
        (lambda: Subset(envoy.RoundRobin(), list_as_any=1), "list_as_any"),
        (lambda: Subset(envoy.RoundRobin(), metadata_fallback_policy=1), "metadata_fallback_policy"),
        (lambda: SubsetSelector("stage"), "keys"),
        (lambda: SubsetSelector(()), "keys"),
        (lambda: SubsetSelector(("a",), SubsetFallback.KEYS_SUBSET), "fallback_keys_subset"),
        (lambda: SubsetSelector(("a",), SubsetFallback.KEYS_SUBSET, ("a",)), "fallback_keys_subset"),
        (lambda: SubsetSelector(("a", "b"), SubsetFallback.KEYS_SUBSET, ("c",)), "fallback_keys_subset"),
        (lambda: SubsetSelector(("a", "b"), fallback_keys_subset=("a",)), "fallback_keys_subset"),
        (lambda: SubsetSelector(("a",), single_host_per_subset=1), "single_host_per_subset"),
        (lambda: OverrideHost(envoy.RoundRobin(), ()), "override_host_sources"),
        (lambda: OverrideHost(envoy.RoundRobin(), ("x",)), "override_host_sources[0]"),
        (lambda: OverrideHost(None, (OverrideHostSource("x"),)), "policy"),
        (lambda: OverrideHostSource(), "header"),
        (lambda: OverrideHostSource("x", ("y",)), "header"),
        (lambda: OverrideHostSource(3), "header"),
        (lambda: OverrideHostSource(metadata=(3,)), "metadata"),
        (lambda: SelectionContext(headers=3), "headers"),
        (lambda: SelectionContext(headers={"a": 1}), "headers"),
        (lambda: SelectionContext(3), "metadata"),
        (lambda: SelectionContext(attempt=-1), "attempt"),
    ],
)
def test_bad_parameters(make, name):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.parameter == name


def test_bad_hosts_change_nothing():
    picker = DOCUMENTED.build(HOSTS)
    with pytest.raises(ConfigError, match="weights"):
        DOCUMENTED.build({"a": 0.5}, previous=picker)
    assert served(picker, version="1.2-pre") == {"e7"}
