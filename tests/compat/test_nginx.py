"""nginx: failures and time, backups, limits, methods by key and by draw, rebuilds, what is described only."""

import json
import pickle
import zlib
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, Endpoint, NoBackend, Outcome, State, View
from lbalgo.compat.glibc import GlibcRandom
from lbalgo.compat.nginx import (
    Hash,
    IpHash,
    LeastConn,
    LeastTime,
    Random,
    RoundRobin,
    Server,
    Sticky,
    address,
    session_of,
)
from lbalgo.compat.nginx.hashing import POINTS, hash_places, host_and_port, ip_places, ring_of
from lbalgo.compat.nginx.upstream import OFTEN
from lbalgo.testing import FakeClock, check_picker

POLICIES = [
    RoundRobin(),
    LeastConn(("error", "timeout", "http_500")),
    IpHash(),
    Hash(),
    Hash(consistent=True),
    Random(),
    Random(two=True, srandom=7),
    LeastTime("last_byte", inflight=True),
    Sticky(),
]
KEYED = (IpHash(), Hash(), Hash(consistent=True))
names = pytest.mark.parametrize(
    "policy", POLICIES, ids=lambda p: f"{type(p).__name__}{'c' * getattr(p, 'consistent', 0)}"
)


def letters(picker, n, key=None):
    return "".join(picker.pick(key).id for _ in range(n))


def served(picker, outcome=Outcome.SUCCESS, now=0.0, key=None, exclude=()):
    """One request from beginning to end."""
    backend = picker.pick(key, exclude=exclude)
    row = int(picker.rows[picker.view.ids.index(backend.id)])
    picker.load.started(row, 1.0, now)
    picker.load.finished(row, outcome, None, now)
    return backend.id


# bad input


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: Server(""), "id"),
        (lambda: Server("a", 0), "weight"),
        (lambda: Server("a", 1.0), "weight"),
        (lambda: Server("a", 2**31), "weight"),
        (lambda: Server("a", name=""), "name"),
        (lambda: Server("a", max_fails=-1), "max_fails"),
        (lambda: Server("a", fail_timeout=0.5), "fail_timeout"),
        (lambda: Server("a", backup=1), "backup"),
        (lambda: Server("a", down=None), "down"),
        (lambda: Server("a", max_conns=True), "max_conns"),
        (lambda: Server("a", route=b"x"), "route"),
        (lambda: RoundRobin("error"), "proxy_next_upstream"),
        (lambda: RoundRobin(("http_501",)), "proxy_next_upstream"),
        (lambda: LeastConn((None,)), "proxy_next_upstream"),
        (lambda: Hash(1), "consistent"),
        (lambda: Hash(True, 3), "proxy_next_upstream"),
        (lambda: IpHash(None), "proxy_next_upstream"),
        (lambda: Random(two=0), "two"),
        (lambda: Random(srandom=-1), "srandom"),
        (lambda: Random(srandom=2**32), "srandom"),
        (lambda: LeastTime("first_byte"), "metric"),
        (lambda: LeastTime(inflight=1), "inflight"),
        (lambda: Sticky(("on",)), "proxy_next_upstream"),
        (lambda: address("10.0.0"), "address"),
        (lambda: address(b"\x0a\0\0\1"), "address"),
        (lambda: RoundRobin().build({"a": 0}), "weights['a']"),
        (lambda: RoundRobin().build({"a": 1.5}), "weights['a']"),
        (lambda: Hash().build([Server("a"), Server("b", backup=True)]), "backends['b'].backup"),
        (lambda: IpHash().build([Server("b", backup=True)]), "backends['b'].backup"),
        (lambda: Random().build([Server("b", backup=True)]), "backends['b'].backup"),
        (lambda: IpHash().build(["a", "b"]).pick("10.0.0.1"), "key"),
        (lambda: RoundRobin().build(["a"]).pick(exclude="a"), "exclude"),
        (lambda: RoundRobin.from_dict({"weight": 1}), "weight"),
        (lambda: Server.from_dict({"type": "Host"}), "type"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


@names
def test_a_refused_build_changes_nothing(policy):
    key = address("10.0.0.1")
    picker, twin = (policy.build({"a": 5, "b": 1, "c": 1}) for _ in range(2))
    letters(picker, 2, key), letters(twin, 2, key)
    with pytest.raises(ConfigError):
        policy.build({"a": 1, "b": 2, "c": 0}, previous=picker)
    assert letters(picker, 9, key) == letters(twin, 9, key)


# what every policy is


@names
def test_policies_and_pickers_survive_json_and_pickle(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    key = address("192.0.2.9")
    picker = policy.build([Server("a", 3), Server("b:80"), Server("c", max_fails=0)])
    letters(picker, 3, key)
    again = pickle.loads(pickle.dumps(picker))
    assert letters(again, 20, key) == letters(picker, 20, key)
    server = Server("a", 3, "x:1", 2, 5, True, True, 9, "r")
    assert Server.from_dict(json.loads(json.dumps(server.to_dict()))) == server


@names
def test_laws_of_pickers(policy):
    pool = [Server("a:1", 3), Server("b:1"), Server("c:1", 2, down=True), Server("d:1")]
    keys = [bytes((i, 3 * i, 5 * i & 255, 1)) for i in range(40)]
    check_picker(
        policy.build(pool), keys=keys, keyed=policy in (IpHash(), Hash(), Hash(True)), eligible=["a:1", "b:1", "d:1"]
    )
    with pytest.raises(NoBackend, match="no backends"):
        policy.build([]).pick()
    with pytest.raises(NoBackend, match="eligible"):
        policy.build([Server("a", down=True), Server("b", down=True)]).pick()
    with pytest.raises(NoBackend, match="excluded"):
        policy.build(["a", "b"]).pick(exclude=["a", "b"])
    with pytest.raises(NoBackend, match="excluded"):
        policy.build(["a"]).pick(exclude=["a"])


@names
def test_pools_of_any_kind(policy):
    key = address("10.1.2.3")
    mine = [Endpoint("a", 2.0), Endpoint("b", 1.0)]
    found = {letters(policy.build(pool), 12, key) for pool in ({"a": 2, "b": 1}, mine, [Server("a", 2), Server("b")])}
    assert len(found) == 1


@names
def test_in_a_balancer(policy):
    clock = FakeClock()
    balancer = Balancer(policy, {"a": 2, "b": 1, "c": 1}, clock=clock, seed=3)
    key = address("10.1.2.3")
    leases = [balancer.acquire(key) for _ in range(8)]
    machine = balancer.picker.load
    assert sum(machine.at(row) for row in range(3)) == 8
    balancer.update({"b": 3, "c": 1, "d": 1})
    for lease in leases:
        clock.now += 0.25
        lease.done(latency=0.1)
    assert [machine.at(row) for row in range(4)] == [0.0] * 4
    assert balancer.picker.load is machine
    machine.check_invariants()
    assert {balancer.acquire(address(f"10.{i}.2.3")).backend.id for i in range(60)} <= {"b", "c", "d"}
    with pytest.raises(ConfigError):
        balancer.update({"b": 0})
    balancer.acquire(key).done(Outcome.LOCAL_ERROR)


@names
def test_a_rebuild_that_changes_nothing_is_invisible(policy):
    pool, key = {"a": 3, "b": 2, "c": 1}, address("10.9.8.7")
    picker, other = policy.build(pool), policy.build(pool)
    for _ in range(12):
        other = policy.build(pool, previous=other)
        assert picker.pick(key).id == other.pick(key).id


# failures and time


def test_failures_make_a_peer_unavailable_and_one_request_probes_it():
    picker = RoundRobin().build([Server("a", max_fails=2, fail_timeout=10), Server("b")])

    def two(now, dead="a"):
        """Who is asked in two requests that begin in this second, when `dead` refuses."""
        asked = []
        for _ in range(2):
            exclude = []
            while not exclude or exclude[-1] == dead:
                head = picker.pick(exclude=exclude).id
                row = "ab".index(head)
                picker.load.started(row, 1.0, now)
                picker.load.finished(row, Outcome.LOCAL_ERROR if head == dead else Outcome.SUCCESS, None, now)
                exclude.append(head)
            asked += exclude
        return "".join(asked)

    picker.load.advance(100.0)
    assert sorted(two(100.0)) == [*"abb"]  # the first failure
    assert sorted(two(100.9)) == [*"abb"]  # the second: unavailable from second 100 on
    picker.load.advance(110.9)
    assert two(110.9) == "bb"  # 10 seconds on is not more than fail_timeout
    picker.load.advance(111.0)
    assert sorted(two(111.0)) == [*"abb"]  # one request probes it, and fails
    picker.load.advance(121.9)
    assert two(121.9) == "bb"
    picker.load.advance(122.0)
    assert sorted(two(122.0, dead="")) == [*"ab"]  # the probe succeeds, and clears the failures
    assert sorted(two(122.0, dead="")) == [*"ab"]


def test_a_success_without_a_probe_clears_nothing():
    picker = RoundRobin().build([Server("a", max_fails=2, fail_timeout=10), Server("b")])
    served(picker, Outcome.LOCAL_ERROR, 50.0)  # a
    served(picker, now=50.0)  # b
    assert served(picker, now=51.0) == "a"
    served(picker, now=51.0)
    assert served(picker, Outcome.LOCAL_ERROR, 52.0) == "a"  # the second failure although one succeeded in between
    assert {served(picker, now=53.0) for _ in range(4)} == {"b"}


@pytest.mark.parametrize(("max_fails", "effective"), [(1, 0), (2, 3), (3, 4), (5, 4), (6, 5), (0, 5)])
def test_a_failure_takes_weight_by_max_fails_in_whole_numbers(max_fails, effective):
    picker = RoundRobin().build([Server("a", 5, max_fails=max_fails), Server("b")])
    assert served(picker, Outcome.LOCAL_ERROR) == "a"
    peer = picker.load.peers[0]
    assert peer.effective == effective
    picker.load.advance(11.0)  # so that it is asked again, and recovers by 1 a turn
    picker.pick()
    assert peer.effective == min(effective + 1, 5)


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        (("error", "timeout"), {"LOCAL_ERROR", "TIMEOUT"}),
        (("off",), {"LOCAL_ERROR", "TIMEOUT"}),
        (["http_500", "http_404"], {"LOCAL_ERROR", "TIMEOUT", "SERVER_ERROR"}),
        (("http_503",), {"LOCAL_ERROR", "TIMEOUT", "GATEWAY_ERROR"}),
        (("http_429", "http_403"), {"LOCAL_ERROR", "TIMEOUT", "OVERLOADED"}),
    ],
)
def test_what_counts_as_a_failure(words, failed):
    for outcome in Outcome:
        picker = RoundRobin(words).build(["a", "b"])
        served(picker, outcome)
        assert (picker.load.peers[0].fails == 1) == (outcome.name in failed)


def test_a_single_peer_is_never_unavailable():
    picker = RoundRobin().build([Server("a", max_fails=1, fail_timeout=600)])
    assert [served(picker, Outcome.LOCAL_ERROR, 5.0) for _ in range(3)] == ["a"] * 3
    assert picker.load.peers[0].fails == 0


def test_earlier_times_change_nothing():
    picker = RoundRobin().build(["a", "b"])
    picker.load.advance(100.9)
    picker.load.advance(3.0)
    assert picker.load.now == 100
    picker.load.finished(77, Outcome.TIMEOUT, None, 101.0)  # a row nobody has
    assert picker.load.at(77) == 0.0


# backups and limits


@pytest.mark.parametrize("policy", [RoundRobin(), LeastConn(), LeastTime(), Sticky()], ids=lambda p: type(p).__name__)
def test_backups_serve_when_no_primary_can(policy):
    pool = [Server("a"), Server("b"), Server("x", 2, backup=True), Server("y", backup=True)]
    picker = policy.build(pool)
    assert set(letters(picker, 6)) == {"a", "b"}
    assert set(letters(policy.build(View.of(pool, states={"a": State.UNHEALTHY, "b": State.DRAINING})), 6)) >= {"x"}
    assert [b.id for b in picker.walk()][2:] in (["x", "y"], ["y", "x"])
    assert picker.pick(exclude=["a", "b", "x"]).id == "y"
    assert picker.pick(exclude=["x"]).id == "y"  # a request that has tried a backup does not come back


def test_max_conns():
    balancer = Balancer(RoundRobin(), [Server("a", 9, max_conns=1), Server("b", max_conns=2)])
    leases = [balancer.acquire() for _ in range(3)]
    assert [lease.backend.id for lease in leases] == ["a", "b", "b"]
    with pytest.raises(NoBackend, match="limit"):
        balancer.acquire()
    leases[0].done()
    assert balancer.acquire().backend.id == "a"
    alone = Balancer(Hash(), [Server("a", max_conns=1)])
    held = alone.acquire("k")
    with pytest.raises(NoBackend, match="limit"):
        alone.acquire("k")
    held.done()


# states and rebuilds


def test_down_keeps_its_share_of_the_hash_space():
    keys = [b"k%d" % i for i in range(400)]
    whole, part = Hash().build(["a", "b", "c"]), Hash().build([Server("a"), Server("b", down=True), Server("c")])
    for key in keys:
        before = whole.pick(key).id
        assert part.pick(key).id == before or before == "b"
    without = Hash().build(["a", "c"])
    moved = sum(whole.pick(key).id not in ("b", without.pick(key).id) for key in keys)
    assert moved > 80  # but removing it moves every second key of the others


def test_degraded_is_up_and_factors_are_nothing():
    view = View.of(["a", "b"], states={"a": State.DEGRADED}, factors={"b": 0.1})
    assert letters(RoundRobin().build(view), 4) == "abab"


def test_state_stays_while_members_change():
    policy = RoundRobin()
    picker = policy.build({"a": 3, "b": 1})
    first = picker.load.peers[0]
    letters(picker, 2)
    current = first.current
    picker = policy.build({"a": 5, "b": 1, "c": 1}, previous=picker)
    assert picker.load.peers[0] is first
    assert (first.weight, first.effective, first.current) == (5, 5, current)
    assert policy.build({"a": 5}).load is not picker.load  # a reload forgets


# by key


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.binary(min_size=1, max_size=20))
def test_hash_is_a_place_on_the_line(weights, key):
    place = (zlib.crc32(key) >> 16 & 0x7FFF) % sum(weights)
    line = [i for i, w in enumerate(weights) for _ in range(w)]
    picker = Hash().build({str(i): w for i, w in enumerate(weights)})
    assert picker.pick(key).id == str(line[place])


def test_places_of_further_tries():
    places = hash_places(b"key")
    first, second = next(places), next(places)
    assert second - first == zlib.crc32(b"1key") >> 16 & 0x7FFF
    assert [p for p, _ in zip(ip_places(b"\x0a\0\0"), range(2), strict=False)] != [0, 0]


def test_ip_hash_keeps_a_24_together_and_takes_all_of_ipv6():
    picker = IpHash().build([f"s{i}" for i in range(50)])
    assert len({picker.pick(address(f"192.0.2.{i}")).id for i in range(256)}) == 1
    assert len({picker.pick(address(f"2001:db8::{i:x}")).id for i in range(256)}) > 20
    assert picker.pick(None).id == picker.pick(b"\0\0\0\x07").id  # no address: three zero bytes


def test_ip_hash_reaches_nobody_beyond_6271():
    picker = IpHash().build({"a": 6271, "b": 6271})
    assert {picker.pick(address(f"10.{i}.{j}.1")).id for i in range(60) for j in range(60)} == {"a"}


@pytest.mark.parametrize("policy", [Hash(), Hash(consistent=True)], ids=["hash", "consistent"])
def test_an_empty_key_takes_turns(policy):
    picker = policy.build({"a": 2, "b": 1})
    assert letters(picker, 3, b"") == letters(RoundRobin().build({"a": 2, "b": 1}), 3)
    assert letters(picker, 3) == "aba"


def plain_ring(servers):
    """All points, sorted; of equal ones the first."""
    points = {}
    for server in servers:
        host, port = host_and_port(server.name or server.id)
        before = 0
        for _ in range(POINTS * server.weight):
            before = zlib.crc32(host + b"\0" + port + before.to_bytes(4, "little"))
            points.setdefault(before, server.id)
    return sorted(points.items())


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), st.lists(st.binary(min_size=1), min_size=1, max_size=20))
def test_consistent_is_the_first_point_at_or_after(weights, keys):
    pool = [Server(f"10.0.0.{i}:80", w) for i, w in enumerate(weights)]
    ring, picker = plain_ring(pool), Hash(consistent=True).build(pool)
    for key in keys:
        owner = next((o for p, o in ring if p >= zlib.crc32(key)), ring[0][1])
        assert picker.pick(key).id == owner


def test_a_failed_try_goes_on_by_points_and_ends_in_round_robin():
    """Points, not names: a key that has 21 points of the excluded peer ahead of it takes a turn."""
    pool = [Server("a:1", 50), Server("b:1"), Server("c:1")]
    ring = plain_ring(pool)
    points, owners = [point for point, _ in ring], [owner for _, owner in ring]
    picker, turns = Hash(consistent=True).build(pool), 0
    for key in (b"%d" % i for i in range(300)):
        first = bisect_left(points, zlib.crc32(key))
        ahead = [owners[(first + k) % len(ring)] for k in range(OFTEN + 1)]
        expected = next((owner for owner in ahead if owner != "a:1"), None)
        chosen = picker.pick(key, exclude=["a:1"]).id
        turns += expected is None
        assert chosen in ("b:1", "c:1") if expected is None else chosen == expected
    assert 0 < turns < 300


def test_peers_of_one_name_take_turns():
    pool = [
        Server("10.0.0.1:80", 2, name="web:80"),
        Server("10.0.0.2:80", name="web:80"),
        Server("10.0.0.3:80", name="b:80"),
    ]
    picker = Hash(consistent=True).build(pool)
    keys = [b"%d" % i for i in range(60)]
    key = next(k for k in keys if picker.pick(k).id != "10.0.0.3:80")
    assert sorted(letters(picker, 3, key)[7::11]) == ["1", "1", "2"]
    assert picker.pick(key, exclude=["10.0.0.1:80"]).id == "10.0.0.2:80"


def test_consistent_moves_only_what_it_must():
    whole = Hash(consistent=True).build([f"10.0.0.{i}:80" for i in range(10)])
    part = Hash(consistent=True).build([f"10.0.0.{i}:80" for i in range(9)])
    keys = [b"%d" % i for i in range(2000)]
    assert {whole.pick(k).id for k in keys if whole.pick(k).id != part.pick(k).id} == {"10.0.0.9:80"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a:80", (b"a", b"80")),
        ("a", (b"a", b"")),
        ("a:http", (b"a:http", b"")),
        ("a:", (b"a", b"")),
        ("[::1]:80", (b"[::1]", b"80")),
        ("UNIX:/x:9", (b"/x:9", b"")),
    ],
)
def test_host_and_port(name, parts):
    assert host_and_port(name) == parts
    assert zlib.crc32(parts[0] + b"\0" + parts[1] + bytes(4)) << 32 in ring_of([name], [1]).points()


# by draw


def test_random_is_the_draw_modulo_the_sum():
    draws, picker = GlibcRandom(5), Random(srandom=5).build({"a": 2, "b": 3})
    assert letters(picker, 50) == "".join("aabbb"[draws() % 5] for _ in range(50))


def test_random_two_takes_the_second_on_a_tie():
    draws, picker = GlibcRandom(1), Random(two=True, srandom=1).build(["a", "b", "c"])
    for _ in range(50):
        first = second = draws() % 3
        while second == first:
            second = draws() % 3
        assert picker.pick().id == "abc"[second]


def test_a_request_goes_on_counting_its_failed_draws():
    """Two peers in 51 are up; the try after a failure has only what is left of the 21 draws."""
    pool = [Server("up"), *(Server(f"d{i}", down=True) for i in range(49)), Server("other")]
    picker, draws = Random(srandom=1).build(pool), GlibcRandom(1)
    ended_in_turn = 0
    for _ in range(200):
        failed, tried = 0, []
        for _ in range(2):
            chosen = None
            while failed <= OFTEN and chosen is None:
                drawn = pool[draws() % len(pool)]
                chosen = None if drawn.down or drawn.id in tried else drawn.id
                failed += chosen is None
            got = picker.pick(exclude=tried).id
            assert got == chosen or (chosen is None and got in {"up", "other"} - {*tried})
            tried.append(got)
            ended_in_turn += chosen is None
    assert 100 < ended_in_turn < 400


def test_shares_of_random_are_the_weights():
    """Chi-square with 3 degrees of freedom at alpha = 1e-6 is 30.66."""
    weights = {"a": 1, "b": 2, "c": 3, "d": 10}
    picker, n = Random().build(weights), 8000
    counts = dict.fromkeys(weights, 0)
    for _ in range(n):
        counts[picker.pick().id] += 1
    expected = {id: n * w / 16 for id, w in weights.items()}
    assert sum((counts[id] - e) ** 2 / e for id, e in expected.items()) < 30.66


def test_seeds_of_a_balancer_move_lbalgos_words_only():
    def sequence(policy, seed):
        balancer = Balancer(policy, ["a", "b", "c"], seed=seed)
        return [balancer.acquire().backend.id for _ in range(20)]

    assert sequence(Random(), 1) != sequence(Random(), 2)
    assert sequence(Random(srandom=1), 1) == sequence(Random(srandom=1), 2)


# least_conn, least_time, sticky


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=2, max_size=6))
def test_least_conn_has_the_least_for_its_weight(servers):
    picker = LeastConn().build({str(i): w for i, (w, _) in enumerate(servers)})
    for row, (_, conns) in enumerate(servers):
        for _ in range(conns):
            picker.load.started(row, 1.0, 0.0)
    chosen = int(picker.pick().id)
    assert servers[chosen][1] / servers[chosen][0] == min(c / w for w, c in servers)


def test_least_time_goes_by_buckets_of_20_ms():
    clock = FakeClock()
    balancer = Balancer(LeastTime(), ["a", "b"], clock=clock)
    for latency in (0.019, 0.001):  # both in the first bucket: they tie
        balancer.acquire().done(latency=latency)
    chosen = []
    for _ in range(4):
        lease = balancer.acquire()
        chosen.append(lease.backend.id)
        lease.done()
    assert set(chosen) == {"a", "b"}
    for _ in range(200):
        lease = balancer.acquire()
        lease.done(latency=9.0 if lease.backend.id == "a" else 0.001)
    assert [balancer.acquire().backend.id for _ in range(3)] == ["b", "b", "b"]


def test_least_time_with_inflight_sees_what_hangs():
    clock = FakeClock()
    for inflight, first in ((True, "b"), (False, "a")):
        balancer = Balancer(LeastTime(inflight=inflight), {"a": 9, "b": 1}, clock=clock)
        hangs = balancer.acquire()
        clock.now += 5.0
        assert (hangs.backend.id, balancer.acquire().backend.id) == ("a", first)


def test_a_session_stays_with_its_peer_and_is_charged():
    pool = [Server("a:1"), Server("b:1", route="r2"), Server("c:1", down=True)]
    picker = Sticky().build(pool)
    assert session_of("b:1", "r2") == b"r2"
    assert len(session_of("a:1")) == 32
    assert [picker.pick(b"r2").id for _ in range(5)] == ["b:1"] * 5
    assert letters(picker, 2)[::3] == "aa"  # it has paid for its turns
    assert picker.pick(session_of("c:1")).id in ("a:1", "b:1")
    assert picker.pick(b"r2", exclude=["b:1"]).id == "a:1"
    picker.check_invariants()


def test_native_round_robin_has_the_same_period():
    from lbalgo import WeightedRoundRobin

    weights = {"a": 7, "b": 3, "c": 3, "d": 1}
    assert letters(RoundRobin().build(weights), 42) == letters(WeightedRoundRobin().build(weights), 42)
    assert np.asarray(WeightedRoundRobin().build(weights).shares() * 14).tolist() == [7, 3, 3, 1]
