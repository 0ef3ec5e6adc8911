"""The power of two: distinct draws by exactly the law of sampling without replacement, and the least score of them."""

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.reference import alias, hashing, load_picker, loads, structure


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), min_size=1, max_size=100),
    st.integers(1, 64),
    st.integers(0, 2**64 - 1),
)
def test_the_pick_is_the_least_of_distinct_draws(pool, choices, seed):
    picker = lb.PowerOfTwo(choices=choices).build({f"b{i}": w for i, (w, _) in enumerate(pool)})
    for row, (_, count) in enumerate(pool):
        for _ in range(count):
            picker.load.started(row, 1.0, 0.0)
    picker.reseed(seed)
    drawn = picker.drawn(seed)
    assert len(set(drawn)) == len(drawn) == min(choices, len(pool))
    scores = {slot: Fraction(pool[slot][1] + 1, pool[slot][0]) for slot in drawn}
    slot = picker.backends.index(picker.pick())
    assert scores[slot] == min(scores.values())
    if choices < len(pool):
        assert slot == next(s for s in drawn if scores[s] == min(scores.values())), "of the tied the first drawn"
        picker.reseed(seed)
        head = [picker.backends.index(b) for b in itertools.islice(picker.walk(), choices)]
        assert head == sorted(drawn, key=scores.__getitem__), "then the others drawn, by score"


@pytest.mark.parametrize("cost", [1.0, 0.5, 3.0])
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), min_size=3, max_size=40), st.integers(0, 2**64 - 1))
def test_of_two_drawn_the_lesser_and_the_first_if_tied(cost, pool, seed):
    picker = lb.PowerOfTwo().build({f"b{i}": w for i, (w, _) in enumerate(pool)})
    for row, (_, count) in enumerate(pool):
        for _ in range(count):
            picker.load.started(row, cost, 0.0)
    scores = [(Fraction(cost) * count + 1) / weight for weight, count in pool]
    picker.reseed(seed)
    for _ in range(5):
        lesser = min(picker.drawn(picker.cursor.state), key=scores.__getitem__)
        assert picker.backends.index(picker.pick()) == lesser


@pytest.mark.parametrize("loads_of_two", [(0, 1), (1, 0), (7, 9), (100, 3)])
def test_of_two_backends_the_lesser_always(loads_of_two):
    """With replacement it would be the lesser three times out of four only."""
    picker = lb.PowerOfTwo().build(["a", "b"])
    for row, count in enumerate(loads_of_two):
        for _ in range(count):
            picker.load.started(row, 1.0, 0.0)
    assert {picker.pick().id for _ in range(1000)} == {"ab"[loads_of_two.index(min(loads_of_two))]}


def test_two_that_are_tied_share():
    """Compared whole, a pool of two gives its ties to either, not to whoever is listed first."""
    picker = lb.PowerOfTwo().build({"a": 3.0, "b": 1.0})
    for _ in range(2):
        picker.load.started(0, 1.0, 0.0)
    assert {picker.pick().id for _ in range(200)} == {"a", "b"}


def successive(weights, count):
    """The exact law of `count` draws without replacement, by ordered outcome."""
    law = {}
    total = sum(weights)
    for outcome in itertools.permutations(range(len(weights)), count):
        chance, left = Fraction(1), Fraction(total)
        for slot in outcome:
            chance *= weights[slot] / left
            left -= weights[slot]
        law[outcome] = chance
    return law


class Script(alias.AliasTable):
    """A table that answers from a script, to enumerate what the draws can be."""

    __slots__ = ("left", "script")

    def __init__(self, script, slots):
        self.script, self.left, self.slots = script, None, slots

    def owner(self, ticket):
        if self.left is None:
            self.left = iter(self.script)
        return next(self.left)


@pytest.mark.parametrize(
    "weights, choices", [([1, 2], 1), ([1, 1, 1], 2), ([1, 2, 4], 2), ([5, 1, 1, 3], 2), ([5, 1, 1, 3], 3)]
)
def test_the_law_of_the_draws_is_exact(weights, choices):
    """Every script of table answers with its probability; scripts still open after 8 draws go on by the law itself."""
    n, total = len(weights), sum(weights)
    law, open_mass = dict.fromkeys(itertools.permutations(range(n), choices), Fraction(0)), Fraction(0)
    scripts = [((), Fraction(1))]
    view = lb.View.of({f"b{i}": w for i, w in enumerate(weights)})
    while scripts:
        script, chance = scripts.pop()
        distinct = tuple(dict.fromkeys(script))
        if len(distinct) == choices:
            picker = load_picker.LoadPicker(
                lb.PowerOfTwo(), view, lb.InFlight(), loads.InFlightCounts(), np.arange(n), n,
                Script(script, n), structure.Cursor(), choices, False,
            )  # fmt: skip
            picker.table.left = None  # begun when the picker looked ahead
            assert tuple(picker.drawn(0)) == distinct
            law[distinct] += chance
        elif len(script) == 8:
            open_mass += chance
            left = Fraction(total - sum(weights[s] for s in distinct))
            for rest in itertools.permutations(set(range(n)) - set(distinct), choices - len(distinct)):
                extra, remaining = chance, left
                for slot in rest:
                    extra *= weights[slot] / remaining
                    remaining -= weights[slot]
                law[distinct + rest] += extra
        else:
            scripts += [((*script, s), chance * Fraction(w, total)) for s, w in enumerate(weights)]
    assert law == successive(weights, choices)
    assert open_mass < Fraction(1, 2)


def two_choice_shares(scores):
    """P(slot is picked) for equal weights and given scores, by enumeration of ordered pairs."""
    n = len(scores)
    shares = [Fraction(0)] * n
    for i, j in itertools.permutations(range(n), 2):
        shares[j if scores[j] < scores[i] else i] += Fraction(1, n * (n - 1))
    return shares


@pytest.mark.parametrize("n", [2, 3, 10, 37])
def test_closed_form_of_two_choices_of_distinct_loads(n):
    """The r-th best gets 2 (n - r) / (n (n - 1)), the worst nothing; the enumeration agrees with the closed form."""
    assert two_choice_shares(range(n)) == [Fraction(2 * (n - r), n * (n - 1)) for r in range(1, n + 1)]


def test_specification_is_what_it_says():
    assert lb.PowerOfTwo() == lb.PowerOfTwo(2, lb.InFlight())
    load = {"type": "InFlight"}
    assert lb.PowerOfTwo(3).to_dict() == {"type": "PowerOfTwo", "choices": 3, "load": load, "force_after": None}


@pytest.mark.parametrize(
    "bad, error", [(1.0, TypeError), (True, TypeError), (-1, lb.ConfigError), (2**64, lb.ConfigError)]
)
def test_a_ticket_is_64_bits(bad, error):
    with pytest.raises(error):
        lb.PowerOfTwo().build(["a", "b", "c"]).drawn(bad)


@pytest.mark.parametrize(
    ("size", "choices", "spent"), [(2, 2, 1), (3, 3, 1), (3, 4, 1), (3, 2, 2), (4, 3, 3), (2, 1, 1)]
)
def test_a_draw_spends_as_many_tickets_as_choices_and_a_scan_one(size, choices, spent):
    picker = lb.PowerOfTwo(choices).build([f"b{i}" for i in range(size)])
    picker.pick()
    assert picker.cursor.state == spent * hashing.GAMMA % 2**64


def test_of_three_the_two_compared_are_distinct():
    """Nearly all draws are of a, which has the worst score by far: whoever it is compared with is better."""
    picker = lb.PowerOfTwo().build({"a": 1000.0, "b": 1.0, "c": 1.0})
    for _ in range(3000):
        picker.load.started(0, 1.0, 0.0)
    assert {picker.pick().id for _ in range(200)} == {"b", "c"}


@pytest.mark.parametrize("choices", [2, 3])
def test_a_walk_starts_with_the_pick_however_many_draws_collide(choices):
    """With one chance in 14 or so of a draw that is new, 4 N draws are enough for some and not for others."""
    weights = {"a": 26.0} | dict.fromkeys("bcd"[:choices], 1.0)
    picker = lb.PowerOfTwo(choices).build(weights)
    for _ in range(200):
        picker.load.started(0, 1.0, 0.0)
    for seed in range(400):
        picker.reseed(seed * 2**50)
        assert next(picker.walk()) is picker.pick()


@dataclass(frozen=True)
class Endless:
    """A load so great that, over a weight below 1, no score is finite."""

    def start(self):
        return self

    def to_dict(self):
        return {"type": "Endless"}

    def started(self, row, cost, now):
        pass

    finished = advance = started

    def at(self, row):
        return 1.7e308


@pytest.mark.parametrize("choices", [2, 3])
def test_of_scores_that_are_all_infinite_the_first_drawn_is_picked(choices):
    picker = lb.PowerOfTwo(choices, Endless()).build([f"b{i}" for i in range(6)])
    picked = set()
    for seed in range(50):
        picker.reseed(seed * 2**50)
        first = picker.drawn(picker.cursor.state)[0]
        assert picker.backends.index(picker.pick()) == first
        picked.add(first)
    assert len(picked) == 6
