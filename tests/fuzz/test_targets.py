"""The doors of `targets` under Hypothesis: their seeds, arbitrary bytes, and seeds with a few edits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

EVERY = pytest.mark.parametrize("name", TARGETS)
WORDS = [
    b"",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"-1",
    b"1e400",
    b"NaN",
    b"null",
    b"9" * 30,
    b'"',
    b"{",
    b"}",
    b"\n",
    b" ",
]


@st.composite
def edited(draw, seeds):
    """A seed, some of whose parts are cut out, doubled, moved or replaced."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        part = data[at : at + length]
        new = draw(st.sampled_from([b"", part * 2, draw(st.sampled_from(WORDS)), draw(st.binary(max_size=6))]))
        data = data[:at] + new + data[at + length :]
    return data


@EVERY
def test_seeds_are_well_formed(name):
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


@EVERY
@given(data=st.data())
def test_edited_seeds(name, data):
    TARGETS[name].run(data.draw(edited(TARGETS[name].seeds)))


@EVERY
@settings(max_examples=25)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes(name, data):
    TARGETS[name].run(data)
