"""The tools of `lbalgo.testing` themselves: strategies, `check_picker`, `certify`, the clock."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from lbalgo import Maglev, NoBackend, Outcome, State
from lbalgo.testing import FakeClock, KeyedContract, PolicyContract, certify, check_picker, law, laws_of
from lbalgo.testing import strategies as some

QUICK = settings(max_examples=5)


def test_pickers_are_checked_without_hypothesis():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from lbalgo.testing import FakeClock, check_picker\n"
        "from lbalgo import Maglev\n"
        "check_picker(Maglev(251).build(['a', 'b'])); FakeClock()\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Sulks:
    """A picker that never serves the last backend."""

    def __init__(self, picker):
        self.picker, self.backends = picker, picker.backends

    def pick(self, key=None, *, exclude=()):
        return self.picker.pick(key, exclude={*exclude, self.backends[-1].id})

    def walk(self, key=None):
        return (b for b in self.picker.walk(key) if b is not self.backends[-1])


def test_check_picker_names_the_law():
    with pytest.raises(AssertionError, match="`walk` yields every eligible backend exactly once") as caught:
        check_picker(Sulks(Maglev(251).build(["a", "b", "c"])), keys=["k"])
    assert "leaves out ['c']" in str(caught.value)


def test_check_picker_takes_who_is_eligible():
    check_picker(Maglev(251).build({"a": 1.0, "b": 0.0}), eligible=["a"])
    with pytest.raises(AssertionError, match="is eligible and not excluded"):
        check_picker(Maglev(251).build(["a", "b"]), eligible=["a"])


def test_a_law_says_its_sentence_and_what_was_seen():
    class Small:
        settings = None

        @law
        def test_numbers_are_small(self, data):
            """Numbers
            are small.

            And this is a remark.
            """
            number = data.draw(st.integers(0, 9))
            assert number < 5, f"{number} is not"

    with pytest.raises(AssertionError) as caught:
        Small().test_numbers_are_small()
    assert str(caught.value).splitlines()[:2] == ["Numbers are small.", "  5 is not"]


def test_what_an_example_raises_breaks_the_law():
    class Careless:
        settings = None

        @law
        def test_it_works(self, data):
            """It works."""
            raise NoBackend("empty")

    with pytest.raises(AssertionError, match=r"It works\.\n  NoBackend"):
        Careless().test_it_works()


def test_laws_can_be_crossed_out_and_certified():
    class Maglevs(KeyedContract):
        policy = Maglev(251)
        weights = some.weights(1.0, 2.0)
        max_size = 4
        settings = QUICK
        test_another_process_picks_alike = None

    assert "test_another_process_picks_alike" not in laws_of(Maglevs)
    assert certify(Maglevs) == len(laws_of(Maglevs)) == len(laws_of(KeyedContract)) - 1
    assert set(laws_of(PolicyContract)) < set(laws_of(KeyedContract))


def test_every_law_has_a_sentence():
    assert all(sentence.endswith(".") for sentence in laws_of(KeyedContract).values())


@given(some.views())
def test_views_have_what_they_say(view):
    assert len(set(view.ids)) == len(view) <= 1000
    assert all(i.encode() for i in view.ids)


@given(some.weights(0.5, 4.0, zero=False), some.whole_weights(3), some.factors(), some.durations(8.0), some.keys())
def test_ranges(weight, whole, factor, duration, key):
    assert 0.5 <= weight <= 4.0 and whole in (0.0, 1.0, 2.0, 3.0) and 0.0 < factor <= 1.0
    assert 0.0 <= duration <= 8.0 and duration * 1024 == int(duration * 1024)
    Maglev(251).build(["a", "b"]).pick(key)


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (some.views(), lambda v: len(v) == 0),
        (some.views().map(len), lambda n: n == 1000),
        (some.views(), lambda v: v.panic and v.eligible.any()),
        (some.views(), lambda v: len(v) > 1 and not v.eligible.any()),
        (some.views(), lambda v: len({*v.factors.tolist()}) > 2),
        (some.ids(), lambda i: not i.isascii()),
        (some.keys(), lambda k: isinstance(k, str) and len(k) > 1000),
        (some.keys(), lambda k: k in ("", b"")),
        (some.outcomes(), lambda o: o is Outcome.CANCELLED),
        (some.states(), lambda s: s is State.DRAINING),
        (
            some.memberships(),
            lambda m: any(set(a) - set(b) and set(b) - set(a) for a, b in pairwise(m)),
        ),
        (some.memberships(), lambda m: any(set(a) == set(b) and a != b for a, b in pairwise(m))),
    ],
)
def test_the_interesting_is_found(strategy, wanted):
    assert wanted(
        find(
            strategy,
            wanted,
            settings=settings(max_examples=5000, derandomize=True, database=None, phases=[Phase.generate]),
        )
    )


def test_the_clock_stands_still():
    clock = FakeClock(10.0)
    assert clock() == clock() == 10.0
    assert clock.advance(0.5) == clock() == 10.5
    assert clock.set(11.0) == clock.now == 11.0 and clock.set(11.0) == 11.0
    assert eval(repr(clock))() == 11.0
