"""The close plan: tables by hand from the RFCs, and a client that sends whenever it likes and loses nothing."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.closing import H2_NOTICE, H3_NOTICE, TRANSITIONS, Action, Connection, Protocol, Stage, Step, close_plan
from lbalgo.findings import Finding, Severity

H1, H2, H3 = Protocol
FIRST = {H2: 1, H3: 0}  # RFC 9113 5.1.1; RFC 9000 2.1
APART = {H2: 2, H3: 4}


def told(connection, now, deadline=30.0, **arguments):
    return [(s.at, s.action, s.stream_id) for s in close_plan(connection, now, deadline, **arguments)]


def test_the_first_ids_are_those_of_the_rfcs():
    assert (H2_NOTICE, H3_NOTICE) == (2147483647, 4611686018427387900)
    assert H3_NOTICE % 4 == 0, "a stream that a client opens both ways"
    assert H3_NOTICE + 4 > 2**62 - 1, "and the largest: ids are integers of at most 62 bits (RFC 9000 2.1, 16)"


A = Action
BY_HAND = [
    # idle HTTP/1.1: in stages, at once or after a wait
    (Connection(H1), 5.0, {}, [(5.0, A.HALF_CLOSE, None), (6.0, A.CLOSE, None)]),
    (Connection(H1, since=5.0), 5.0, {"idle": 10.0}, [(15.0, A.HALF_CLOSE, None), (16.0, A.CLOSE, None)]),
    (Connection(H1, since=5.0), 5.0, {"idle": 99.0}, [(30.0, A.HALF_CLOSE, None), (30.0, A.CLOSE, None)]),
    (Connection(H1), 5.0, {"linger": 0.0}, [(5.0, A.HALF_CLOSE, None), (5.0, A.CLOSE, None)]),
    (Connection(H1), 29.5, {}, [(29.5, A.HALF_CLOSE, None), (30.0, A.CLOSE, None)]),
    # busy HTTP/1.1: the response under way says so, if it still can
    (Connection(H1, open=1), 5.0, {"idle": 9.0}, [(5.0, A.SAY_CLOSE, None), (30.0, A.ABORT, None)]),
    (Connection(H1, open=1, answered=True), 5.0, {}, [(30.0, A.ABORT, None)]),
    (Connection(H1, open=1, stage=Stage.FINAL), 5.0, {}, [(30.0, A.ABORT, None)]),
    (
        Connection(H1, stage=Stage.FINAL, since=5.0),
        7.0,
        {"idle": 9.0},
        [(7.0, A.HALF_CLOSE, None), (8.0, A.CLOSE, None)],
    ),
    (Connection(H1, stage=Stage.HALF_CLOSED, since=7.0), 7.5, {}, [(8.0, A.CLOSE, None)]),
    (Connection(H1, stage=Stage.HALF_CLOSED, since=7.0), 9.0, {}, [(9.0, A.CLOSE, None)]),
    (Connection(H1, open=1), 30.0, {}, [(30.0, A.ABORT, None)]),
    (Connection(H1, open=1, stage=Stage.FINAL), 31.0, {}, [(31.0, A.ABORT, None)]),
    (Connection(H1), 30.0, {}, [(30.0, A.CLOSE, None)]),
    (Connection(H1, stage=Stage.FINAL), 30.0, {}, [(30.0, A.CLOSE, None)]),
    # HTTP/2: the notice, a round trip, what is true
    (
        Connection(H2),
        5.0,
        {},
        [(5.0, A.NOTICE, 2**31 - 1), (5.0, A.PING, None), (6.0, A.GOAWAY, None), (6.0, A.CLOSE, None)],
    ),
    (
        Connection(H2, open=1, last=3),
        5.0,
        {"round_trip": 0.25},
        [(5.0, A.NOTICE, 2**31 - 1), (5.0, A.PING, None), (5.25, A.GOAWAY, None), (30.0, A.ABORT, None)],
    ),
    (
        Connection(H2, open=1, last=3),
        29.5,
        {},
        [(29.5, A.NOTICE, 2**31 - 1), (29.5, A.PING, None), (30.0, A.GOAWAY, None), (30.0, A.ABORT, None)],
    ),
    (
        Connection(H2, open=1, last=9, stage=Stage.NOTIFIED, since=5.0),
        5.5,
        {},
        [(6.0, A.GOAWAY, None), (30.0, A.ABORT, None)],
    ),
    (
        Connection(H2, open=1, last=9, stage=Stage.NOTIFIED, since=5.0),
        6.0,
        {},
        [(6.0, A.GOAWAY, 9), (30.0, A.ABORT, None)],
    ),
    (
        Connection(H2, open=1, last=9, stage=Stage.NOTIFIED, since=5.0, round_trip_over=True),
        5.125,
        {},
        [(5.125, A.GOAWAY, 9), (30.0, A.ABORT, None)],
    ),
    (Connection(H2, stage=Stage.NOTIFIED, since=5.0), 6.0, {}, [(6.0, A.GOAWAY, 0), (6.0, A.CLOSE, None)]),
    (Connection(H2, open=4, last=9, stage=Stage.FINAL, since=6.0), 7.0, {}, [(30.0, A.ABORT, None)]),
    (Connection(H2, last=9, stage=Stage.FINAL, since=6.0), 7.0, {}, [(7.0, A.CLOSE, None)]),
    (Connection(H2, open=2, last=9), 30.0, {}, [(30.0, A.GOAWAY, 9), (30.0, A.ABORT, None)]),
    (
        Connection(H2, open=2, last=9, stage=Stage.NOTIFIED, since=29.9),
        30.0,
        {},
        [(30.0, A.GOAWAY, 9), (30.0, A.ABORT, None)],
    ),
    # HTTP/3: the same, but the id is the first that was not accepted, and there is no PING
    (
        Connection(H3, open=1, last=8),
        5.0,
        {},
        [(5.0, A.NOTICE, 2**62 - 4), (6.0, A.GOAWAY, None), (30.0, A.ABORT, None)],
    ),
    (Connection(H3, last=8, stage=Stage.NOTIFIED, since=5.0), 6.0, {}, [(6.0, A.GOAWAY, 12), (6.0, A.CLOSE, None)]),
    (Connection(H3, last=0, stage=Stage.NOTIFIED, since=5.0), 6.0, {}, [(6.0, A.GOAWAY, 4), (6.0, A.CLOSE, None)]),
    (Connection(H3, stage=Stage.NOTIFIED, since=5.0), 6.0, {}, [(6.0, A.GOAWAY, 0), (6.0, A.CLOSE, None)]),
    (Connection(H3, open=1, last=8, stage=Stage.FINAL), 31.0, {}, [(31.0, A.ABORT, None)]),
    *((Connection(p, stage=Stage.CLOSED), 5.0, {}, []) for p in Protocol),
]


@pytest.mark.parametrize(("connection", "now", "arguments", "wanted"), BY_HAND)
def test_plans_by_hand(connection, now, arguments, wanted):
    assert told(connection, now, **arguments) == wanted


def test_every_move_of_the_table_is_planned_and_no_other():
    seen = {protocol: {} for protocol in Protocol}
    for connection, now, arguments, _ in BY_HAND:
        stage = connection.stage
        for step in close_plan(connection, now, 30.0, **arguments):
            seen[connection.protocol][stage, step.action] = stage = step.leads_to
    for connection, now in [(Connection(H3, open=1, last=4), 30.0), (Connection(H3, stage=Stage.FINAL), 6.0)]:
        stage = connection.stage
        for step in close_plan(connection, now, 30.0):
            seen[H3][stage, step.action] = stage = step.leads_to
    assert seen == TRANSITIONS


@given(
    st.sampled_from([H2, H3]),
    st.lists(st.tuples(st.floats(-2.0, 12.0), st.floats(0.01, 20.0)), max_size=8),
    st.floats(0.01, 2.0),
    st.floats(0.0, 12.0),
    st.booleans(),
)
def test_a_client_that_sends_until_it_hears_loses_nothing(protocol, requests, trip, deadline, pings):
    """Played out: requests are sent until the notice arrives, half a trip after it was sent, and arrive half a trip
    later. Each is accepted if it arrives before the second GOAWAY. None is sent in vain if there was time for a trip.
    """
    ids = {at: FIRST[protocol] + k * APART[protocol] for k, (at, _) in enumerate(sorted(set(requests)))}
    sent = sorted({(at + trip / 2, took, ids[at]) for at, took in set(requests) if at <= trip / 2})
    connection, now, said, accepted = Connection(protocol), 0.0, [], []
    ends = []
    for _ in range(100):
        while sent and sent[0][0] <= now and connection.stage is not Stage.FINAL:
            at, took, id = sent.pop(0)
            accepted.append(id)
            ends.append(at + took)
        ends = [end for end in ends if end > now]
        over = pings and connection.stage is Stage.NOTIFIED and now >= connection.since + trip
        last = max(accepted, default=None)
        connection = replace(connection, open=len(ends), last=last, round_trip_over=over)
        plan = close_plan(connection, now, deadline, round_trip=1e6 if pings else trip)
        if not plan:
            break
        assert [step.at for step in plan] == sorted(step.at for step in plan), "in order"
        assert plan[-1].leads_to is Stage.CLOSED
        if plan[0].at <= now:
            said.append(plan[0])
            connection = connection.after(plan[0], now)
        else:
            answer = [connection.since + trip] if pings and connection.stage is Stage.NOTIFIED else []
            comes = [at for at, *_ in sent] if connection.stage is not Stage.FINAL else []
            now = min(t for t in [plan[0].at, *ends, *answer, *comes] if t > now)
    else:
        raise AssertionError("it has no end")
    named = [step.stream_id for step in said if step.action in (Action.NOTICE, Action.GOAWAY)]
    assert named == sorted(named, reverse=True), "an id never grows"
    assert named[-1] == (0 if not accepted else max(accepted) + (APART[H3] if protocol is H3 else 0))
    assert now <= max(deadline, 0.0), "the deadline is the end"
    assert [s.action for s in said][-1] is (Action.ABORT if ends else Action.CLOSE)
    assert not ends or now >= deadline, "nothing is cut before the deadline"
    if trip <= deadline:
        assert not sent, "what was sent before the notice came has been accepted"


def test_a_second_goaway_too_early_is_what_loses_requests():
    """The same client, with a server that does not wait: so the test above can fail."""
    connection = Connection(H2, stage=Stage.NOTIFIED, since=0.0)
    assert told(connection, 0.0, round_trip=0.0) == [(0.0, A.GOAWAY, 0), (0.0, A.CLOSE, None)]


@given(st.floats(0.0, 40.0), st.floats(0.0, 5.0), st.floats(0.0, 40.0), st.floats(0.0, 5.0), st.booleans())
def test_http1_ends_in_stages(ends, linger, idle, begins, answered):
    """One connection, busy until `ends`: closed in stages after its response, or cut at the deadline."""
    deadline, connection, now, said = 30.0, Connection(H1, open=1, answered=answered, since=begins), begins, []
    while connection.stage is not Stage.CLOSED:
        connection = replace(connection, open=int(now < ends))
        step = close_plan(connection, now, deadline, idle=idle, linger=linger)[0]
        if step.at <= now:
            said.append((now, step.action))
            connection = connection.after(step, now)
        else:
            now = min(t for t in (step.at, ends) if t > now)
    actions = [action for _, action in said]
    assert (A.SAY_CLOSE in actions) is (ends > begins and not answered)
    assert (A.ABORT in actions) is (ends > deadline)
    assert now <= deadline
    if A.HALF_CLOSE in actions:
        halved = next(at for at, action in said if action is A.HALF_CLOSE)
        waits = idle if A.SAY_CLOSE not in actions else 0.0
        assert halved == min(max(ends, begins, begins + waits), deadline)
        assert now == min(halved + linger, deadline)


BAD = [
    (lambda: Connection("h2"), "protocol"),
    (lambda: Connection(H1, open=2), "open"),
    (lambda: Connection(H1, open=-1), "open"),
    (lambda: Connection(H2, open=1.0, last=1), "open"),
    (lambda: Connection(H1, last=1), "last"),
    (lambda: Connection(H2, open=1), "last"),
    (lambda: Connection(H2, last=2), "last"),
    (lambda: Connection(H2, last=-1), "last"),
    (lambda: Connection(H2, last=2**31 + 1), "last"),
    (lambda: Connection(H3, last=2), "last"),
    (lambda: Connection(H3, last=H3_NOTICE), "last"),
    (lambda: Connection(H1, answered=1), "answered"),
    (lambda: Connection(H2, round_trip_over=None), "round_trip_over"),
    (lambda: Connection(H1, stage=Stage.NOTIFIED), "stage"),
    (lambda: Connection(H2, stage=Stage.HALF_CLOSED), "stage"),
    (lambda: Connection(H2, stage="open"), "stage"),
    (lambda: Connection(H2, since=math.nan), "since"),
    (lambda: Connection(H1).after(Step(0.0, A.CLOSE, None, Stage.CLOSED), math.inf), "now"),
    (lambda: close_plan(None, 0.0, 1.0), "connection"),
    (lambda: close_plan(Connection(H1), math.nan, 1.0), "now"),
    (lambda: close_plan(Connection(H1), 0.0, None), "deadline"),
    (lambda: close_plan(Connection(H1), 0.0, 1.0, round_trip=-1.0), "round_trip"),
    (lambda: close_plan(Connection(H1), 0.0, 1.0, idle=math.inf), "idle"),
    (lambda: close_plan(Connection(H1), 0.0, 1.0, linger="1"), "linger"),
    (lambda: Finding("", "x", "y"), "field"),
    (lambda: Finding("x", None, "y"), "consequence"),
    (lambda: Finding("x", "y", b"z"), "fix"),
    (lambda: Finding("x", "y", "z", 2), "severity"),
    (lambda: Finding.from_dict({"field": "x", "consequence": "y", "fix": "z", "severity": "BAD"}), "severity"),
    (lambda: Finding.from_dict({"more": 1}), "more"),
]


@pytest.mark.parametrize(("call", "parameter"), BAD)
def test_bad_input(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter


def test_the_largest_ids_are_taken():
    assert Connection(H2, last=H2_NOTICE).last == H2_NOTICE
    assert told(Connection(H3, last=H3_NOTICE - 4), 30.0)[0] == (30.0, A.GOAWAY, H3_NOTICE)


def test_a_finding_is_data():
    finding = Finding("drain", "it is short", "make it long", Severity.ERROR)
    assert finding.to_dict() == {
        "type": "Finding",
        "field": "drain",
        "consequence": "it is short",
        "fix": "make it long",
        "severity": "ERROR",
    }
    assert Finding.from_dict(finding.to_dict()) == finding
    assert max(Severity) is Severity.ERROR
