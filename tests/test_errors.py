"""The error tree: built-in kinds, facts as attributes, messages, pickling."""

import pickle

import pytest

from lbalgo import ConfigError, DuplicateBackend, LBError, NoBackend, NotAdmitted, UnknownBackend
from lbalgo.gates import Decision, Reason, Request

EVERY = [
    *(NoBackend(reason) for reason in ("empty", "ineligible", "excluded", "overloaded")),
    NotAdmitted(Decision(Reason.SHED, retry_after=2.0), Request(bits=7)),
    NotAdmitted(Decision(), Request()),
    ConfigError("table_size", 10, "must be prime"),
    ConfigError("x", None),
    DuplicateBackend("a"),
    UnknownBackend("z"),
]


@pytest.mark.parametrize("error", EVERY, ids=repr)
def test_facts_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error) and str(again) == str(error) and again.args == error.args


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (NoBackend("empty"), (LBError, LookupError)),
        (NotAdmitted(Decision(Reason.SHED), Request()), (NoBackend, LBError, LookupError)),
        (ConfigError("x", 1), (LBError, ValueError)),
        (DuplicateBackend("a"), (LBError, ConfigError, ValueError)),
        (UnknownBackend("a"), (LBError, KeyError)),
    ],
)
def test_either_may_be_caught(error, kinds):
    for kind in kinds:
        with pytest.raises(kind):
            raise error


def test_messages():
    assert [str(e) for e in EVERY] == [
        "the pool has no backends",
        "no backend is eligible",
        "every eligible backend is excluded",
        "every eligible backend is at its limit",
        "not admitted: shed",
        "not admitted: by a gate",
        "table_size = 10: must be prime",
        "x = None",
        "id = 'a': occurs more than once in the pool",
        "no backend has the id 'z'",
    ]
