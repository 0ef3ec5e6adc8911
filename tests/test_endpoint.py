"""`Endpoint`, a value."""

import pickle
from dataclasses import FrozenInstanceError

import pytest

from lbalgo import Backend, Endpoint
from lbalgo.endpoint import endpoint

FULL = Endpoint("a", 2.5, "eu-1", 3, (("disk", "ssd"), ("disk", "nvme")), ("10.0.0.1", 80))


def test_fields():
    assert (FULL.id, FULL.weight, FULL.zone, FULL.priority) == ("a", 2.5, "eu-1", 3)
    assert FULL.metadata == (("disk", "ssd"), ("disk", "nvme")) and FULL.payload == ("10.0.0.1", 80)
    assert Endpoint("a") == endpoint("a") == Endpoint("a", 1.0, None, 0, (), None)
    assert isinstance(FULL, Backend)


def test_a_value():
    for again in (eval(repr(FULL)), pickle.loads(pickle.dumps(FULL))):
        assert again == FULL and hash(again) == hash(FULL)
    assert Endpoint("a") != Endpoint("b") and Endpoint("a") != Endpoint("a", 2.0)
    with pytest.raises(FrozenInstanceError):
        FULL.weight = 1.0


@pytest.mark.parametrize("weight", [0, 0.0, 5e-324, 1.7976931348623157e308, 3])
def test_weights_at_the_edges(weight):
    assert Endpoint("a", weight).weight == weight
