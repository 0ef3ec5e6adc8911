"""What BoundedLoad, TopK and HotKeySpread owe the policy within: its history, its checks, its data; and what they do
without what only our own policies have."""

import pickle

import pytest

import lbalgo as lb
from lbalgo.policies.bounded_load import BoundedPicker

KINDS = [lb.BoundedLoad, lb.TopK, lb.HotKeySpread]
every = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@every
def test_the_policy_within_keeps_its_history(kind):
    """A table that remembers, seats that stay, and a structure that no signal rebuilds."""
    for policy in (lb.StableTable(251), lb.JumpBack()):
        first = kind(policy).build(list("abcd"))
        second = kind(policy).build(list("acd"), previous=first)
        bare = policy.build(list("acd"), previous=policy.build(list("abcd")))
        assert second.base.policy == bare.policy != policy.build(list("acd")).policy
        assert second.cursor is first.cursor
        dim = kind(policy).build(lb.View.of(list("acd"), factors={"c": 0.5}), previous=second)
        assert dim.base.structure is second.base.structure
        under = kind(policy).build(list("acd"), previous=policy.build(list("abcd")))
        assert under.base.policy == bare.policy, "a bare policy's picker has a history too"


@every
def test_a_policy_that_is_no_plain_data_is_supplied(kind):
    own = lb.Maglev(251, hasher=lb.SipHash(bytes(16)))
    data = kind(own).to_dict()
    assert kind.from_dict(data, policy=own) == kind(own)
    with pytest.raises(lb.ConfigError):
        kind.from_dict(data)


@every
@pytest.mark.parametrize("name", ["bounded_load", "__name__", "annotations", "Ties", "NoSuch", ""])
def test_a_name_that_is_no_policy(kind, name):
    with pytest.raises(lb.ConfigError) as refused:
        kind.from_dict({"policy": name})
    assert (refused.value.parameter, refused.value.value) == ("policy", name)


class Broken(Exception):
    pass


@every
def test_the_checks_within_are_made(kind):
    picker = kind(lb.Rendezvous()).build({"a": 1.0, "b": 0.0, "c": 1.0})
    picker.check_invariants()

    class Contrary:
        """The base picker in all but its opinion of itself."""

        def __init__(self, base):
            self.base = base

        def __getattr__(self, name):
            return getattr(self.base, name)

        def check_invariants(self):
            raise Broken

    picker.base = Contrary(picker.base)
    with pytest.raises(Broken):
        picker.check_invariants()


class Plain:
    """Somebody else's picker: it picks and walks, and that is all."""

    def __init__(self, policy, view):
        self.policy, self.view, self.backends = policy, view, view.backends

    def pick(self, key=None, *, exclude=()):
        return next(backend for backend in self.backends if backend.id not in exclude)

    def walk(self, key=None):
        return iter(self.backends)


class InOrder:
    """Somebody else's policy: whoever is listed first."""

    def build(self, view, *, previous=None):
        return Plain(self, view)


@pytest.mark.parametrize("kind", [lb.BoundedLoad, lb.HotKeySpread], ids=lambda kind: kind.__name__)
def test_a_policy_of_somebody_elses_needs_neither_cursor_nor_checks(kind):
    picker = kind(InOrder()).build(["a", "b"])
    assert picker.cursor is None
    picker.check_invariants()
    for made in (picker, pickle.loads(pickle.dumps(picker))):
        assert (made.pick("k").id, made.pick("k", exclude=["a"]).id, made.pick().id) == ("a", "b", "a")
        assert [backend.id for backend in made.walk()] == ["a", "b"]


@every
def test_nobody_to_check(kind):
    for pool in ([], {"a": 0.0}):
        kind(lb.Rendezvous()).build(pool).check_invariants()


def test_caps_without_room_for_one_more_are_a_contradiction():
    picker = lb.BoundedLoad(lb.Rendezvous(), 1.0).build(["a", "b"])

    class Tight(BoundedPicker):
        def caps(self):
            return super().caps() - 1.0  # from 1 + 1 to 0 + 0, the total of an idle pool

    made = Tight(picker.policy, picker.view, picker.base, picker.load, picker.rows, picker.unused)
    with pytest.raises(AssertionError, match="room for one more"):
        made.check_invariants()
