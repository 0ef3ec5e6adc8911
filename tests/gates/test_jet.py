"""JET: how much is tracked, exactly, and that what is not tracked is never moved by whoever joins."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lbalgo as lb
from lbalgo import ConfigError, State
from lbalgo.gates.flow_table import FlowTable
from lbalgo.gates.jet import Jet
from lbalgo.policies.multi_probe import MultiProbe

BASES = [lb.Rendezvous(), lb.RingHash(50), lb.RingHash(50, lookup=lb.Lookup.NEAREST), MultiProbe()]
SERVING, COMING = [f"w{i}" for i in range(9)], [f"h{i}" for i in range(4)]
KEYS = np.arange(4000, dtype=np.uint64)


def owners(picker, tickets):
    ids = np.array([backend.id for backend in picker.backends])
    return ids[picker.pick_many(tickets)]


@pytest.mark.parametrize(("w", "h", "share"), [(468, 47, 47 / 515), (3, 1, 0.25), (10, 0, 0.0), (1, 9, 0.9)])
def test_the_tracked_share_of_rendezvous_is_exact(w, h, share):
    picker = Jet(lb.Rendezvous(), [f"h{i}" for i in range(h)]).build([f"w{i}" for i in range(w)])
    assert picker.tracked_share() == pytest.approx(share, abs=1e-12)


def test_the_paper_s_setting_tracks_9_13_percent():
    """468 serve, 47 may come; the count of 100000 keys is binomial, two-sided at alpha 1e-9."""
    picker = Jet(lb.Rendezvous(), [f"h{i}" for i in range(47)]).build([f"w{i}" for i in range(468)])
    tracked = int(picker.must_track(picker.tickets(np.arange(100_000))).sum())
    assert round(picker.tracked_share() * 100, 2) == 9.13
    assert stats.binomtest(tracked, 100_000, 47 / 515).pvalue > 1e-9


def test_weights_count():
    picker = Jet(lb.Rendezvous(), {"h": 3.0}).build({"a": 1.0, "b": 2.0})
    assert picker.tracked_share() == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("base", BASES, ids=repr)
@given(
    joins=st.lists(st.sampled_from(COMING), unique=True),
    down=st.sets(st.sampled_from(SERVING), max_size=5),
    warm=st.dictionaries(st.sampled_from(SERVING), st.sampled_from([0.1, 0.5, 0.9]), max_size=4),
    rises=st.lists(st.sampled_from(SERVING), unique=True),
)
def test_untracked_keys_are_never_moved_by_whoever_joins(base, joins, down, warm, rises):
    """Backends of the horizon join, ineligible ones return, warming ones warm up, one after the other."""
    policy = Jet(base, COMING)

    def state_of(names, down, warm):
        return lb.View.of(names, states=dict.fromkeys(down, State.UNHEALTHY), factors=warm, panic_below=0.0)

    picker = policy.build(state_of(SERVING, down, warm))
    tickets = picker.tickets(KEYS)
    safe = tickets[~picker.must_track(tickets)]
    before, names = owners(picker, safe), list(SERVING)
    for step in [*joins, *rises]:
        if step in COMING:
            names.append(step)
        down, warm = down - {step}, {name: factor for name, factor in warm.items() if name != step}
        picker = policy.build(state_of(names, down, warm), previous=picker)
        assert (owners(picker, safe) == before).all()


@pytest.mark.parametrize("base", BASES, ids=repr)
def test_what_the_whole_horizon_moves_is_just_what_was_tracked(base):
    policy = Jet(base, COMING)
    picker, after = policy.build(SERVING), policy.build(SERVING + COMING)
    tickets = picker.tickets(KEYS)
    moved = owners(picker, tickets) != owners(after, tickets)
    assert (picker.must_track(tickets) == moved).all() and moved.any()
    assert not after.must_track(tickets).any()


def test_maglev_is_refused_and_rightly():
    """Some key stays when all of the horizon joins, and moves when part of it does."""
    keys = lb.Maglev(251).build(SERVING).tickets(KEYS)
    views = [lb.Maglev(251).build(SERVING + COMING[:n]) for n in range(len(COMING) + 1)]
    first, *middle, last = (owners(view, keys) for view in views)
    assert any(((first == last) & (first != part)).any() for part in middle)
    for policy in (lb.Maglev(251), lb.RoundRobin(), lb.Jump(), lb.Rendezvous, None):
        with pytest.raises(ConfigError) as refused:
            Jet(policy)
        assert refused.value.parameter == "policy"


def test_scalar_and_bulk_agree():
    picker = Jet(lb.Rendezvous(), COMING).build(lb.View.of(SERVING, factors={"w1": 0.5}))
    flags = picker.must_track(picker.tickets(KEYS))
    for key in range(500):
        backend, track = picker.pick_safe(key)
        assert backend is picker.pick(key) and track == flags[key]
    assert flags[[picker.pick(int(k)).id == "w1" for k in KEYS]].all(), "what is on a warming backend may be outgrown"


def test_a_flow_table_holds_only_what_is_unsafe_and_no_flow_breaks():
    policy, keys = Jet(lb.Rendezvous(), COMING), range(3000)
    picker, flows, whole = policy.build(SERVING), FlowTable(16_000), FlowTable(16_000)
    before = [flows.pick(picker, k, now=0.0).id for k in keys]
    assert [whole.pick(picker.base, k, now=0.0).id for k in keys] == before
    assert len(flows) == int(picker.must_track(picker.tickets(np.arange(3000))).sum()) < 0.4 * len(whole)
    for k in range(1, len(COMING) + 1):
        picker = policy.build(SERVING + COMING[:k], previous=picker)
        assert [flows.pick(picker, key, now=k).id for key in keys] == before


def test_retries_are_tracked():
    picker = Jet(lb.Rendezvous(), COMING).build(SERVING)
    first = picker.pick("k")
    second, track = picker.pick_safe("k", exclude={first.id})
    assert track and second is picker.pick("k", exclude={first.id})
    with pytest.raises(TypeError):
        picker.pick_safe(None)


def test_the_horizon_is_what_is_not_yet_a_member():
    policy = Jet(lb.Rendezvous(), SERVING + COMING)
    assert policy.build(SERVING).tracked_share() == pytest.approx(4 / 13, abs=1e-12)


@pytest.mark.parametrize("base", BASES, ids=repr)
def test_copies(base):
    policy = Jet(base, {"h0": 2.0, "h1": 1.0})
    assert policy == Jet(base, [("h1", 1.0), ("h0", 2.0)]) == Jet.from_dict(policy.to_dict())
    assert hash(policy) == hash(pickle.loads(pickle.dumps(policy)))
    picker = policy.build(SERVING)
    picker.check_invariants()
    twin = pickle.loads(pickle.dumps(picker))
    assert twin.fingerprint() == picker.fingerprint()
    assert (twin.must_track(picker.tickets(KEYS)) == picker.must_track(picker.tickets(KEYS))).all()


@pytest.mark.parametrize("horizon", ["abc", 7, None, ["a", "a"], [("a", -1.0)], {"a": float("nan")}, [""]])
def test_bad_horizons(horizon):
    with pytest.raises(ConfigError) as refused:
        Jet(lb.Rendezvous(), horizon)
    assert refused.value.parameter.startswith("horizon")
