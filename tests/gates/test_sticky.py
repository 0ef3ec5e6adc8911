"""Sticky sessions: the seal, the verdicts, the ways out, time, room, and that nothing of it depends on memory."""

import base64
import dataclasses
import hmac
import importlib.util
import itertools
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, State
from lbalgo.gates.homes import Homes, Session
from lbalgo.gates.members import STANDINGS, Members, Standing
from lbalgo.gates.sealing import Seal
from lbalgo.gates.sticky import VERDICTS, Fallback, Sticky, Why

OLD, NEW = b"old secret 16 by", b"new secret, of more than 16 bytes"
T = 1_700_000_000.0
NAMES = [f"b{i}" for i in range(8)]
STICKY = Sticky((OLD,), pool="web")


def picker(states=None, policy=None, names=NAMES, **more):
    return (policy or lb.RoundRobin()).build(lb.View.of(names, states=states or {}, **more))


def begun(sticky=STICKY, pool=None, **more):
    return sticky.pick(pool or picker(), now=T, **more)


# ---- the seal


def test_a_value_is_what_the_theory_says():
    """Computed from the description: keys by use, tag over all that is bound, stream from the tag."""
    plain = bytes(range(32))
    tagging, streaming = (hmac.digest(OLD, b"lbalgo sealed session: " + use, "sha256") for use in (b"tag", b"stream"))
    bound = b"\x01" + b"\0\0\0\3web" + b"\0\0\0\4user" + plain
    tag = hmac.digest(tagging, bound, "sha256")[:16]
    covered = bytes(a ^ b for a, b in zip(plain, hmac.digest(streaming, tag, "sha256"), strict=True))
    assert Seal([OLD], "web").close(plain, b"user") == base64.urlsafe_b64encode(b"\x01" + tag + covered).decode()[:66]


def test_every_single_change_of_a_cookie_is_seen():
    cookie = begun().cookie
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, other in itertools.product(range(len(cookie)), alphabet):
        forged = cookie[:place] + other + cookie[place + 1 :]
        assert (STICKY.read(forged, now=T)[0] is Why.HIT) == (forged == cookie)


@pytest.mark.parametrize(
    "forged", ["", "=" * 66, "A" * 65, "A" * 66, "A" * 68, "é" * 66, "A" * 64 + "==", b"\xff" * 66]
)
def test_damaged_cookies(forged):
    assert STICKY.read(forged, now=T) == (Why.INVALID, None)


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80), st.binary(min_size=49, max_size=49)))
def test_whatever_comes_is_refused_quietly(value):
    if len(value) == 49 and isinstance(value, bytes):
        value = base64.urlsafe_b64encode(b"\x01" + value[1:]).rstrip(b"=")
    assert STICKY.read(value, now=T) == (Why.INVALID, None)


@pytest.mark.parametrize(
    ("gate", "context", "why"),
    [
        (STICKY, b"user", Why.HIT),
        (STICKY, b"", Why.INVALID),
        (STICKY, b"other", Why.INVALID),
        (dataclasses.replace(STICKY, pool="api"), b"user", Why.INVALID),
        (dataclasses.replace(STICKY, secrets=(NEW,)), b"user", Why.INVALID),
        (dataclasses.replace(STICKY, secrets=(NEW, OLD)), b"user", Why.HIT),
    ],
)
def test_a_cookie_is_bound_to_pool_context_and_secret(gate, context, why):
    assert gate.read(begun(context=b"user").cookie, now=T, context=context)[0] is why


def test_pool_and_context_do_not_run_into_each_other():
    one = Seal([OLD], "ab").close(bytes(32), b"c")
    assert Seal([OLD], "a").open(one, b"bc") is None


def test_secrets_rotate_without_a_session_lost():
    pool, cookie, home = picker(), None, None
    for step, secrets in enumerate(((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))):
        choice = Sticky(secrets, pool="web", idle=600.0).pick(pool, cookie, now=T + 60 * step)
        cookie, home = choice.cookie or cookie, home or choice.backend
        assert choice.backend is home
    assert Sticky((OLD,), pool="web").read(cookie, now=T)[0] is Why.INVALID


def test_a_cookie_is_opaque():
    names = [name.encode() for name in NAMES]
    cookies = [begun(pool=picker(names=[name]), bits=7).cookie for name in NAMES for _ in (0, 1)]
    assert len(set(cookies)) == len(NAMES)  # no nonce: the same session at the same instant is the same value
    raw = [base64.urlsafe_b64decode(cookie + "==") for cookie in cookies]
    assert not any(name in value for name in names for value in raw)
    assert len({value[17 + 8 * k : 25 + 8 * k] for value in raw for k in range(4)}) == 4 * len(NAMES)


def test_secrets_are_never_shown():
    assert "secret" not in repr(STICKY) + repr(STICKY.to_dict())
    for bad in (OLD, [OLD, OLD], [b"short secret"], ["text, of 16 characters"], [], [OLD] * 9, None, 7):
        with pytest.raises(ConfigError) as refused:
            Sticky(bad)
        assert refused.value.parameter.startswith("secrets")
        assert (
            "old" not in str(refused.value) and "short" not in str(refused.value) and "text" not in str(refused.value)
        )


# ---- verdicts


@pytest.mark.parametrize("panic", [0.0, 1.0])
@pytest.mark.parametrize("flags", list(itertools.product([True, False], repeat=2)))
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_who_keeps_what(state, weight, flags, panic):
    draining, degraded = flags
    gate = dataclasses.replace(STICKY, draining=draining, degraded=degraded)
    first = begun(gate, picker(names=["a"]))
    pool = picker(states={"a": state}, names=["a", "b"], weights={"a": weight}, panic_below=panic)
    choice = gate.pick(pool, first.cookie, now=T)
    spared = state is State.DRAINING or (weight == 0 and state is State.HEALTHY)
    if weight > 0 and (state is State.HEALTHY or (panic and state is not State.DRAINING)):
        wanted = Why.HIT
    elif spared:
        wanted = Why.HIT if draining else Why.DRAINING
    elif state is State.DEGRADED:
        wanted = Why.HIT if degraded else Why.DEGRADED
    else:
        wanted = Why.UNHEALTHY
    assert choice.why is wanted
    assert choice.backend.id == ("a" if wanted is Why.HIT else "b")
    assert (choice.cookie is not None) == (wanted is Why.DRAINING)


def test_the_tables_are_whole():
    assert set(VERDICTS) == set(Standing)
    assert set(STANDINGS) == set(State)


def test_members_of_a_picker_that_has_no_view():
    class Foreign:
        def __init__(self, pool):
            self.backends, self.walk, self.pick = pool.backends, pool.walk, pool.pick

    pool = Foreign(picker({"b1": State.UNHEALTHY}))
    assert [Members(pool).of(name) for name in ("b0", "b1", "z")] == [
        Standing.ELIGIBLE,
        Standing.UNHEALTHY,
        Standing.GONE,
    ]
    cookie = begun(pool=picker(names=["b1"])).cookie
    assert STICKY.pick(pool, cookie, now=T).why is Why.UNHEALTHY


def test_two_ids_of_one_mark_are_nobodys_home():
    members = Members(picker())
    before = Homes(members, None)
    before.marks["b3"] = before.marks["b5"]
    homes = Homes(members, before)
    assert homes.homes[before.marks["b5"]] is None
    assert homes.homes[before.marks["b0"]] == 0


# ---- ways out


def test_a_session_returns_when_home_returns():
    first = begun(bits=5)
    home = first.backend.id
    down = picker({home: State.UNHEALTHY})
    away = [STICKY.pick(down, first.cookie, now=T + k) for k in range(20)]
    assert {choice.why for choice in away} == {Why.UNHEALTHY}
    assert len({choice.backend.id for choice in away}) == 1 and away[0].backend.id != home
    assert all(choice.cookie is None for choice in away)
    assert STICKY.pick(picker(), first.cookie, now=T + 99).backend.id == home


def test_the_sessions_of_a_failed_backend_spread_by_weight():
    """Chi-square of 6000 sessions over three survivors of weights 1, 2, 3; alpha 1e-9."""
    whole, down = ["x", "a", "b", "c"], {"x": State.UNHEALTHY}
    pool = picker(down, names=whole, weights={"b": 2.0, "c": 3.0})
    seal = Seal([OLD], "web")
    mark = Homes(Members(pool), None).marks["x"]
    counts = dict.fromkeys("abc", 0)
    for number in range(6000):
        cookie = seal.close(Session(int(T * 1000), int(T * 1000), number, mark).packed(), b"")
        counts[STICKY.pick(pool, cookie, now=T).backend.id] += 1
    assert stats.chisquare([counts[k] for k in "abc"], [1000, 2000, 3000]).pvalue > 1e-9


def test_a_second_failure_moves_only_the_sessions_it_hits():
    cookies = [begun(pool=picker(names=["b0"]), bits=k + 1).cookie for k in range(200)]
    one = [STICKY.pick(picker({"b0": State.UNHEALTHY}), c, now=T).backend.id for c in cookies]
    both = picker({"b0": State.UNHEALTHY, "b1": State.UNHEALTHY})
    two = [STICKY.pick(both, c, now=T).backend.id for c in cookies]
    assert {b for a, b in zip(one, two, strict=True) if a == "b1"} > {"b2"}
    assert all(a == b for a, b in zip(one, two, strict=True) if a != "b1")


def test_pick_makes_a_new_home():
    gate = dataclasses.replace(STICKY, fallback=Fallback.PICK)
    first = begun(gate)
    home = first.backend.id
    moved = gate.pick(picker({home: State.UNHEALTHY}), first.cookie, now=T + 9)
    assert moved.why is Why.UNHEALTHY and moved.backend.id != home and moved.cookie
    after = gate.pick(picker(), moved.cookie, now=T + 10)
    assert after.why is Why.HIT and after.backend.id == moved.backend.id
    old, new = (gate.read(choice.cookie, now=T + 9)[1] for choice in (first, moved))
    assert old.number == new.number and new.issued - old.issued == 9000


def test_refuse_refuses():
    gate = dataclasses.replace(STICKY, fallback=Fallback.REFUSE)
    first = begun(gate)
    with pytest.raises(NoBackend) as refused:
        gate.pick(picker({first.backend.id: State.UNHEALTHY}), first.cookie, now=T)
    assert refused.value.reason == "ineligible"
    with pytest.raises(NoBackend) as refused:
        gate.pick(picker(), first.cookie, now=T, exclude={first.backend.id})
    assert refused.value.reason == "excluded"


@pytest.mark.parametrize("fallback", [Fallback.RENDEZVOUS, Fallback.PICK])
def test_a_backend_that_left_is_unknown(fallback):
    gate = dataclasses.replace(STICKY, fallback=fallback)
    cookie = begun(gate, picker(names=["gone"])).cookie
    choice = gate.pick(picker(), cookie, now=T)
    assert choice.why is Why.UNKNOWN and (choice.cookie is None) == (fallback is Fallback.RENDEZVOUS)


@pytest.mark.parametrize("fallback", [Fallback.RENDEZVOUS, Fallback.PICK])
def test_a_retry_goes_elsewhere_and_home_stays_home(fallback):
    gate = dataclasses.replace(STICKY, fallback=fallback)
    first = begun(gate)
    tried = {first.backend.id}
    for _ in range(len(NAMES) - 1):
        choice = gate.pick(picker(), first.cookie, now=T, exclude=tried)
        assert choice.why is Why.EXCLUDED and choice.backend.id not in tried and choice.cookie is None
        tried.add(choice.backend.id)
    with pytest.raises(NoBackend) as refused:
        gate.pick(picker(), first.cookie, now=T, exclude=tried)
    assert refused.value.reason == "excluded"


@pytest.mark.parametrize(("names", "reason"), [([], "empty"), ({"a": 0.0}, "ineligible")])
def test_nobody_there(names, reason):
    for cookie in (None, begun(pool=picker(names=["z"])).cookie):
        with pytest.raises(NoBackend) as refused:
            STICKY.pick(picker(names=names), cookie, now=T)
        assert refused.value.reason == reason


def test_a_key_chooses_the_home_and_numbers_the_session():
    pool = picker(policy=lb.Maglev(251))
    choice = STICKY.pick(pool, now=T, key="user")
    assert choice.backend is pool.pick("user")
    assert STICKY.read(choice.cookie, now=T)[1].number == lb.hash_key("user")


# ---- time


@pytest.mark.parametrize(
    ("age", "why"), [(0, Why.HIT), (99.999, Why.HIT), (100, Why.EXPIRED), (-60, Why.HIT), (-60.001, Why.EXPIRED)]
)
def test_a_session_ends(age, why):
    gate = Sticky((OLD,), ttl=100.0)
    cookie = begun(gate).cookie
    assert gate.read(cookie, now=T + age)[0] is why
    choice = gate.pick(picker(), cookie, now=T + age)
    assert choice.why is why and (choice.cookie is None) == (why is Why.HIT)


def test_idle_sessions_end_and_busy_ones_are_renewed():
    gate, pool = Sticky((OLD,), ttl=None, idle=100.0), picker()
    cookie, renewals, now = begun(gate, pool).cookie, 0, T
    for _ in range(100):
        now += 7.0
        choice = gate.pick(pool, cookie, now=now)
        assert choice.why is Why.HIT
        renewals += choice.cookie is not None
        cookie = choice.cookie or cookie
    assert renewals == 50  # every second request: 7 s are less than a tenth of the idle time, 14 s are not
    assert gate.read(cookie, now=now + 99.99)[0] is Why.HIT
    assert gate.read(cookie, now=now + 100)[0] is Why.EXPIRED


# ---- room


def test_a_full_home_spills_for_this_once():
    gate, pool = dataclasses.replace(STICKY, spill=1.25), picker()
    first = gate.pick(pool, now=T, loads=[0] * 8)
    slot = NAMES.index(first.backend.id)
    loads = [10.0] * 8
    for load, why in ((13.0, Why.HIT), (14.0, Why.OVERLOADED), (40.0, Why.OVERLOADED)):
        loads[slot] = load
        total = sum(loads)
        assert (load >= -(-1.25 * (total + 1) // 8)) == (why is Why.OVERLOADED)  # the cap of the theory
        choice = gate.pick(pool, first.cookie, now=T, loads=loads)
        assert choice.why is why and (choice.backend is first.backend) == (why is Why.HIT) and choice.cookie is None


def test_a_pick_that_spills_does_not_come_back_to_home():
    gate, pool = dataclasses.replace(STICKY, spill=1.0, fallback=Fallback.PICK), picker()
    first = gate.pick(pool, now=T, loads=[0] * 8)
    loads = [99.0 if name == first.backend.id else 1.0 for name in NAMES]
    chosen = {gate.pick(pool, first.cookie, now=T, loads=loads).backend.id for _ in range(16)}
    assert chosen == set(NAMES) - {first.backend.id}


def test_spilling_passes_those_that_are_full():
    gate, pool = dataclasses.replace(STICKY, spill=1.0), picker()
    first = gate.pick(pool, now=T, loads=[0] * 8)
    loads = [9.0] * 8
    roomy = (NAMES.index(first.backend.id) + 3) % 8
    loads[roomy] = 0.0
    assert gate.pick(pool, first.cookie, now=T, loads=loads).backend.id == NAMES[roomy]


def test_the_loads_of_a_picker_are_used():
    gate, pool = dataclasses.replace(STICKY, spill=1.0), picker(policy=lb.LeastConnections())
    first = gate.pick(pool, now=T)
    row = pool.rows[NAMES.index(first.backend.id)]
    assert gate.pick(pool, first.cookie, now=T).why is Why.HIT
    for _ in range(9):
        pool.load.started(int(row), 1.0, 0.0)
    assert gate.pick(pool, first.cookie, now=T).why is Why.OVERLOADED


def test_draining_backends_are_not_bounded():
    gate = dataclasses.replace(STICKY, spill=1.0)
    first = gate.pick(picker(), now=T, loads=[0] * 8)
    loads = [1000.0 if name == first.backend.id else 0.0 for name in NAMES]
    pool = picker({first.backend.id: State.DRAINING})
    assert gate.pick(pool, first.cookie, now=T, loads=loads).why is Why.HIT


@given(
    st.lists(st.sampled_from(list(State)), min_size=8, max_size=8),
    st.lists(st.integers(0, 20), min_size=8, max_size=8),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(list(Fallback)),
    st.sampled_from([None, 1.0, 1.5]),
    st.integers(0, 7),
    st.integers(1, 2**64 - 1),
)
def test_the_laws_of_a_gate(states, loads, exclude, fallback, spill, home, number):
    """Whoever is chosen is a member, not excluded, and eligible unless kept; a refusal is due; a hit never moves."""
    gate = Sticky((OLD,), fallback=fallback, spill=spill)
    pool = picker(dict(zip(NAMES, states, strict=True)))
    cookie = begun(gate, picker(names=[NAMES[home]]), bits=number, loads=[0]).cookie
    able = {name for name, ok in zip(NAMES, pool.view.eligible.tolist(), strict=True) if ok}
    try:
        choice = gate.pick(pool, cookie, now=T, exclude=exclude, loads=loads)
    except NoBackend as refusal:
        assert fallback is Fallback.REFUSE or not able - exclude - {NAMES[home]}
        assert refusal.reason in ("excluded", "ineligible", "overloaded")
        return
    assert choice.backend in pool.backends and choice.backend.id not in exclude
    assert choice.why is Why.HIT or choice.backend.id in able - {NAMES[home]}
    if choice.why is Why.HIT:
        assert choice.backend.id == NAMES[home] and choice.cookie is None
    if spill is None:
        assert choice.why is not Why.OVERLOADED


# ---- what else a gate owes


def test_copies_decide_alike():
    gate = Sticky((OLD, NEW), pool="p", ttl=None, idle=9.0, fallback=Fallback.PICK, draining=False, spill=2.0)
    cookie = begun(gate, loads=[0] * 8).cookie
    for twin in (pickle.loads(pickle.dumps(gate)), Sticky.from_dict(gate.to_dict(), secrets=(OLD, NEW))):
        assert twin == gate and twin.read(cookie, now=T) == gate.read(cookie, now=T)
    with pytest.raises(ConfigError):
        Sticky.from_dict([], secrets=(OLD,))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("pool", x) for x in ("", 7, None, "\ud800")),
        *((field, x) for field in ("ttl", "idle") for x in (0.0, -1.0, float("nan"), "1", 1e-9)),
        *(("fallback", x) for x in ("PICK", None, 1)),
        *((field, x) for field in ("draining", "degraded") for x in (1, None)),
        *(("spill", x) for x in (0.99, float("inf"), "1", True)),
    ],
)
def test_bad_fields(field, value):
    with pytest.raises(ConfigError) as refused:
        Sticky((OLD,), **{field: value})
    assert refused.value.parameter == field


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("now", -1.0),
        ("now", float("nan")),
        ("now", None),
        ("cookie", 7),
        ("bits", -1),
        ("bits", True),
        ("context", "text"),
        ("exclude", "b1"),
        ("loads", None),
        ("loads", [1.0]),
        ("loads", ["x"] * 8),
        ("loads", [-1.0] * 8),
    ],
)
def test_bad_arguments(argument, value):
    gate, pool = dataclasses.replace(STICKY, spill=1.0), picker()
    given_ = {"cookie": None, "now": T, "loads": [0] * 8, argument: value}
    with pytest.raises(ConfigError) as refused:
        gate.pick(pool, **given_)
    assert refused.value.parameter == argument
    assert pool.pick().id == "b0", "no ticket was spent"


def test_the_page_shows_the_ways():
    docs = Path(__file__).parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("state_machine", docs / "state_machine.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    graph = draw.ways(VERDICTS, Fallback)
    assert f"```dot\n{graph}\n```\n" in (docs / "guide" / "affinity.md").read_text(encoding="utf-8")
    assert all(f'"home {standing.value}"' in graph for standing in VERDICTS)
