"""A kernel looks at what it will read: it refuses what would lead it out of its memory, and so does its twin."""

from importlib import import_module

import numpy as np
import pytest

import lbalgo as lb
from tests.both import BUILT

ROOMS = ("reference", "kernels") if BUILT else ("reference",)
CONFIG = lb.ConfigError
ONE, TWO = np.zeros(1, np.uint64), np.zeros(2, np.uint64)
READ_ONLY = np.zeros(2, np.int32)
READ_ONLY.flags.writeable = False
VIEW = lb.View.of(["a", "b"])


class Room:
    """The modules of one of the twins."""

    def __init__(self, room):
        self.room = room

    def __getattr__(self, name):
        return import_module(f"lbalgo.{self.room}.{name}")


def table(m):
    return m.maglev.MaglevTable([0, 1, 0], [7, 8])


def ticket_picker(m, structure, hasher=None, source=1, cursor=None, view=VIEW):
    cursor = m.structure.Cursor() if cursor is None else cursor
    return m.pickers.TicketPicker(lb.RoundRobin(), view, structure, hasher, source, cursor, False)


def load_picker(m, rows=(0, 1), choices=2, table=None, cursor=None, load=None, view=VIEW):
    cursor = m.structure.Cursor() if cursor is None else cursor
    load = m.loads.InFlightCounts() if load is None else load
    rows = np.array(rows)
    return m.load_picker.LoadPicker(lb.LeastLoaded(), view, lb.InFlight(), load, rows, 2, table, cursor, choices, False)


REFUSED = [
    *[
        (TypeError, None, lambda m, f=f, bad=bad: f(m)(bad))
        for bad in ("a", 1.0, True, None)
        for f in (
            lambda m: table(m).slot,
            lambda m: table(m).walk,
            lambda m: m.hashing.mix64,
            lambda m: m.structure.Cursor,
        )
    ],
    *[
        (CONFIG, name, lambda m, f=f, bad=bad: f(m, bad))
        for bad in (-1, 2**64)
        for name, f in (
            ("ticket", lambda m, bad: table(m).slot(bad)),
            ("ticket", lambda m, bad: table(m).walk(bad)),
            ("ticket", lambda m, bad: m.urn.Urn([0, 1], [1, 1], 2).pair(bad)),
            ("ticket", lambda m, bad: m.structure.Structure().slot(bad)),
            ("state", lambda m, bad: m.structure.Cursor(bad)),
            ("word", lambda m, bad: m.hashing.mix64(bad)),
            ("seed", lambda m, bad: m.hashing.xxh64(b"", bad)),
            ("k0", lambda m, bad: m.hashing.siphash24(b"", bad, 0)),
            ("k1", lambda m, bad: m.hashing.siphash24(b"", 0, bad)),
            ("seed", lambda m, bad: m.hashing.KeyHasher(0, bad)),
            ("seed", lambda m, bad: lb.PowerOfTwo().build(["a"]).reseed(bad)),
            ("seed", lambda m, bad: lb.Random().build(["a"]).reseed(bad)),
        )
    ],
    (TypeError, None, lambda m: m.hashing.xxh64(5)),
    (TypeError, None, lambda m: m.hashing.siphash24([1], 0, 0)),
    *[
        (CONFIG, "tickets", lambda m, bad=bad: table(m).slot_many(bad, np.zeros(2, np.int32)))
        for bad in (
            [1, 2],
            None,
            TWO.astype(np.int64),
            TWO.reshape(1, 2),
            np.zeros(4, np.uint64)[::2],
            np.array(5, np.uint64),
        )
    ],
    *[
        (CONFIG, "out", lambda m, bad=bad: table(m).slot_many(TWO, bad))
        for bad in (
            None,
            [0, 0],
            np.zeros(1, np.int32),
            np.zeros(3, np.int32),
            TWO,
            np.zeros(4, np.int32)[::2],
            READ_ONLY,
        )
    ],
    (CONFIG, "salts", lambda m: m.maglev.MaglevTable([0], [])),
    (CONFIG, "table", lambda m: m.maglev.MaglevTable([], [1])),
    *[
        (CONFIG, "table", lambda m, bad=bad: m.maglev.MaglevTable(bad, [7, 8]))
        for bad in ([0, 2], [-1, 0], [0.0, 1], [[0, 1]], [2**40], "ab", None, np.array([0.0]), np.array([0.5], object))
    ],
    *[(CONFIG, "size", lambda m, bad=bad: m.maglev.fill([0], [0], [1], bad)) for bad in (-7, 0, 1, 8, 9, 2**31, 2**40)],
    (TypeError, None, lambda m: m.maglev.fill([0], [0], [1], 7.0)),
    *[(CONFIG, "offset", lambda m, bad=bad: m.maglev.fill([0], bad, [1], 7)) for bad in ([], [7], [-1], [0.5])],
    *[(CONFIG, "skip", lambda m, bad=bad: m.maglev.fill([0], [0], bad, 7)) for bad in ([], [0], [7], [1, 1])],
    *[(CONFIG, "turns", lambda m, bad=bad: m.maglev.fill(bad, [0], [1], 7)) for bad in ([], [1], [-1])],
    *[(CONFIG, "owners", lambda m, bad=bad: m.stride.Stride(bad, [65535], 2)) for bad in ([], [2], [-1], [0.5])],
    *[
        (CONFIG, "strides", lambda m, bad=bad: m.stride.Stride([0], bad, 2))
        for bad in ([], [9], [0], [65536], [65535] * 2)
    ],
    *[
        (CONFIG, "slots", lambda m, f=f, bad=bad: f(m, bad))
        for bad in (-1, 0, 2**31, 2**70)
        for f in (
            lambda m, n: m.stride.Stride([0], [65535], n),
            lambda m, n: m.period.Period([0], n),
            lambda m, n: m.urn.Urn([0, 1], [1, 1], n),
            lambda m, n: m.ring.Ring(ONE, np.zeros(1, np.int32), n),
            lambda m, n: m.rendezvous.RendezvousRace([1], [0], [0.5], [0], n),
        )
    ],
    *[(CONFIG, "sequence", lambda m, bad=bad: m.period.Period(bad, 2)) for bad in ([], [2], [-1], [0.5], [2**32])],
    *[
        (CONFIG, "weights", lambda m, bad=bad: m.period.smooth_period(bad))
        for bad in ([], [0, 1], [-1, 5], [1.5], [2**31], [2**30, 2**30])
    ],
    *[
        (CONFIG, "counts", lambda m, bad=bad: m.alias.AliasTable([0, 1], bad, [1, 2]))
        for bad in ([2**63], [2**63, 2**63 - 1], [0, 2**64], [0, 0], [-(2**63), 2**63], [2**64 - 1, 2**64 - 1])
    ],
    *[
        (CONFIG, "owners", lambda m, bad=bad: m.urn.Urn(bad, [1, 1], 3))
        for bad in ([], [0], [1, 1], [0, 3], [-1, 0], [0.5, 1], [2**32, 1])
    ],
    *[
        (CONFIG, "weights", lambda m, bad=bad: m.urn.Urn([0, 2], bad, 3))
        for bad in ([], [1], [1, 0], [1, -1], [1, 1, 1], [0.5, 1], [2**20, 1], [1, 2**31])
    ],
    (CONFIG, "counts", lambda m: m.alias.AliasTable([0] * 4, [2**63] * 4, [1])),
    *[(CONFIG, "owners", lambda m, bad=bad: m.alias.AliasTable(bad, [0], [1])) for bad in ([1], [-1], [], [0.5])],
    *[(CONFIG, "salts", lambda m, bad=bad: m.alias.AliasTable([0], [0], bad)) for bad in ([], [-1], [2**64], [0.5])],
    *[
        (CONFIG, "mask", lambda m, bad=bad: m.jump.JumpBuckets(bad))
        for bad in ([], [False], True, "ab", [2, 0], [[True]], [[True], [True, False]])
    ],
    *[
        (CONFIG, name, lambda m, columns=columns: m.rendezvous.RendezvousRace(*columns, 2))
        for name, columns in (
            ("salts", ([], [0], [0.5], [0])),
            ("salts", ([1, 2], [0], [0.5], [0])),
            ("salts", ([1], [0], [0.5, 0.5], [0])),
            ("salts", ([1], [0], [0.5], [0, 0])),
            ("owners", ([1], [2], [0.5], [0])),
            ("mantissas", ([1], [0], [0.0], [0])),
            ("mantissas", ([1], [0], [1.0], [0])),
            ("mantissas", ([1], [0], [float("nan")], [0])),
            ("mantissas", ([1], [0], [[0.5]], [0])),
            ("exponents", ([1], [0], [0.5], [2**62])),
            ("exponents", ([1], [0], [0.5], [0.5])),
        )
    ],
    *[(CONFIG, "k", lambda m, bad=bad: m.rendezvous.neg_log(bad)) for bad in (-1, 2**52, 1.5)],
    *[
        (CONFIG, name, lambda m, given=given: m.arcs.arc_shares(*given, True))
        for name, given in (
            ("points", ([], [0], [1.0], [True])),
            ("points", ([1, 2], [0], [1.0], [True])),
            ("points", ([2, 1], [0, 0], [1.0], [True])),
            ("owners", ([1], [1], [1.0], [True])),
            ("owners", ([1], [-1], [1.0], [True])),
            ("accept", ([1], [0], [float("nan")], [True])),
            ("accept", ([1], [0], [1.5], [True])),
            ("accept", ([1], [0], 1.0, [True])),
            ("eligible", ([1], [0], [1.0], [])),
        )
    ],
    *[(CONFIG, "kind", lambda m, bad=bad: m.hashing.KeyHasher(bad)) for bad in (-1, 4, 2**40, "1", True)],
    *[(CONFIG, "function", lambda m, kind=kind: m.hashing.KeyHasher(kind)) for kind in (2, 3)],
    (CONFIG, "values", lambda m: m.hashing.KeyHasher(0).words([1], ONE)),
    (CONFIG, "values", lambda m: m.hashing.KeyHasher(0).words(np.zeros(2, np.int64), TWO)),
    (CONFIG, "out", lambda m: m.hashing.KeyHasher(0).words(TWO, ONE)),
    (CONFIG, "out", lambda m: m.hashing.KeyHasher(0).sequence(["a", "b"], ONE)),
    (CONFIG, "data", lambda m: m.hashing.KeyHasher(0).cells(TWO, 1, TWO)),
    (CONFIG, "data", lambda m: m.hashing.KeyHasher(0).cells(b"ab", 1, TWO)),
    (CONFIG, "width", lambda m: m.hashing.KeyHasher(0).cells(np.zeros(3, np.uint8), 1, TWO)),
    (CONFIG, "width", lambda m: m.hashing.KeyHasher(0).cells(np.zeros(0, np.uint8), 0, TWO)),
    (CONFIG, "width", lambda m: m.hashing.KeyHasher(0).cells(np.zeros(2, np.uint8), -1, TWO)),
    (CONFIG, "out", lambda m: m.hashing.KeyHasher(0).cells(np.zeros(2, np.uint8), 1, np.zeros(2))),
    (CONFIG, "data", lambda m: m.hashing.KeyHasher(0).runes(np.zeros(2, np.int32), 1, TWO)),
    (CONFIG, "width", lambda m: m.hashing.KeyHasher(0).runes(np.zeros(3, np.uint32), 2, TWO)),
    (CONFIG, "out", lambda m: m.hashing.KeyHasher(0).runes(np.zeros(2, np.uint32), 1, [0, 0])),
    (CONFIG, "out", lambda m: m.hashing.KeyHasher(0).spans(np.zeros(4, np.uint8), np.array([0, 2, 4]), ONE)),
    (CONFIG, "data", lambda m: m.hashing.KeyHasher(0).spans(TWO, np.array([0, 2]), ONE)),
    *[
        (
            CONFIG,
            "offsets",
            lambda m, bad=bad: m.hashing.KeyHasher(0).spans(np.zeros(4, np.uint8), np.array(bad, np.int64), ONE),
        )
        for bad in ([0, 5], [-1, 2], [3, 2], [])
    ],
    (CONFIG, "view", lambda m: ticket_picker(m, table(m), view=None)),
    *[(CONFIG, "structure", lambda m, bad=bad: ticket_picker(m, bad)) for bad in (None, "table")],
    (CONFIG, "structure", lambda m: ticket_picker(m, m.period.Period([0], 3))),
    (CONFIG, "hasher", lambda m: ticket_picker(m, table(m), source=0)),
    (CONFIG, "hasher", lambda m: ticket_picker(m, table(m), hasher=hash)),
    *[(CONFIG, "source", lambda m, bad=bad: ticket_picker(m, table(m), source=bad)) for bad in (3, -1, None)],
    (CONFIG, "cursor", lambda m: ticket_picker(m, table(m), cursor=0)),
    *[(CONFIG, "view", lambda m, bad=bad: load_picker(m, view=bad)) for bad in (None, "view")],
    (CONFIG, "load", lambda m: load_picker(m, load="load")),
    (CONFIG, "cursor", lambda m: load_picker(m, cursor=0)),
    *[(CONFIG, "rows", lambda m, bad=bad: load_picker(m, rows=bad)) for bad in ([0], [-1, 0], [0, 2**31], [0.0, 1.0])],
    *[(CONFIG, "choices", lambda m, bad=bad: load_picker(m, choices=bad)) for bad in (0, -2)],
    (CONFIG, "choices", lambda m: load_picker(m, rows=[0], choices=0, view=lb.View.of(["a"]))),
    *[(CONFIG, "rows", lambda m, bad=bad: m.loads.InFlightCounts().total(bad)) for bad in (None, [0], TWO)],
    (CONFIG, "counts[1]", lambda m: m.loads.InFlightCounts([0, -1])),
    (CONFIG, "seats", lambda m: m.jump_back.SeatMap([1, 1], 2)),
    (CONFIG, "k", lambda m: m.jump_back.choose(1, 4, 3)),
    (CONFIG, "owners", lambda m: m.ring.Ring([1, 2], [0], 1)),
    (CONFIG, "owners", lambda m: m.probed_ring.ProbedRing([1, 2], [0], 1, 1)),
    (CONFIG, "owners", lambda m: m.probed_ring.ProbedRing([1, 1], [0, 1], 1, 1)),  # though its point is a repetition
    (CONFIG, "separator", lambda m: m.points.numbered([b"a"], [1], 0, 0, "-")),
    *[(CONFIG, "counts", lambda m, bad=bad: m.points.numbered([b"a"], bad, 0)) for bad in ([1, 2], [2**31])],
    (CONFIG, "table", lambda m: load_picker(m, choices=1)),
    (CONFIG, "table", lambda m: load_picker(m, choices=1, table=m.alias.AliasTable([0], [0], [1]))),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refused_alike(case):
    kind, parameter, call = REFUSED[case]
    said = []
    for room in ROOMS:
        with pytest.raises(kind) as caught:
            call(Room(room))
        assert getattr(caught.value, "parameter", None) == parameter
        said.append(str(caught.value).replace(f"lbalgo.{room}", "").split(" at 0x")[0])
    if kind is CONFIG:
        assert len(set(said)) == 1


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_given_is_not_kept(room):
    m = Room(room)
    owners, salts = np.array([0, 1], np.int32), np.array([7, 8], np.uint64)
    made = [
        m.maglev.MaglevTable(owners, salts),
        m.period.Period(owners, 2),
        m.stride.Stride(owners, np.array([65535, 1], np.uint32), 2),
        m.alias.AliasTable(owners, np.array([2**63, 2**63], np.uint64), salts),
        m.rendezvous.RendezvousRace(salts, owners, np.array([0.5, 0.75]), np.array([0, 0]), 2),
        m.ring.Ring(salts, owners, 2),
    ]
    before = [[structure.slot(ticket) for ticket in range(20)] for structure in made]
    owners[:], salts[:] = 10**6, 0
    assert [[structure.slot(ticket) for ticket in range(20)] for structure in made] == before


@pytest.mark.parametrize("room", ROOMS)
def test_the_empty_structure_knows_nobody(room):
    empty = Room(room).structure.Structure()
    assert (empty.slots, empty.slot(7), list(empty.walk(7))) == (0, -1, [])


@pytest.mark.parametrize("room", ROOMS)
def test_more_than_can_be_drawn_are_compared_whole(room):
    """65 choices are more than a draw has room for, but of 65 eligible nobody draws."""
    view = lb.View.of([f"b{i}" for i in range(65)])
    picker = load_picker(Room(room), rows=range(65), choices=65, view=view)
    assert picker.drawn(0) == list(range(65))
    with pytest.raises(CONFIG, match="choices"):
        load_picker(Room(room), rows=range(66), choices=65, view=lb.View.of([f"b{i}" for i in range(66)]))
