"""Acceptance coins and cursors to the last bit: who keeps a ticket, who gets it where nobody does, what is spent."""

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.active import mix64, xxh64
from lbalgo.reference.hashing import GAMMA
from lbalgo.reference.pickers import SALT
from tests.words import unmixed

KEYED = [lb.Maglev(251), lb.RingHash(), lb.Rendezvous(), lb.Jump()]


@pytest.mark.parametrize("policy", KEYED, ids=lambda policy: type(policy).__name__)
def test_a_key_spends_no_ticket_and_its_absence_spends_one(policy):
    picker = policy.build(["a", "b", "c"])
    for key in ("k", b"k", 0):
        picker.pick(key)
        picker.pick(key, exclude={"a"})
        assert picker.cursor.state == 0
    picker.pick()
    picker.pick(exclude={"a"})
    assert picker.cursor.state == 2 * GAMMA % 2**64


def test_a_coin_is_accepted_below_the_threshold_and_not_at_it():
    """Of 2**53 values as many accept as the factor says: 0 to 2**52 - 1 for one half, and 2**52 is the first not to."""
    met = 0
    for id in (f"b{i}" for i in range(40)):
        picker = lb.Maglev(251).build(lb.View.of(["a", id], factors={id: 0.5}))
        salt = mix64(xxh64(id.encode()) ^ SALT)
        for coin, owner in ((2**52 - 1, id), (2**52, "a")):
            ticket = unmixed(coin << 11) ^ salt
            if picker.structure.slot(ticket) == 1:
                met += 1
                assert picker.backends[picker.slot(ticket)].id == owner
                assert picker.backends[picker.pick_many(np.array([ticket], np.uint64))[0]].id == owner
    assert met > 20


@pytest.mark.parametrize("policy", [lb.Maglev(251), lb.RingHash(), lb.Jump()], ids=lambda policy: type(policy).__name__)
def test_where_nobody_accepts_the_first_of_the_order_keeps_it(policy):
    """All three are thinned to 1 %, as who sets the measure is down: nearly every ticket is refused by all."""
    view = lb.View.of(["a", "b", "c", "d"], factors=dict.fromkeys("abc", 0.01), states={"d": lb.State.UNHEALTHY})
    picker, whole = policy.build(view), policy.build(["a", "b", "c", "d"])
    first = 0
    for key in range(300):
        assert picker.pick(key) is next(picker.walk(key))
        first += picker.pick(key).id == next(b.id for b in whole.walk(key) if b.id != "d")
    assert first >= 282  # of 300 with chance 0.9803, 4.9 standard deviations below the mean: below it once in 10**6


@pytest.mark.parametrize("n", [100, 300])
def test_whom_the_first_of_the_order_refuses_the_second_gets(n):
    """So many refuse that two owners are asked at once, of bytes or wider; after the last position comes the first."""
    view = lb.View.of([f"b{i}" for i in range(n)], factors={f"b{i}": 0.5 for i in range(n) if i % 4})
    picker, whole = lb.Maglev(307).build(view), lb.Maglev(307).build(view.ids)
    table = whole.structure.table()
    seconds = last = 0
    for key in range(6000):
        ticket = lb.hash_key(key)
        chosen = picker.pick(key)
        assert chosen is next(picker.walk(key))
        if chosen.id == view.ids[table[(ticket + 1) % 307]] != view.ids[table[ticket % 307]]:
            seconds += 1
            last += ticket % 307 == 306
    assert seconds > 1000
    assert last > 0
