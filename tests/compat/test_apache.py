"""mod_proxy_balancer: accounts, sets, spares and standbys, errors, routes, heartbeats."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, Endpoint, NoBackend, Outcome, State, View
from lbalgo.compat.apache import ByBusyness, ByRequests, ByTraffic, Heartbeat, Ready, Traffic, Worker
from lbalgo.compat.apache.heartbeat import LAST_SEEN
from lbalgo.compat.apache.worker import RETRY, factor_of
from lbalgo.testing import FakeClock, check_picker

METHODS = [ByRequests, ByBusyness, ByTraffic]


def letters(picker, n):
    return "".join(picker.pick().id for _ in range(n))


def plain_byrequests(factors, n):
    """The account as it is told."""
    status, out = [0] * len(factors), []
    for _ in range(n):
        status = [s + f for s, f in zip(status, factors, strict=True)]
        best = max(range(len(factors)), key=lambda i: (status[i], -i))
        status[best] -= sum(factors)
        out.append(best)
    return out


@given(st.lists(st.integers(100, 10_000), min_size=1, max_size=6))
def test_byrequests_is_the_account(factors):
    pool = [Worker(str(i), f / 100) for i, f in enumerate(factors)]
    picker = ByRequests().build(pool)
    real = [factor_of("loadfactor", w.loadfactor) for w in pool]
    assert [int(picker.pick().id) for _ in range(40)] == plain_byrequests(real, 40)


def test_a_pool_may_be_ids_a_mapping_endpoints_or_workers():
    for pool in (["a", "b"], {"a": 1, "b": 1}, [Endpoint("a"), Endpoint("b")], [Worker("a"), Worker("b")]):
        assert letters(ByRequests().build(pool), 4) == "abab"
    assert letters(ByRequests().build({"a": 2, "b": 1}), 3) == "aba"


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: Worker(""), "id"),
        (lambda: Worker("a", 0.99), "loadfactor"),
        (lambda: Worker("a", 100.01), "loadfactor"),
        (lambda: Worker("a", "3"), "loadfactor"),
        (lambda: Worker("a", lbset=100), "lbset"),
        (lambda: Worker("a", lbset=-1), "lbset"),
        (lambda: Worker("a", status="X"), "status"),
        (lambda: Worker("a", status=None), "status"),
        (lambda: Worker("a", route=3), "route"),
        (lambda: Worker("a", retry=-1), "retry"),
        (lambda: Traffic(-1, 0), "sent"),
        (lambda: Traffic(0, 1.5), "read"),
        (lambda: Ready(-1, 0), "busy"),
        (lambda: Ready(0, True), "ready"),
        (lambda: ByRequests(failontimeout=1), "failontimeout"),
        (lambda: ByTraffic(forcerecovery=None), "forcerecovery"),
        (lambda: Heartbeat(seed=-1), "seed"),
        (lambda: ByBusyness().build({"a": 0}), "weights['a']"),
        (lambda: Heartbeat().build({"a": 101}), "weights['a']"),
        (lambda: ByRequests.from_dict({"lbmethod": 1}), "lbmethod"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


def test_a_refused_build_changes_nothing():
    picker = ByRequests().build({"a": 5, "b": 1, "c": 1})
    assert letters(picker, 2) == "aa"
    with pytest.raises(ConfigError):
        ByRequests().build({"a": 1, "b": 0}, previous=picker)
    assert letters(picker, 5) == "bacaa"


@pytest.mark.parametrize("policy", [*(m() for m in METHODS), ByRequests(True, False), Heartbeat(7)])
def test_policies_and_pickers_survive_json_and_pickle(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    picker = policy.build([Worker("a", 3), Worker("b"), Worker("c")])
    picker.load.reported(0, Ready(1, 3), 0.0)
    picker.load.reported(1, Ready(1, 3), 0.0)
    letters(picker, 3)
    again = pickle.loads(pickle.dumps(picker))
    assert letters(again, 9) == letters(picker, 9)


@pytest.mark.parametrize("method", METHODS)
def test_laws_of_pickers(method):
    pool = [Worker("a", 3), Worker("b", 1.5), Worker("c")]
    check_picker(method().build(pool), keyed=False, eligible="abc")
    with pytest.raises(NoBackend, match="no backends"):
        method().build([]).pick()
    with pytest.raises(NoBackend, match="eligible"):
        method().build([Worker("a", status="D"), Worker("b", status="S")]).pick()


# sets, spares, standbys


def served(pool, n=12, **states):
    return set(letters(ByRequests().build(View.of(pool, states=states, panic_below=0.0)), n))


def test_the_first_set_with_anybody_decides():
    pool = [Worker("a", lbset=3), Worker("b", lbset=1), Worker("c", lbset=1), Worker("d", lbset=7)]
    assert served(pool) == {"b", "c"}
    assert served(pool, b=State.UNHEALTHY) == {"c"}
    assert served(pool, b=State.UNHEALTHY, c=State.DRAINING) == {"a"}
    assert served(pool, a=State.UNHEALTHY, b=State.UNHEALTHY, c=State.UNHEALTHY) == {"d"}


def test_spares_stand_in_one_for_one_in_order():
    pool = [Worker("a"), Worker("b"), Worker("c"), Worker("x", status="R"), Worker("y", status="R")]
    assert served(pool) == {"a", "b", "c"}
    assert served(pool, b=State.UNHEALTHY) == {"a", "c", "x"}
    assert served(pool, b=State.UNHEALTHY, x=State.UNHEALTHY) == {"a", "c", "y"}
    assert served(pool, a=State.DRAINING, b=State.UNHEALTHY, c=State.UNHEALTHY) == {"x", "y"}
    assert served([Worker("a", status="D"), *pool[1:]]) == {"b", "c", "x"}
    assert served([Worker("a", status="N"), *pool[1:]]) == {"b", "c", "x"}


def test_spares_of_another_set_do_not_stand_in():
    pool = [Worker("a", status="D"), Worker("b"), Worker("x", lbset=1, status="R")]
    assert served(pool) == {"b"}


def test_standbys_serve_only_if_there_is_nobody_else_in_the_set():
    pool = [Worker("a"), Worker("h", status="H"), Worker("i", status="H"), Worker("z", lbset=1)]
    assert served(pool) == {"a"}
    assert served(pool, a=State.UNHEALTHY) == {"h", "i"}
    assert served(pool, a=State.UNHEALTHY, h=State.DRAINING) == {"i"}
    assert served(pool, a=State.UNHEALTHY, h=State.UNHEALTHY, i=State.UNHEALTHY) == {"z"}
    assert served([*pool, Worker("x", status="R")], a=State.UNHEALTHY) == {"x"}


def test_degraded_is_healthy():
    assert served([Worker("a"), Worker("b")], a=State.DEGRADED) == {"a", "b"}


def test_who_was_out_goes_on_with_its_account():
    policy, pool = ByRequests(), [Worker("a", 3), Worker("b", 2), Worker("c")]
    picker = policy.build(pool)
    letters(picker, 2)
    out = policy.build(View.of(pool, states={"b": State.UNHEALTHY}, panic_below=0.0), previous=picker)
    members = picker.load._members
    before = members[1].lbstatus
    letters(out, 5)
    assert members[1].lbstatus == before
    assert sum(m.lbstatus for m in members.values()) == 0


def test_a_changed_factor_sets_every_account():
    policy = ByRequests()
    picker = policy.build({"a": 5, "b": 1})
    letters(picker, 3)
    picker = policy.build({"a": 1, "b": 1}, previous=picker)
    assert [m.lbstatus for m in picker.load._members.values()] == [100, 100]
    assert letters(picker, 4) == "abab"


# busyness and traffic


def test_bybusyness_prefers_the_idle():
    balancer = Balancer(ByBusyness(), {"a": 20, "b": 1, "c": 1}, seed=0)
    leases = [balancer.acquire() for _ in range(3)]
    assert {lease.backend.id for lease in leases} == {*"abc"} and leases[0].backend.id == "a"
    leases[1].done()
    assert balancer.acquire().backend.id == leases[1].backend.id


def test_bytraffic_divides_each_way_by_itself():
    picker = ByTraffic().build({"a": 1, "b": 1})
    picker.load.reported(0, Traffic(99, 99), 0.0)  # 0 + 0, and not 198 // 100
    assert picker.pick().id == "a"
    picker.load.reported(0, Traffic(1, 0), 0.0)
    assert picker.pick().id == "b"


def test_a_report_of_another_kind_is_nothing():
    picker = ByTraffic().build(["a", "b"])
    picker.load.reported(0, {"sent": 10**9}, 0.0)
    assert picker.pick().id == "a"


# errors


def test_a_worker_in_error_is_tried_again_after_retry():
    clock = FakeClock()
    balancer = Balancer(ByRequests(), [Worker("a", retry=5), Worker("b")], clock=clock, seed=0)
    balancer.acquire().done(Outcome.LOCAL_ERROR)
    clock.advance(5.0)
    assert {balancer.acquire().backend.id for _ in range(6)} == {"b"}
    clock.advance(0.1)
    assert {balancer.acquire().backend.id for _ in range(6)} == {"a", "b"}


def test_when_all_are_in_error_all_are_forgiven():
    for policy, outcome in ((ByRequests(), {"a", "b"}), (ByRequests(forcerecovery=False), None)):
        balancer = Balancer(policy, ["a", "b"], clock=FakeClock(), seed=0)
        for _ in range(2):
            balancer.acquire().done(Outcome.LOCAL_ERROR)
        if outcome is None:
            with pytest.raises(NoBackend, match="eligible"):
                balancer.acquire()
        else:
            assert {balancer.acquire().backend.id for _ in range(6)} == outcome


def test_errors_are_ignored_if_asked_for_and_timeouts_count_if_asked_for():
    for pool, policy, end, out in (
        ([Worker("a", status="I"), Worker("b")], ByRequests(), Outcome.LOCAL_ERROR, False),
        ([Worker("a"), Worker("b")], ByRequests(), Outcome.TIMEOUT, False),
        ([Worker("a"), Worker("b")], ByRequests(failontimeout=True), Outcome.TIMEOUT, True),
        ([Worker("a"), Worker("b")], ByRequests(), Outcome.SERVER_ERROR, False),
    ):
        balancer = Balancer(policy, pool, clock=FakeClock(), seed=0)
        balancer.acquire().done(end)
        assert ({balancer.acquire().backend.id for _ in range(6)} == {"b"}) is out


def test_a_worker_put_into_error_by_hand_is_out_for_one_retry():
    clock = FakeClock()
    balancer = Balancer(ByRequests(), [Worker("a"), Worker("b")], clock=clock, seed=0)
    with balancer.acquire():
        pass
    balancer.update([Worker("a", status="E"), Worker("b")])
    assert {balancer.acquire().backend.id for _ in range(4)} == {"b"}
    clock.advance(RETRY + 1)
    assert {balancer.acquire().backend.id for _ in range(4)} == {"a", "b"}


def test_a_worker_configured_in_error_is_out_from_the_first_instant():
    clock = FakeClock(1000.0)
    balancer = Balancer(ByRequests(), [Worker("a", status="E"), Worker("b")], clock=clock, seed=0)
    assert {balancer.acquire().backend.id for _ in range(4)} == {"b"}
    clock.advance(RETRY + 1)
    assert {balancer.acquire().backend.id for _ in range(4)} == {"a", "b"}


def test_a_retry_leaves_out_what_was_tried_and_a_spare_stands_in():
    picker = ByRequests().build([Worker("a"), Worker("b"), Worker("x", status="R")])
    assert {picker.pick(exclude=["a"]).id for _ in range(8)} == {"b", "x"}
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick(exclude=["a", "b", "x"])


# routes and heartbeats


def test_a_route_finds_its_worker_and_is_paid_for():
    pool = [Worker("a", route="ra"), Worker("b", route="rb"), Worker("c"), Worker("h", status="H", route="rh")]
    picker = ByRequests().build(pool)
    assert [picker.pick("rb").id for _ in range(3)] == ["b"] * 3
    assert [m.lbstatus for m in picker.load._members.values()] == [300, -900, 300, 300]
    assert picker.pick("rh").id == "h"
    assert picker.pick("nobody's").id in "abc"
    assert picker.pick("rb", exclude=["b"]).id != "b"
    down = ByRequests().build(View.of(pool, states={"b": State.UNHEALTHY}, panic_below=0.0))
    assert down.pick("rb").id == "a"
    draining = ByRequests().build(View.of(pool, states={"b": State.DRAINING}, panic_below=0.0))
    assert draining.pick("rb").id == "b" and draining.pick().id != "b"


def test_heartbeats_draw_by_ready_slots():
    """10 000 draws of a share of 3/4: within 5 standard deviations of 43 each, one in 1.7 million."""
    picker = Heartbeat(1).build(["a", "b", "c"])
    assert_nobody(picker)
    picker.load.reported(0, Ready(1, 3000), 0.0)
    picker.load.reported(1, Ready(1, 1000), 0.0)
    picked = letters(picker, 10_000)
    assert abs(picked.count("a") - 7500) < 5 * 43.4 and picked.count("c") == 0
    assert len(list(picker.walk())) == 2


def assert_nobody(picker):
    with pytest.raises(NoBackend, match="eligible"):
        picker.pick()


def test_an_idle_worker_counts_a_quarter_and_an_old_heartbeat_nothing():
    picker = Heartbeat().build(["a", "b"])
    picker.load.reported(0, Ready(0, 3), 0.0)
    assert_nobody(picker)
    picker.load.reported(0, Ready(0, 4), 0.0)
    assert letters(picker, 5) == "aaaaa"
    picker.load.advance(LAST_SEEN)
    assert_nobody(picker)


def test_the_last_of_the_list_has_the_place_too_many():
    """The draw goes from 0 to the number of slots, both included."""
    picker = Heartbeat(3).build(["a", "b"])
    picker.load.reported(0, Ready(1, 1), 0.0)
    picker.load.reported(1, Ready(1, 1), 0.0)
    picked = letters(picker, 3000)
    assert abs(picked.count("b") - 2000) < 5 * 26  # two of three, not one of two


# in a balancer


@pytest.mark.parametrize("method", METHODS)
def test_members_come_and_go_with_requests_open(method):
    balancer = Balancer(method(), ["a", "b", "c"], seed=0)
    leases = [balancer.acquire() for _ in range(9)]
    balancer.update(["b", "c", "d"])
    assert balancer.acquire().backend.id in "bcd"
    for lease in leases:
        lease.done()
    balancer.update({"b": 2, "c": 1, "d": 3})
    opened = []
    for _ in range(30):
        opened.append(balancer.acquire())
        balancer.report(opened[-1].backend.id, Traffic(1000, 1000))
    assert {lease.backend.id for lease in opened} == {*"bcd"}
    assert sum(balancer.picker.load.at(int(row)) for row in balancer.picker.rows) == 30
    with pytest.raises(ConfigError):
        balancer.update({"b": 0})
    assert balancer.acquire().backend.id in "bcd"


def test_a_row_that_is_somebody_elses_starts_at_nothing():
    picker = ByBusyness().build(["a", "b"])
    picker.load.started(0, 1.0, 0.0)
    picker.load.reported(0, Traffic(5, 5), 0.0)
    picker.load.restart(0)
    picker.load.restart(99)
    assert picker.load.at(0) == picker.load.at(99) == 0.0
    assert picker.load._members[0].sent == 0
