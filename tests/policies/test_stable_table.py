"""StableTable: exact quotas, the fewest moves there can be, who gets back what, history as data."""

import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import MaglevTable, TicketPicker
from lbalgo.policies.stable_table import StableTable, repaired
from lbalgo.policies.table_layout import TableLayout

WEIGHTS = st.sampled_from([0.0, 1.0, 1.0, 1.5, 2.0, 4.0])
HISTORIES = st.lists(st.dictionaries(st.sampled_from("abcdefghij"), WEIGHTS, max_size=10), min_size=2, max_size=7)
SIZE = 251


def owners(picker):
    return [picker.policy.layout.ids[k] for k in picker.policy.layout.owner_indices()]


def counts(picker):
    names = owners(picker)
    return {name: names.count(name) for name in set(names)}


@given(HISTORIES)
def test_quotas_are_met_with_the_fewest_moves(history):
    picker, before = None, None
    for pool in history:
        picker = StableTable(SIZE).build(pool, previous=picker)
        picker.check_invariants()
        if not any(pool.values()):
            assert picker.policy.layout is before, "the table waits"
            continue
        now, layout = counts(picker), picker.policy.layout
        table = lb.Maglev(SIZE).build(pool).structure.table()
        wanted = np.bincount(table, minlength=len(pool)).tolist()
        assert [now.get(name, 0) for name in pool] == wanted, "the quotas are Maglev's counts"
        if before is not None:
            was = [before.ids[k] for k in before.owner_indices()]
            least = sum(max(0, was.count(name) - now.get(name, 0)) for name in set(was))
            assert len(before.changed(layout)) == least
            for position in before.changed(layout).tolist():
                assert layout.previous_of(position) == before.owner_of(position), "each remembers whose it was"
        before = layout


@given(st.sets(st.sampled_from("abcdefghij"), min_size=2), st.data())
def test_equal_weights_are_even_to_one_position(pool, data):
    picker = StableTable(SIZE).build(sorted(pool))
    for _ in range(4):
        pool = data.draw(st.sets(st.sampled_from("abcdefghij"), min_size=1))
        picker = StableTable(SIZE).build(sorted(pool), previous=picker)
        assert set(counts(picker).values()) <= {SIZE // len(pool), -(-SIZE // len(pool))}


@given(st.sets(st.sampled_from("abcdefghij"), min_size=2), WEIGHTS.filter(bool), st.data())
def test_whoever_leaves_and_comes_back_finds_its_positions(pool, weight, data):
    name = data.draw(st.sampled_from(sorted(pool)))
    weights = {i: weight if i == name else 1.0 for i in sorted(pool)}
    whole = StableTable(SIZE).build(weights)
    without = StableTable(SIZE).build({i: w for i, w in weights.items() if i != name}, previous=whole)
    again = StableTable(SIZE).build(weights, previous=without)
    assert owners(again) == owners(whole)
    assert again.fingerprint() == whole.fingerprint()


def test_a_leavers_positions_go_to_all_the_others():
    whole = StableTable(65537).build([f"b{i}" for i in range(11)])
    rest = StableTable(65537).build([f"b{i}" for i in range(10)], previous=whole)
    gained = [
        b - a
        for a, b in zip(
            [counts(whole)[f"b{i}"] for i in range(10)], [counts(rest)[f"b{i}"] for i in range(10)], strict=True
        )
    ]
    assert min(gained) > 0
    assert max(gained) - min(gained) <= 2
    moved = whole.policy.layout.changed(rest.policy.layout)
    assert {whole.policy.layout.owner_of(int(p)) for p in moved} == {"b10"}


def test_it_begins_as_maglev_does():
    pool = {"a": 3, "b": 1, "c": 2}
    assert list(StableTable(SIZE).build(pool).structure.table()) == list(lb.Maglev(SIZE).build(pool).structure.table())
    layout = StableTable(SIZE).build(pool).policy.layout
    assert layout.owners == layout.previous


def test_history_is_data():
    picker = StableTable(SIZE).build(list("abcdef"))
    for pool in ("abcde", "bcdef", "bdefg"):
        picker = StableTable(SIZE).build(list(pool), previous=picker)
    fresh = StableTable(SIZE).build(list("bdefg"))
    assert fresh.fingerprint() != picker.fingerprint(), "the table depends on what was"
    told = StableTable.from_dict(json.loads(json.dumps(picker.policy.to_dict()))).build(list("gfedb"))
    assert told.fingerprint() == picker.fingerprint() == pickle.loads(pickle.dumps(picker)).fingerprint()
    assert told.policy.layout == picker.policy.layout
    assert hash(told.policy) == hash(picker.policy)


def test_signals_touch_nothing():
    whole = StableTable(SIZE).build(list("abcd"))
    dim = StableTable(SIZE).build(lb.View.of(list("abcd"), states={"b": lb.State.UNHEALTHY}), previous=whole)
    assert dim.structure is whole.structure
    assert dim.policy is whole.policy
    scaled = StableTable(SIZE).build(dict.fromkeys("abcd", 2.0), previous=whole)
    assert scaled.policy.layout is whole.policy.layout


def test_another_size_or_policy_begins_anew():
    whole = StableTable(SIZE).build(list("abcd"))
    assert StableTable(101).build(list("abc"), previous=whole).policy.layout.size == 101
    assert StableTable(SIZE).build(list("abc"), previous=lb.Maglev(SIZE).build(list("abcd"))).fingerprint() == (
        StableTable(SIZE).build(list("abc")).fingerprint()
    )
    seeded = StableTable(SIZE, seed=3).build(list("abc"), previous=whole)
    assert seeded.policy.seed == 3
    assert seeded.policy.layout == StableTable(SIZE).build(list("abc"), previous=whole).policy.layout


def test_a_previous_owner_who_is_short_comes_first():
    before = TableLayout.of(("a", "b", "c"), [0, 0, 0, 0, 1, 1], [0, 2, 0, 2, 1, 1])
    after = repaired(before, {"a": 2, "b": 2, "c": 2})
    assert [after.ids[k] for k in after.owner_indices()] == ["a", "c", "a", "c", "b", "b"]
    assert [after.ids[k] for k in after.previous_indices()] == ["a", "a", "a", "a", "b", "b"]
    assert repaired(after, {"a": 2, "b": 2, "c": 2}) is after


def test_each_gets_back_its_own_whatever_the_lots_say():
    """a has to give two; of what it has, c had p before and d had q, and b, who had all the rest, wants nothing."""
    for p, q in itertools.permutations(range(6), 2):
        previous = [2 if k == p else 3 if k == q else 1 for k in range(6)] + [1]
        before = TableLayout.of(("a", "b", "c", "d"), [0, 0, 0, 0, 0, 0, 1], previous)
        after = repaired(before, {"a": 4, "b": 1, "c": 1, "d": 1})
        assert before.changed(after).tolist() == sorted((p, q))
        assert (after.owner_of(p), after.owner_of(q)) == ("c", "d")


def test_the_sequence_of_requests_without_a_key_goes_on():
    whole = StableTable(SIZE).build(list("abcd"))
    whole.pick()
    for pool in ("abcd", "abc"):
        assert StableTable(SIZE).build(list(pool), previous=whole).cursor is whole.cursor


def test_shares_are_the_tables():
    picker = StableTable(SIZE).build(list("abc"), previous=StableTable(SIZE).build(list("abcd")))
    assert (picker.shares() * SIZE).round().tolist() == [counts(picker)[i] for i in "abc"]


def test_invariants_are_checked():
    picker = StableTable(7).build(["a", "b"])
    table = np.asarray(picker.structure.table())
    for wrong in (1 - table, np.where(np.arange(7) == int((table == 0).argmax()), 1, table), table[:5]):
        structure = MaglevTable(wrong, np.zeros(2, np.uint64))
        made = TicketPicker(picker.policy, picker.view, structure, picker.hasher, picker.source, picker.cursor, True)
        with pytest.raises(AssertionError):
            made.check_invariants()


LAYOUT = TableLayout.of(("a", "b"), [0, 1, 1], [0, 0, 1])


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda n=n: StableTable(n), "table_size") for n in (0, 4, 7.0, True, None)),
        (lambda: StableTable(5, layout=LAYOUT), "layout"),
        (lambda: StableTable(3, layout=7), "TableLayout"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "owners": [0, 1, 2]}), "owners"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "previous": [0, 1]}), "previous"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "owners": [0, 1, "2"]}), "owners"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "ids": ["b", "a"]}), "ids"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "ids": ["a", "a"]}), "id"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "ids": "ab"}), "ids"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "ids": []}), "ids"),
        (lambda: StableTable(3, layout={**LAYOUT.to_dict(), "type": "Other"}), "type"),
        (lambda: TableLayout(("a",), b"123", b"123"), "owners"),
        (lambda: TableLayout(("a",), b"", b""), "owners"),
        (lambda: LAYOUT.changed(TableLayout.of(("a",), [0], [0])), "other"),
        (lambda: LAYOUT.changed(None), "other"),
        (lambda: LAYOUT.owner_of(-1), "ticket"),
        (lambda: StableTable(3).build(list("abcd")), "table_size"),
        (lambda: StableTable(7).build({"a": 1.0, "b": 1e-9}), "weights['b']"),
    ],
)
def test_refused(call, parameter):
    with pytest.raises(lb.ConfigError) as caught:
        call()
    assert caught.value.parameter == parameter
