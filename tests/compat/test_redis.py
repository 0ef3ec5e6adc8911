"""Redis Cluster: slots, and nodes that serve them."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, State, View
from lbalgo.compat import redis
from lbalgo.reference.hashing import key_bytes
from lbalgo.testing import KeyedContract, check_picker
from lbalgo.testing import strategies as some

THREE = [redis.Node("a", ((0, 5460),)), redis.Node("b", ((5461, 10922),)), redis.Node("c", ((10923, 16383),))]


@st.composite
def nodes(draw, min_size=0, max_size=6):
    """Nodes that share out all slots in ranges, some of them several, some none."""
    ids = draw(st.lists(some.ids(), unique=True, min_size=min_size, max_size=max_size))
    if not ids:
        return []
    cuts = sorted(draw(st.lists(st.integers(1, redis.SLOTS - 1), unique=True, max_size=8)))
    ranges: dict[str, list[tuple[int, int]]] = {id: [] for id in ids}
    for first, end in zip([0, *cuts], [*cuts, redis.SLOTS], strict=True):
        ranges[draw(st.sampled_from(ids))].append((first, end - 1))
    return [redis.Node(id, tuple(ranges[id])) for id in ids]


class TestCluster(KeyedContract):
    policy = redis.Cluster()
    settings = settings(max_examples=settings.default.max_examples // 4)
    test_nobody_eligible_is_refused = None  # states do not matter
    test_a_policy_builds_from_what_a_beginner_has = None  # ids alone serve no slot
    test_another_process_picks_alike = None  # likewise; the golden slots are the same everywhere

    def view(self, data, **fixed):
        pool = data.draw(nodes(fixed.get("min_size", 0)), label="nodes")
        states = data.draw(st.lists(some.states(), min_size=1, max_size=5), label="states")
        return some.with_signals(pool, [1.0], states, panic_below=0.5)

    def eligible(self, view):
        return frozenset(b.id for b in view.backends if b.slots)


def crc16(data):
    """CRC-16/XMODEM, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


@given(some.keys())
def test_slots_are_crc16_of_the_tag(key):
    data = key_bytes(key)
    _before, brace, rest = data.partition(b"{")
    tag, close, _ = rest.partition(b"}")
    assert redis.slot(key) == crc16(tag if brace and close and tag else data) % 16384


def test_the_check_value_of_the_published_crc():
    assert redis.slot("123456789") == 0x31C3 % 16384


@pytest.mark.parametrize("key", [None, 1.5, True])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(TypeError):
        redis.slot(key)


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: redis.Node(""), "id"),
        (lambda: redis.Node("a", weight=-1), "weight"),
        (lambda: redis.Node("a", [(0, 1)]), "slots"),
        (lambda: redis.Node("a", ((0, 1, 2),)), "slots"),
        (lambda: redis.Node("a", ((0, 16384),)), "slots"),
        (lambda: redis.Node("a", ((-1, 0),)), "slots"),
        (lambda: redis.Node("a", ((5, 4),)), "slots"),
        (lambda: redis.Node("a", ((0, 1.0),)), "slots"),
        (lambda: redis.Cluster().build([*THREE, redis.Node("d", ((5460, 5460),))]), "slots['d']"),
        (lambda: redis.Cluster().build([redis.Node("d", ((0, 5), (5, 9)))]), "slots['d']"),
        (lambda: redis.Cluster.from_dict({"nodes": 6}), "nodes"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


def test_overlap_names_slot_and_owner():
    with pytest.raises(ConfigError, match="slot 5460 is already served by 'a'"):
        redis.Cluster().build([*THREE, redis.Node("d", ((5460, 5461),))])


def test_a_node_without_slots_gets_nothing():
    picker = redis.Cluster().build([*THREE, redis.Node("d")])
    assert "d" not in {b.id for b in picker.walk("key")}
    assert picker.shares()[3] == 0.0
    check_picker(picker)


def test_with_an_unserved_slot_nobody_serves():
    for pool in (THREE[:2], ["a", "b"], {"a": 1}):
        with pytest.raises(NoBackend, match="eligible"):
            redis.Cluster().build(pool).pick("key")
    with pytest.raises(NoBackend, match="no backends"):
        redis.Cluster().build([]).pick("key")


def test_health_moves_no_slot():
    view = View.of(THREE, states={"a": State.UNHEALTHY, "b": State.DRAINING})
    assert redis.Cluster().build(view).fingerprint() == redis.Cluster().build(THREE).fingerprint()


def test_a_migration_moves_the_migrated_slots_alone():
    balancer = Balancer(redis.Cluster(), THREE, seed=0)
    before = {k: balancer.picker.pick(k).id for k in range(3000)}
    moved = [redis.Node("a", ((0, 999), (1010, 5460))), redis.Node("b", ((1000, 1009), (5461, 10922))), THREE[2]]
    balancer.update(moved)
    for key, owner in before.items():
        assert balancer.picker.pick(key).id == ("b" if 1000 <= redis.slot(key) <= 1009 else owner)
    with pytest.raises(ConfigError):
        balancer.update([THREE[0], THREE[0]])
    assert balancer.picker.pick("foo").id == "c"


def test_policies_and_pickers_survive_json_and_pickle():
    policy = redis.Cluster()
    assert redis.Cluster.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    picker = policy.build(THREE)
    assert pickle.loads(pickle.dumps(picker)).fingerprint() == picker.fingerprint()
    picker.check_invariants()


def test_tickets_are_slots():
    picker = redis.Cluster().build(THREE)
    keys = [b"k%d" % i for i in range(50)]
    assert picker.tickets(keys).tolist() == [redis.slot(k) for k in keys]
    assert [picker.backends[s].id for s in picker.pick_many(picker.tickets(keys))] == [picker.pick(k).id for k in keys]
    assert picker.slot(16384) == picker.slot(0) == 0
