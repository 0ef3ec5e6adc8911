"""Every law is broken by something made to break it, and the failure names the law."""

import pytest

from lbalgo.testing import laws_of
from tests.contract.broken import BROKEN

CASES = [(kind, name) for kind, (_, table) in BROKEN.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[name for _, name in CASES])
def test_the_broken_one_is_caught(kind, name):
    contract, table = BROKEN[kind]
    with pytest.raises(AssertionError) as caught:
        getattr(contract(table[name]), name)()
    assert str(caught.value).startswith(laws_of(contract)[name])


@pytest.mark.parametrize("kind", BROKEN)
def test_every_law_has_a_broken_example(kind):
    contract, table = BROKEN[kind]
    assert set(table) == set(laws_of(contract))
