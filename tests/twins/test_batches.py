"""Tickets in bulk: what a batch may be, and that slots are new or where they are asked for, alike by both twins."""

import weakref
from importlib import import_module

import numpy as np
import pytest

import lbalgo as lb
from tests.both import BUILT

ROOMS = ("reference", "kernels") if BUILT else ("reference",)
NAMES = ["a", "b", "c", "d"]


def picker(room, view=None, thin=False):
    """By a table of 7 positions, over four backends."""
    maglev, pickers, structure = (import_module(f"lbalgo.{room}.{m}") for m in ("maglev", "pickers", "structure"))
    table = maglev.MaglevTable([0, 1, 2, 3, 2, 1, 0], range(4))
    view = lb.View.of(NAMES) if view is None else view
    return pickers.TicketPicker(lb.RoundRobin(), view, table, None, 1, structure.Cursor(), thin)


def misaligned(values):
    raw = np.zeros(8 * len(values) + 1, np.uint8)
    out = raw[1:].view(np.uint64)
    out[:] = values
    assert not out.flags.aligned
    return out


WORDS = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
FORMS = {
    "empty": WORDS[:0],
    "one": WORDS[:1],
    "contiguous": WORDS,
    "read-only": np.frombuffer(WORDS.tobytes(), np.uint64),
    "every third": WORDS[::3],
    "reversed": WORDS[::-1],
    "a column": WORDS.reshape(100, 3)[:, 1],
    "all one ticket": np.broadcast_to(WORDS[0], 70),
    "misaligned": misaligned(WORDS),
    "long long": WORDS.astype(np.ulonglong),
    "a subclass": WORDS.view(np.recarray),
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("thin", [False, True])
def test_batches_of_every_form(room, form, thin):
    made = picker(room, lb.View.of(NAMES, factors={"a": 0.5}), True) if thin else picker(room)
    assert made.plain != thin
    given = FORMS[form]
    before = given.copy()
    slots = made.pick_many(given)
    assert type(slots) is np.ndarray
    assert (slots.dtype, slots.shape) == (np.int32, given.shape)
    assert slots.flags.writeable
    assert slots.tolist() == [made.slot(ticket) for ticket in given.tolist()]
    assert (given == before).all()


REFUSED = {
    "a list": [1, 2],
    "nothing": None,
    "one ticket": np.uint64(5),
    "no dimension": np.array(5, np.uint64),
    "two dimensions": WORDS.reshape(3, 100),
    "signed": WORDS.astype(np.int64),
    "doubles": WORDS.astype(np.float64),
    "32 bits": WORDS.astype(np.uint32),
    "objects": WORDS.astype(object),
    "foreign byte order": WORDS.astype(np.dtype(np.uint64).newbyteorder()),
    "bytes": WORDS.tobytes(),
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize("states", [{}, dict.fromkeys("abcd", lb.State.DRAINING)], ids=["well", "nobody"])
def test_what_is_no_batch(room, form, states):
    made = picker(room, lb.View.of(NAMES, states=states), True)
    with pytest.raises(lb.ConfigError, match="must be a one-dimensional array of dtype uint64") as caught:
        made.pick_many(REFUSED[form])
    assert caught.value.parameter == "tickets"
    assert caught.value.value is REFUSED[form]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("thin", [False, True])
def test_where_nobody_is_eligible(room, thin):
    """An empty batch asks for nobody."""
    made = picker(room, lb.View.of(NAMES, states=dict.fromkeys(NAMES, lb.State.DRAINING)), thin)
    assert made.pick_many(WORDS[:0]).tolist() == []
    with pytest.raises(lb.NoBackend) as caught:
        made.pick_many(WORDS[:1])
    assert caught.value.reason == "ineligible"


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("thin", [False, True])
def test_batches_into_an_array_at_hand(room, form, thin):
    made = picker(room, lb.View.of(NAMES, factors={"a": 0.5}), True) if thin else picker(room)
    wide = np.full(len(FORMS[form]) + 2, -7, np.int32)
    into = wide[1:-1]
    assert made.pick_many(FORMS[form], into) is into
    assert into.tolist() == made.pick_many(FORMS[form]).tolist() == made.pick_many(FORMS[form], out=None).tolist()
    assert (wide[0], wide[-1]) == (-7, -7)


READ_ONLY = np.zeros(300, np.int32)
READ_ONLY.flags.writeable = False
NO_ROOM = {
    "a list": [0] * 300,
    "one too few": np.zeros(299, np.int32),
    "one too many": np.zeros(301, np.int32),
    "two dimensions": np.zeros((300, 1), np.int32),
    "unsigned": np.zeros(300, np.uint32),
    "64 bits": np.zeros(300, np.int64),
    "every second": np.zeros(600, np.int32)[::2],
    "foreign byte order": np.zeros(300, np.dtype(np.int32).newbyteorder()),
    "misaligned": np.zeros(1201, np.uint8)[1:].view(np.int32),
    "read-only": READ_ONLY,
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("form", NO_ROOM)
@pytest.mark.parametrize("thin", [False, True])
def test_what_slots_do_not_fit_in(room, form, thin):
    made = picker(room, lb.View.of(NAMES, factors={"a": 0.5}), True) if thin else picker(room)
    with pytest.raises(lb.ConfigError, match="int32, writeable, of length 300") as caught:
        made.pick_many(WORDS, NO_ROOM[form])
    assert caught.value.parameter == "out"
    assert caught.value.value is NO_ROOM[form]
    assert not np.any(NO_ROOM[form])


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("start", [0, 1, 299, 300, 599])
@pytest.mark.parametrize("thin", [False, True])
def test_slots_where_the_tickets_are(room, start, thin):
    made = picker(room, lb.View.of(NAMES, factors={"a": 0.5}), True) if thin else picker(room)
    words = np.append(WORDS, WORDS)
    before = words.copy()
    with pytest.raises(lb.ConfigError, match="must not share memory with tickets") as caught:
        made.pick_many(words[:300], words.view(np.int32)[start : start + 300])
    assert caught.value.parameter == "out"
    assert (words == before).all()
    beyond = words.view(np.int32)[600:900]
    assert made.pick_many(words[:300], beyond).tolist() == made.pick_many(WORDS).tolist()


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("thin", [False, True])
def test_slots_of_nobody_leave_what_is_there(room, thin):
    nobody = lb.View.of(NAMES, states=dict.fromkeys(NAMES, lb.State.DRAINING))
    into = np.full(300, 9, np.int32)
    with pytest.raises(lb.NoBackend):
        picker(room, nobody, thin).pick_many(WORDS, into)
    assert (into == 9).all()


@pytest.mark.parametrize("room", ROOMS)
def test_slots_are_new_each_time(room):
    made = picker(room)
    first, second = made.pick_many(WORDS), made.pick_many(WORDS)
    first[:] = -1
    assert second.tolist() == made.pick_many(WORDS).tolist()
    assert -1 not in second


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("size", [0, 1, 16, 64, 65])
def test_slots_that_somebody_holds_stay_as_they_are(room, size):
    """Short arrays may be given out again, but not while anybody can see them, whole or in part."""
    made, others = picker(room), picker(room, lb.View.of(NAMES[::-1]))
    arrays, views, buffers = [], [], []
    for i in range(30):
        tickets = WORDS[i : i + size]
        arrays.append((made.pick_many(tickets), tickets))
        views.append((made.pick_many(tickets)[:], tickets))
        buffers.append((memoryview(made.pick_many(tickets)), tickets))
        others.pick_many(WORDS[:size])
    for held in (*arrays, *views, *buffers):
        assert np.asarray(held[0]).tolist() == [made.slot(ticket) for ticket in held[1].tolist()]


@pytest.mark.parametrize("room", ROOMS)
def test_slots_that_are_watched_are_not_given_out_again(room):
    made = picker(room)
    seen = [weakref.ref(made.pick_many(WORDS[:16])) for _ in range(5)]
    given = [made.pick_many(WORDS[:16]) for _ in range(5)]
    for one in seen:
        assert one() is None or all(one() is not slots for slots in given)


CHANGES = {
    "its shape": lambda slots: setattr(slots, "shape", (16, 1)),
    "its dtype": lambda slots: setattr(slots, "dtype", np.uint32),
    "its byte order": lambda slots: setattr(slots, "dtype", np.dtype(np.int32).newbyteorder()),
    "its metadata": lambda slots: setattr(slots, "dtype", np.dtype(np.int32, metadata={"of": "somebody"})),
    "its strides": lambda slots: setattr(slots, "strides", (0,)),
    "its length": lambda slots: slots.resize(8, refcheck=False),
    "that it is written to": lambda slots: setattr(slots.flags, "writeable", False),
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore:Setting the (shape|strides|dtype):DeprecationWarning")
def test_slots_are_as_new_whatever_was_done_to_those_before(room, change):
    made = picker(room)
    for _ in range(5):
        slots = made.pick_many(WORDS[:16])
        assert (type(slots), slots.dtype, slots.shape, slots.strides) == (np.ndarray, np.int32, (16,), (4,))
        assert slots.dtype.isnative
        assert slots.dtype.metadata is None
        assert slots.flags.carray
        assert slots.tolist() == [made.slot(ticket) for ticket in WORDS[:16].tolist()]
        CHANGES[change](slots)
        del slots


@pytest.mark.parametrize("room", ROOMS[1:])
def test_short_slots_that_were_let_go_of_are_given_out_again(room):
    made = picker(room)
    slots, places = None, set()
    for _ in range(50):
        slots = made.pick_many(WORDS[:16])
        places.add(id(slots))
    assert len(places) == 2
    assert slots.tolist() == [made.slot(ticket) for ticket in WORDS[:16].tolist()]
