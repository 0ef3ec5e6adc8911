"""The quick size of the search through all states, and searches that have to fail.

The full size is `python -m tests.stateful.lifecycle_model full`; the page on the lifecycle quotes what it printed.
"""

import pytest

from lbalgo import ConsecutiveErrors, OutlierEjection, State
from lbalgo.lifecycle import UndeclaredTransition
from lbalgo.reference.ledger import Ledger
from lbalgo.stages import TRANSITIONS, Cause, Stage
from tests.stateful import lifecycle_model
from tests.stateful.lifecycle_model import QUICK, STEP, Size, World, search

PLAIN = Size(1, 1, probes=(State.HEALTHY,), drains=False)


def test_every_state_of_a_small_pool():
    """The numbers are those of this model; they change only if the model, or what a balancer does, has changed."""
    found = [search(size, limit=5000) for size in QUICK]
    assert [(f.states, f.edges, f.stuck) for f in found] == [(750, 3028, []), (449, 1716, []), (105, 405, [])]
    never = set(TRANSITIONS).difference(*(f.taken for f in found))
    assert never == {
        (Stage.HEALTHY, Cause.COLD),  # only if a policy has refused the view in which it was not
        (Stage.DRAINED, Cause.DRAIN),  # only if the count was an old one
        *((Stage.EJECTED, cause) for cause in (Cause.WELL, Cause.COLD, Cause.DEGRADED)),  # only by a restored snapshot
    }


@pytest.mark.parametrize(
    "size",
    [
        Size(2, 0, probes=(State.HEALTHY, State.UNHEALTHY), drains=False),
        Size(2, 1, probes=(State.HEALTHY,), drains=False, ends=("succeed",)),
        Size(3, 0, probes=(State.HEALTHY,), drains=False, warms=False),
    ],
    ids=str,
)
def test_names_are_only_names(size):
    folded, whole = search(size), search(size, fold=False)
    assert folded.unfolded == whole.states == whole.unfolded > folded.states
    assert folded.taken == whole.taken


def test_a_name_that_matters_is_found():
    class Shy(World):
        def open(self, id):
            if id == "a" or len(self.members) == 1:
                super().open(id)

    size = Size(2, 1, probes=(State.HEALTHY,), drains=False, ends=("succeed",))
    with pytest.raises(AssertionError, match="states that count as one are not"):
        search(size, Shy)


@pytest.mark.parametrize("move", [(Stage.EJECTED, Cause.LEFT), (Stage.UNHEALTHY, Cause.COLD)], ids=str)
def test_a_move_that_is_not_declared_is_found(monkeypatch, move):
    rest = {key: to for key, to in TRANSITIONS.items() if key != move}
    monkeypatch.setattr("lbalgo.lifecycle.TRANSITIONS", rest)
    with pytest.raises(UndeclaredTransition) as found:
        search(PLAIN)
    assert (found.value.stage, found.value.cause) == move


def test_a_lost_lease_is_found(monkeypatch):
    monkeypatch.setattr(Ledger, "busy", lambda self, row: False)  # rows are given away amid a lease
    with pytest.raises(AssertionError):
        search(PLAIN)


def test_an_ejection_without_end_is_found():
    class Forever(World):
        @staticmethod
        def ejection():
            return OutlierEjection([ConsecutiveErrors(1)], interval=STEP, base_ejection_time=1e6, max_ejection_time=1e6)

    found = search(PLAIN, Forever, limit=5000)
    assert found.stuck
    assert search(PLAIN).stuck == []


def test_the_command_says_what_it_has_found(capsys):
    lifecycle_model.main([PLAIN])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1 backend, 1 lease, ")
    assert said[0].endswith(": 98 states (98 by name), 370 edges, 0 stuck")
