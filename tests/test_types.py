"""The two vocabularies and the protocols."""

from dataclasses import dataclass

import pytest

import lbalgo as lb
from lbalgo import Outcome, State
from lbalgo.types import OUTCOME_CODES


def test_states_are_ordered_by_how_bad_they_are():
    assert list(State) == sorted(State) == [State.HEALTHY, State.DEGRADED, State.UNHEALTHY, State.DRAINING]
    assert [int(s) for s in State] == [0, 1, 2, 3]


@pytest.mark.parametrize("status", range(100, 600))
def test_every_http_status_has_an_outcome(status):
    gateway, overloaded = status in (502, 503, 504), status == 429
    wanted = Outcome.GATEWAY_ERROR if gateway else Outcome.OVERLOADED if overloaded else Outcome.SUCCESS
    assert Outcome.from_http(status) is (Outcome.SERVER_ERROR if status >= 500 and not gateway else wanted)


def test_codes_number_the_outcomes():
    assert {outcome: code for code, outcome in enumerate(Outcome)} == OUTCOME_CODES and len(OUTCOME_CODES) == 7


def test_the_protocol_of_a_backend():
    @dataclass
    class Named:
        id: str

    assert isinstance(lb.Endpoint("a"), lb.Backend) and not isinstance(Named("a"), lb.Backend)


def test_who_decides_by_ticket():
    assert isinstance(lb.Maglev(7).build(["a"]), lb.TicketDecided)
    assert isinstance(lb.RoundRobin().build(["a"]), lb.TicketDecided)
    assert not isinstance(lb.LeastLoaded().build(["a"]), lb.TicketDecided)
