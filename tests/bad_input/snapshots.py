"""The bad-input table: snapshots with one entry spoilt, each refused by the name of that entry."""

import copy
from typing import Any

import lbalgo as lb
from lbalgo import Outcome
from tests.bad_input.rows import NAN, config


def warming():
    signal = lb.SlowStart(window=30, steps=4)
    for now, ids in ((0.0, ["a"]), (60.0, ["a", "b", "c"]), (61.0, ["a", "b"])):
        signal.sync(ids, now)
    return signal


def ejecting():
    signal = lb.OutlierEjection(detectors=(lb.ConsecutiveErrors(1),), max_ejection_percent=100)
    signal.sync(["a", "b", "c"], 0.0)
    for slot in (1, 2):
        signal.observe(slot, Outcome.SERVER_ERROR, None, 1.0)
    signal.sync(["a", "b"], 2.0)
    return signal


def spoilt(signal, path, value):
    """The signal's snapshot with the entry at `path` replaced."""
    state: Any = copy.deepcopy(signal.snapshot())
    place = state
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return state


def rows(make, cases):
    return [
        (lambda o, p=path, v=value: o.restore(spoilt(o, p, v), 99.0), *config(name, shown))
        for path, value, name, shown in ((*case, case[1]) if len(case) == 3 else case for case in cases)
    ]


def lacking(make, key):
    """A snapshot without one of its entries, and one with an entry more."""
    return [
        (lambda o: o.restore({k: v for k, v in o.snapshot().items() if k != key}, 99.0), *config("state")),
        (lambda o: o.restore({**o.snapshot(), "more": 1}, 99.0), *config("state")),
    ]


AGES = (-1, 1.0, "1", True, NAN, 10**26)
COUNTS = (-1, 1.0, "1", True, None)
RECORD = ["members", "b"]
GONE = ["away", "c", 1]

TABLE = [
    (
        "SlowStart",
        warming,
        lambda o: (repr(o), o.snapshot()),
        [
            *rows(
                warming,
                [
                    (["type"], "OutlierEjection", "state['type']"),
                    *((["synced"], x, "state['synced']") for x in (1, None, "yes")),
                    *((["members", "b"], x, "state['b']") for x in AGES),
                    *((["away", "c", 0], x, "state['away']['c']") for x in (*AGES, None)),
                    *((["away", "c", 1], x, "state['c']") for x in AGES),
                ],
            ),
            *lacking(warming, "away"),
            (lambda o: o.restore(spoilt(o, ["members"], 7), 99.0), *config("state")),
            (lambda o: o.restore(spoilt(o, ["away"], {"c": 7}), 99.0), *config("state")),
            *((lambda o, t=t: o.restore(o.snapshot(), t), *config("now", t)) for t in (NAN, "1", None)),
        ],
    ),
    (
        "OutlierEjection",
        ejecting,
        lambda o: (repr(o), o.snapshot()),
        [
            *rows(
                ejecting,
                [
                    *((["synced"], x, "state['synced']") for x in (1, None, "yes")),
                    *((["next_tick_in"], x, "state['next_tick_in']") for x in (0, *AGES, None)),
                    *((["draws"], x, "state['draws']") for x in COUNTS),
                    *((["members"], x, "state['members']") for x in (7, None, ["a"])),
                    *((["away"], x, "state['away']") for x in (7, None, ["c"])),
                    *((["away", "c"], x, "state['away']['c']") for x in (7, [1], None)),
                    *((["away", "c", 0], x, "state['away']['c']") for x in (*AGES, None)),
                    *((RECORD, x, "state['b']") for x in (7, {}, None)),
                    *(([*RECORD, "standing"], x, "standing") for x in ("Away", 1, None)),
                    ([*RECORD, "standing"], "AWAY", "state['b']['standing']"),
                    ([*GONE, "standing"], "ADMITTED", "state['c']['standing']"),
                    *(([*RECORD, "detector"], x, "state['b']['detector']") for x in (1, None)),
                    *(([*RECORD, "backoff"], x, "state['b']['backoff']") for x in COUNTS),
                    *(([*RECORD, "times"], x, "state['b']['times']") for x in COUNTS),
                    *(([*RECORD, "jitter"], x, "state['b']['jitter']") for x in (*AGES, None)),
                    *(([*RECORD, "ejected_for"], x, "state['b']['ejected_for']") for x in (*AGES, None)),
                    *(([*RECORD, "readmitted_for"], x, "state['b']['readmitted_for']") for x in AGES),
                    *(([*RECORD, "evidence"], x, "state['b']['evidence']") for x in (7, [1, 2, 3], None)),
                    *(([*RECORD, "evidence", 2], x, "state['b']['evidence']") for x in (*COUNTS, 2**63)),
                ],
            ),
            *lacking(ejecting, "draws"),
            (lambda o: o.restore({**o.snapshot(), "type": "SlowStart"}, 99.0), *config("state")),
            *((lambda o, t=t: o.restore(o.snapshot(), t), *config("now", t)) for t in (NAN, "1", None)),
        ],
    ),
]
