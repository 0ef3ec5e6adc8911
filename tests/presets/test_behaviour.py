"""What each system is known for, seen through its preset."""

import pytest

from lbalgo import Endpoint, NoBackend, Outcome
from lbalgo.compat.katran import Katran, MaglevVersion, Real
from lbalgo.events import Drained, DrainOverdue, Ejected
from lbalgo.gates.chances import chances, deliver
from lbalgo.gates.flow_table import FlowTable
from lbalgo.gates.sticky import Why
from lbalgo.presets import Method, Routing, alb, cassandra, google_maglev, katran, kubernetes, nginx_plus, nlb, unimog
from lbalgo.signals.drain import Drain
from lbalgo.signals.drained import DrainOrder
from tests.presets.pool import Pool

KEYS = range(2000)
SECRET = (b"0123456789abcdef",)


def kinds(events, kind):
    return [event for event in events if isinstance(event, kind)]


# AWS Application Load Balancer


def test_alb_slow_start_is_a_straight_line_from_the_first_passed_check_to_the_window():
    pool = Pool(alb(slow_start=40), ["a", "b"])
    pool.wait(31 + 41)  # all are probed within an interval, and all are warm a window later
    assert pool.shares() == {"a": 0.5, "b": 0.5}
    pool.balancer.update(["a", "b", "c"])
    waited = 0
    while pool.shares()["c"] == 0.0:
        pool.wait(1)
        waited += 1
    assert waited <= 30, "the first probe comes within an interval"
    for age in range(0, 40, 2):  # twenty steps
        factor = max(age / 40, 0.05)
        assert pool.shares()["c"] == pytest.approx(factor / (2 + factor), rel=1e-12), age
        pool.wait(2)
    assert pool.shares()["c"] == pytest.approx(1 / 3, rel=1e-12)


def test_alb_a_target_that_was_unhealthy_starts_slowly_again():
    pool = Pool(alb(slow_start=40), ["a", "b"])
    pool.wait(72)
    pool.wait(62, down=["b"])  # two checks fail
    assert pool.shares() == {"a": 1.0, "b": 0.0}
    while pool.shares()["b"] == 0.0:
        pool.wait(1)
    assert pool.shares()["b"] == pytest.approx(0.05 / 1.05, rel=1e-12)
    pool.wait(20)
    assert pool.shares()["b"] == pytest.approx(0.5 / 1.5, rel=1e-12)
    pool.wait(20)
    assert pool.shares()["b"] == 0.5


def test_alb_takes_two_failed_checks_to_lose_a_target_and_five_to_win_it_back():
    pool = Pool(alb(), ["a", "b"])
    pool.wait(31)
    pool.wait(30, down=["b"])
    assert pool.shares()["b"] == 0.5, "one failed"
    pool.wait(31, down=["b"])
    assert pool.shares()["b"] == 0.0, "two failed"
    pool.wait(4 * 30)
    assert pool.shares()["b"] == 0.0, "four passed"
    pool.wait(31)
    assert pool.shares()["b"] == 0.5, "five passed"


def test_alb_fails_open_when_nobody_is_healthy_and_not_before():
    pool = Pool(alb(), ["a", "b", "c", "d"])
    assert set(pool.picks(range(8))) == {"a", "b", "c", "d"}, "nobody has been probed"
    pool.wait(31, down=["a", "b", "c"])
    assert set(pool.picks(range(8))) == {"d"}, "one of four is healthy"
    pool.wait(62, down=["a", "b", "c", "d"])
    assert set(pool.picks(range(8))) == {"a", "b", "c", "d"}


def test_alb_a_deregistering_target_gets_nothing_new_and_is_done_when_it_is_idle():
    pool = Pool(alb(), ["a", "b"])
    pool.wait(31)
    lease = pool.balancer.acquire(exclude={"b"})
    pool.balancer.report("a", DrainOrder.BEGIN)
    assert set(pool.picks(range(6))) == {"b"} and not kinds(pool.events, Drained)
    pool.wait(200)
    lease.done()
    assert [event.id for event in kinds(pool.events, Drained)] == ["a"]
    pool.wait(101)
    assert not kinds(pool.events, DrainOverdue)


def test_alb_a_deregistering_target_that_is_not_done_in_time_is_overdue():
    pool = Pool(alb(), ["a", "b"])
    pool.wait(31)
    _ = lease = pool.balancer.acquire(exclude={"b"})
    pool.balancer.report("a", DrainOrder.BEGIN)
    pool.wait(299)
    assert not kinds(pool.events, DrainOverdue)
    pool.wait(1)
    assert [event.id for event in kinds(pool.events, DrainOverdue)] == ["a"]
    lease.done()


def test_alb_cookies_keep_sessions_until_the_target_is_deregistered():
    pool = Pool(alb(secrets=SECRET), ["a", "b", "c"])
    pool.wait(31)
    first = pool.balancer.acquire()
    first.done()
    home, cookie = first.backend.id, first.choice.cookie
    for _ in range(5):
        lease = pool.balancer.acquire(session=cookie)
        lease.done()
        assert (lease.backend.id, lease.choice.why) == (home, Why.HIT)
    pool.balancer.report(home, DrainOrder.BEGIN)
    moved = pool.balancer.acquire(session=cookie)
    moved.done()
    assert moved.backend.id != home and moved.choice.cookie not in (None, cookie)
    again = pool.balancer.acquire(session=moved.choice.cookie)
    again.done()
    assert (again.backend.id, again.choice.why) == (moved.backend.id, Why.HIT)


def test_alb_a_session_ends_a_duration_after_its_last_request():
    pool = Pool(alb(secrets=SECRET, cookie_duration=100), ["a", "b"])
    cookie = pool.balancer.acquire().choice.cookie
    for _ in range(5):  # far longer than the duration in all
        pool.clock.advance(60)
        lease = pool.balancer.acquire(session=cookie)
        assert lease.choice.why is Why.HIT
        cookie = lease.choice.cookie or cookie
    pool.clock.advance(100)
    assert pool.balancer.acquire(session=cookie).choice.why is Why.EXPIRED


def test_alb_least_outstanding_requests():
    pool = Pool(alb(Routing.LEAST_OUTSTANDING_REQUESTS), ["a", "b", "c"])
    leases = [pool.balancer.acquire() for _ in range(9)]
    assert sorted(lease.backend.id for lease in leases) == [*"aaabbbccc"]
    for lease in leases:
        if lease.backend.id == "b":
            lease.done()
    held = [pool.balancer.acquire() for _ in range(3)]
    assert [lease.backend.id for lease in held] == ["b", "b", "b"]


def failing(pool, sick, seconds=12, each=40, share=0.5):
    """Requests for `seconds`: of those to `sick` a part fails, all others succeed; where they went."""
    went = dict.fromkeys(pool.balancer.view.ids, 0)
    for _ in range(seconds):
        for number in range(each):
            lease = pool.balancer.acquire()
            went[lease.backend.id] += 1
            bad = lease.backend.id in sick and number < each * share
            lease.done(Outcome.SERVER_ERROR if bad else Outcome.SUCCESS, latency=0.01)
        pool.wait(1)
    return went


def test_alb_anomaly_mitigation_takes_traffic_from_the_one_that_fails_and_gives_it_back_slowly():
    pool = Pool(alb(Routing.WEIGHTED_RANDOM, anomaly_mitigation=True), ["a", "b", "c", "d"])
    pool.wait(31 + 61)
    assert pool.shares() == dict.fromkeys("abcd", 0.25)
    failing(pool, {"b"})
    assert [event.id for event in kinds(pool.events, Ejected)] == ["b"]
    assert pool.shares()["b"] == 0.0
    seen = set()
    for _ in range(120):
        pool.wait(1)
        seen.add(round(pool.shares()["b"], 6))
    assert len(seen) > 15 and pool.shares()["b"] == 0.25, "it comes back by steps"


def test_alb_anomalies_need_three_healthy_targets():
    pool = Pool(alb(Routing.WEIGHTED_RANDOM, anomaly_mitigation=True), ["a", "b"])
    pool.wait(31 + 61)
    failing(pool, {"b"}, seconds=30)
    assert not kinds(pool.events, Ejected) and pool.shares()["b"] == 0.5


# AWS Network Load Balancer


def test_nlb_flows_stay_when_targets_come_or_are_deregistered_and_move_when_theirs_is_unhealthy():
    pool = Pool(nlb(), ["a", "b", "c"])
    pool.wait(31)
    before = pool.picks(KEYS)
    node = Pool(nlb(), ["c", "b", "a"])
    node.wait(31)
    assert node.picks(KEYS) == before, "another node of the load balancer decides alike"
    pool.balancer.update(["a", "b", "c", "d"])
    pool.wait(31)
    fresh = [pool.balancer.picker.pick(key).id for key in KEYS]
    assert sum(old != new for old, new in zip(before, fresh, strict=True)) > len(KEYS) / 6, "the hash would move some"
    assert pool.picks(KEYS) == before
    pool.balancer.report("a", DrainOrder.BEGIN)
    assert pool.picks(KEYS) == before, "existing connections go on"
    assert "a" not in pool.picks(range(10_000, 10_200)), "new ones do not come"
    pool.wait(62, down=["b"])
    after = pool.picks(KEYS)
    assert "b" not in after
    assert all(old == new for old, new in zip(before, after, strict=True) if old != "b")


@pytest.mark.parametrize(("udp", "idle"), [(False, 350), (True, 120)])
def test_nlb_a_silent_flow_is_forgotten(udp, idle):
    pool = Pool(nlb(udp=udp), ["a", "b", "c"])
    pool.wait(31)
    flows = pool.parts.get(FlowTable)
    pool.picks([*KEYS[:50], *KEYS[:50]])  # two packets each: established
    assert flows.stats().old == 50
    pool.wait(idle - 1)
    flows.advance(pool.clock())
    assert flows.stats().old == 50
    pool.wait(1)
    flows.advance(pool.clock())
    assert flows.stats().old == 0


# NGINX Plus


def test_nginx_plus_a_server_that_failed_once_is_out_for_ten_seconds_and_comes_back_bit_by_bit():
    pool = Pool(nginx_plus(slow_start=20), {"a": 3, "b": 1})
    assert pool.shares() == {"a": 0.75, "b": 0.25}
    pool.balancer.acquire(exclude={"b"}).done(Outcome.TIMEOUT)
    assert pool.shares() == {"a": 0.0, "b": 1.0}
    pool.wait(9)
    assert pool.shares() == {"a": 0.0, "b": 1.0}
    pool.wait(1)
    for age in range(20):
        factor = max(age / 20, 0.05)
        assert pool.shares()["a"] == pytest.approx(3 * factor / (3 * factor + 1), rel=1e-12), age
        pool.wait(1)
    assert pool.shares() == {"a": 0.75, "b": 0.25}


def test_nginx_plus_a_server_is_out_for_the_fail_timeout_whenever_it_failed():
    pool = Pool(nginx_plus(fail_timeout=15), ["a", "b"])
    pool.wait(4)
    pool.balancer.acquire(exclude={"b"}).done(Outcome.TIMEOUT)
    pool.wait(14)
    assert pool.shares()["a"] == 0.0
    pool.wait(1)
    assert pool.shares()["a"] == 0.5


def test_nginx_plus_servers_that_are_unavailable_get_nothing_however_many_they_are():
    pool = Pool(nginx_plus(), ["a", "b", "c"])
    for sick in ("a", "b"):
        pool.balancer.acquire(exclude={"a", "b", "c"} - {sick}).done(Outcome.LOCAL_ERROR)
    assert set(pool.picks(range(20))) == {"c"}
    pool.balancer.acquire().done(Outcome.LOCAL_ERROR)
    with pytest.raises(NoBackend, match="no backend is eligible"):
        pool.balancer.acquire()


def test_nginx_plus_one_failed_health_check_is_enough_and_one_passed():
    pool = Pool(nginx_plus(Method.LEAST_CONN), ["a", "b"])
    assert set(pool.picks(range(20))) == {"a", "b"}, "healthy until a check fails"
    pool.wait(6, down=["a"])
    assert set(pool.picks(range(20))) == {"b"}
    pool.wait(6)
    assert set(pool.picks(range(20))) == {"a", "b"}


def test_nginx_plus_an_answer_of_the_server_itself_is_no_failure():
    pool = Pool(nginx_plus(), ["a", "b"])
    for _ in range(10):
        pool.balancer.acquire(exclude={"b"}).done(Outcome.SERVER_ERROR)
    assert pool.shares() == {"a": 0.5, "b": 0.5}


# Google Maglev


def test_maglev_tracked_connections_stay_through_a_change_and_untracked_ones_do_not():
    pool = Pool(google_maglev(1009), [f"b{i}" for i in range(5)])
    before = pool.picks(KEYS)
    pool.balancer.update([f"b{i}" for i in range(8)])
    table = [pool.balancer.picker.pick(key).id for key in KEYS]
    moved = sum(old != new for old, new in zip(before, table, strict=True))
    assert moved >= len(KEYS) * 3 / 8 * 0.8, "the table alone breaks at least those of the joiners"
    assert pool.picks(KEYS) == before
    stranger = Pool(google_maglev(1009), [f"b{i}" for i in range(8)])
    assert stranger.picks(KEYS) == table, "another balancer has the same table, and no memory"


def test_maglev_connections_of_a_backend_that_left_go_where_the_table_says():
    pool = Pool(google_maglev(1009), ["a", "b", "c"])
    before = pool.picks(KEYS)
    pool.balancer.update(["a", "b"])
    after = pool.picks(KEYS)
    assert all(new == old for old, new in zip(before, after, strict=True) if old != "c") and "c" not in after


# Cloudflare Unimog


def test_unimog_the_second_hop_keeps_every_flow_through_a_change():
    pool = Pool(unimog(1009), {f"s{i}": 1.0 for i in range(5)})
    owner = dict(zip(KEYS, pool.picks(KEYS), strict=True))
    pool.balancer.update({f"s{i}": 2.0 if i == 0 else 1.0 for i in range(7)})  # two join, one gets more
    first = {key: pool.balancer.picker.pick(key).id for key in KEYS}
    assert sum(first[key] != owner[key] for key in KEYS) > len(KEYS) / 4
    for key in KEYS:
        path = chances(pool.balancer.picker, key)
        took = deliver(path, lambda id, key=key: owner[key] == id)
        assert took.id == owner[key], "an old flow finds its server"
        assert deliver(path, lambda id: False, opening=True).id == first[key], "a new one its bucket's"


def test_unimog_two_changes_break_only_flows_of_buckets_that_changed_twice():
    pool = Pool(unimog(1009), ["s0", "s1", "s2"])
    owner = dict(zip(KEYS, pool.picks(KEYS), strict=True))
    held = [owner]
    for more in (4, 5):
        pool.balancer.update([f"s{i}" for i in range(more)])
        held.append({key: pool.balancer.picker.pick(key).id for key in KEYS})
    lost = {
        key
        for key in KEYS
        if deliver(chances(pool.balancer.picker, key), lambda id, key=key: owner[key] == id).id != owner[key]
    }
    assert lost == {key for key in KEYS if held[0][key] != held[1][key] != held[2][key] and held[2][key] != owner[key]}
    assert 0 < len(lost) < len(KEYS) / 8


# Meta Katran


@pytest.mark.parametrize("version", MaglevVersion)
def test_katran_the_table_is_katrans_own(version):
    reals = [Real(f"10.0.0.{i}", 1 + i, (i * 0x9E3779B97F4A7C15 + 1) % 2**64) for i in range(6)]
    pool = Pool(katran(version, table_size=1009, capacity=100), reals)
    own = Katran(version, 1009).build(reals)
    assert pool.balancer.picker.fingerprint() == own.fingerprint()
    shares = list(pool.shares().values())
    if version is MaglevVersion.V2:
        assert shares == pytest.approx([w / 21 for w in range(1, 7)], abs=6 / 1009)
    else:
        assert max(shares) - min(shares) <= 6 / 1009, "weights hardly count"


def test_katran_flows_of_tcp_are_never_forgotten_for_silence_those_of_udp_after_thirty_seconds():
    for udp, packets, forgotten in ((False, 1, False), (False, 2, False), (True, 1, True), (True, 2, True)):
        pool = Pool(katran(table_size=251, udp=udp, capacity=4000), ["a", "b"])
        before = pool.picks(packets * [*KEYS[:400]])[:400]
        pool.balancer.update(["a", "b", "c"])
        pool.clock.advance(30.0 if udp else 1e9)
        assert (pool.picks(KEYS[:400]) != before) is forgotten


def test_katran_a_syn_is_looked_up_anew():
    pool = Pool(katran(table_size=251, capacity=1000), ["a", "b"])
    flows = pool.parts.get(FlowTable)
    pool.picks(range(50))
    pool.balancer.update(["a", "b", "c"])
    picker = pool.balancer.picker
    moved = next(key for key in range(50) if picker.pick(key).id == "c")
    assert flows.pick(picker, moved, now=pool.clock()).id != "c"
    assert flows.pick(picker, moved, now=pool.clock(), opening=True).id == "c"


# Kubernetes


def test_kubernetes_nothing_goes_to_pods_that_are_not_ready_nor_to_those_that_end():
    pool = Pool(kubernetes(), ["a", "b", "c"])
    with pytest.raises(NoBackend, match="no backend is eligible"):
        pool.balancer.acquire()
    pool.wait(11, down=["c"])
    assert set(pool.picks(range(100))) == {"a", "b"}
    lease = pool.balancer.acquire(exclude={"b"})
    pool.balancer.report("a", DrainOrder.BEGIN)
    assert set(pool.picks(range(100))) == {"b"}
    pool.wait(29, down=["c"])
    assert not kinds(pool.events, DrainOverdue) and pool.parts.get(Drain).phases()["a"].value == "draining"
    pool.wait(1, down=["c"])
    assert [event.id for event in kinds(pool.events, DrainOverdue)] == ["a"], "it is killed now"
    lease.done()


def test_kubernetes_a_pod_that_ends_is_done_when_its_connections_are():
    pool = Pool(kubernetes(), ["a", "b"])
    pool.wait(11)
    lease = pool.balancer.acquire(exclude={"b"})
    pool.balancer.report("a", DrainOrder.BEGIN)
    pool.wait(5)
    assert not kinds(pool.events, Drained)
    lease.done()
    assert [event.id for event in kinds(pool.events, Drained)] == ["a"]


def test_kubernetes_three_failed_probes_make_a_pod_unready():
    pool = Pool(kubernetes(), ["a", "b"])
    pool.wait(11)
    pool.wait(20, down=["b"])
    assert pool.shares()["b"] == 0.5
    pool.wait(11, down=["b"])
    assert pool.shares()["b"] == 0.0
    pool.wait(11)
    assert pool.shares()["b"] == 0.5


def test_kubernetes_client_ip_keeps_clients_for_three_hours_of_silence():
    pool = Pool(kubernetes(client_ip=True), ["a", "b", "c"])
    pool.wait(11)
    before = pool.picks(range(200))
    pool.clock.advance(10_799.0)
    pool.answer()
    assert pool.picks(range(200)) == before
    pool.balancer.report("a", DrainOrder.BEGIN)
    after = pool.picks(range(200))
    assert "a" not in after and all(o == n for o, n in zip(before, after, strict=True) if o != "a")
    pool.clock.advance(10_800.0)
    pool.answer()
    assert pool.picks(range(200)) != after


# Cassandra-style vnodes


def test_cassandra_replicas_are_of_different_racks_and_a_node_that_fails_costs_one():
    nodes = [Endpoint(f"n{i}", zone="rack" + "abc"[i % 3]) for i in range(9)]
    pool = Pool(cassandra(), nodes)
    before = {key: pool.balancer.picker.replicas(key) for key in KEYS}
    assert all(len({node.zone for node in replicas}) == 3 for replicas in before.values())
    pool.balancer.update(nodes[1:])
    for key, replicas in before.items():
        lost = {node.id for node in replicas} - {node.id for node in pool.balancer.picker.replicas(key)}
        assert lost == {"n0"} & {node.id for node in replicas}


def test_cassandra_more_tokens_make_more_even_shares():
    """The variance of a share is (N - 1) / (N V + 1) of the squared mean: 16 tokens 24 %, 256 tokens 6 %, of 100 nodes.

    The sample variance of 100 nodes is within a factor of 1.8 of its mean but once in 10**6 (chi-square, 99 degrees).
    """
    for tokens in (16, 256):
        shares = list(Pool(cassandra(tokens), [f"n{i}" for i in range(100)]).shares().values())
        variance = sum((100 * share - 1) ** 2 for share in shares) / 99
        law = 99 / (100 * tokens + 1)
        assert law / 1.8 < variance < law * 1.8
