"""Explanations: the chain ends with what the picker does, every stage is the one the picker went through."""

import re

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb

KEYED = [lb.Maglev(101), lb.RingHash(points=20), lb.RingHash(points=20, lookup=lb.Lookup.NEAREST), lb.Rendezvous()]
TURNS = [lb.RoundRobin(), lb.WeightedRoundRobin(), lb.WeightedRoundRobin(max_period=1), lb.Random(), lb.PowerOfTwo()]
POOL = {"a": 3.0, "b": 1.0, "c": 1.0, "d": 0.0}
THIN = lb.View.of(POOL, factors={"a": 0.1}, states={"b": lb.State.UNHEALTHY}, panic_below=0.0)


def steps(picker, key=None):
    return dict(lb.explain(picker, key).steps)


@pytest.mark.parametrize("pool", [POOL, THIN], ids=["whole", "thinned"])
@pytest.mark.parametrize("policy", [*KEYED, *TURNS], ids=repr)
@given(
    key=st.one_of(st.text(max_size=8).filter(lambda s: s.isascii()), st.binary(max_size=8), st.integers(0, 2**64 - 1))
)
def test_it_ends_with_the_pick_and_spends_nothing(policy, pool, key):
    picker = policy.build(pool)
    told = lb.explain(picker, key)
    assert told == lb.explain(picker, key)
    assert told.backend == picker.pick(key).id
    assert told.steps[-1] == ("pick", told.backend)
    assert str(told).count("\n") == len(told.steps) - 1


def test_a_table_is_told_as_it_is():
    picker = lb.Maglev(101, seed=9).build(POOL)
    told, ticket = steps(picker, "ключ"), xxhash.xxh64_intdigest("ключ".encode(), 9)
    assert told["key"] == "8 bytes: 'ключ'"
    assert told["hash"] == f"0x{ticket:016x} by XXH64(), seed 9"
    owner = picker.backends[np.asarray(picker.structure.table())[ticket % 101]].id
    assert told["position"] == f"{ticket % 101} = hash mod 101, owned by {owner!r}"
    assert told["states"] == "3 eligible of 4; d has weight 0"


@given(st.binary(min_size=1, max_size=6))
def test_points_are_told_as_they_are(key):
    picker = lb.RingHash(points=20, lookup=lb.Lookup.NEAREST).build(POOL)
    told, ticket = steps(picker, key), xxhash.xxh64_intdigest(key)
    points = sorted(int(p) for p in picker.structure.points())
    ahead = min(points, key=lambda p: (p - ticket) % 2**64)
    behind = min(points, key=lambda p: (ticket - p - 1) % 2**64)
    assert told["point"].startswith(f"0x{ahead:016x} ")
    assert told["behind"].startswith(f"0x{behind:016x} ")
    near = ahead if (ahead - ticket) % 2**64 <= (ticket - behind) % 2**64 - 1 else behind
    assert f"0x{near:016x} of '{picker.pick(key).id}'" in told["point"] + told["behind"]


def test_who_was_passed_and_why():
    picker = lb.Maglev(101).build(THIN)
    for key in range(200):
        told = steps(picker, key)
        base = [picker.backends[s].id for s in picker.structure.walk(picker.hasher(key))]
        before = base[: base.index(told["pick"])] if base else []
        named = [] if told["passed"] == "nobody" else re.findall(r"(\w) (?:takes|is not)", told["passed"])
        assert named == before
    assert "b UNHEALTHY" in told["states"] and "a at 0.1 of its weight" in told["states"]


def test_turns_and_words_are_told():
    picker = lb.WeightedRoundRobin().build({"a": 2, "b": 1})
    for turn in range(7):
        assert steps(picker)["turn"] == str(turn)
        assert steps(picker)["place"] == f"{turn % 3} in a period of 3 turns"
        picker.pick()
    assert steps(lb.Random().build(POOL))["ticket"].startswith("0x")
    assert "stride" in steps(lb.WeightedRoundRobin(max_period=1).build({"a": 2, "b": 1}))["place"]
    assert "no key" in steps(lb.Maglev(7).build(["a"]))["hash"]
    assert "function" in steps(lb.Maglev(7, hasher=lambda data: 1).build(["a"]), "k")["hash"]
    assert "bucket" in steps(lb.Jump().build(["a", "b"]), 1)
    assert "race" in steps(lb.Rendezvous().build(["a", "b"]), 1)


@pytest.mark.parametrize("pool", [[], {"a": 0.0}], ids=["empty", "ineligible"])
@pytest.mark.parametrize("policy", [lb.RoundRobin(), lb.PowerOfTwo(), lb.Random(), *KEYED], ids=repr)
def test_nobody(policy, pool):
    told = lb.explain(policy.build(pool), "k")
    assert told.backend is None
    assert told.steps[-1] == ("pick", f"nobody: {lb.NoBackend('empty' if not pool else 'ineligible')}")


def test_long_walks_are_cut():
    told = steps(lb.Maglev(101).build([f"b{i}" for i in range(20)]), "k")
    assert told["walk"].count(",") == 8 and told["walk"].endswith(", …")
    view = lb.View.of([f"b{i}" for i in range(20)], states={f"b{i}": lb.State.DRAINING for i in range(12)})
    assert steps(lb.Maglev(101).build(view), "k")["states"].endswith("; …")


def test_a_foreign_picker_tells_its_walk():
    class Only:
        backends = (lb.Endpoint("a"),)

        def walk(self, key=None):
            return iter(self.backends)

    assert steps(Only())["pick"] == "a"


@pytest.mark.parametrize("key", [1.5, True, ["k"]])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(TypeError):
        lb.explain(lb.Maglev(7).build(["a"]), key)
    with pytest.raises(lb.ConfigError):
        lb.explain(lb.Maglev(7).build(["a"]), -1)
