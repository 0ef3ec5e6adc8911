"""The library's laws as test suites: with them it tests itself, and with them you certify what you build for it.

`check_picker` looks at one picker. The contracts (`PolicyContract`, `TicketContract`, `KeyedContract`,
`MinimalContract`, `SignalContract`, `LoadContract`, `GateContract`, `AffinityContract`) look for counterexamples with
Hypothesis (extra `lbalgo[testing]`): subclass one, say what is to be certified, and pytest runs every law as a test of
its own. `certify` does the same without pytest. `FakeClock` is a clock that moves when told to.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lbalgo.testing.clock import FakeClock
from lbalgo.testing.pickers import check_picker

if TYPE_CHECKING:
    from lbalgo.testing import strategies
    from lbalgo.testing.affinity import AffinityContract
    from lbalgo.testing.gates import GateContract
    from lbalgo.testing.keyed import KeyedContract, MinimalContract
    from lbalgo.testing.laws import certify, law, laws_of
    from lbalgo.testing.loads import LoadContract
    from lbalgo.testing.policies import PolicyContract, TicketContract
    from lbalgo.testing.signals import SignalContract

__all__ = [
    "AffinityContract",
    "FakeClock",
    "GateContract",
    "KeyedContract",
    "LoadContract",
    "MinimalContract",
    "PolicyContract",
    "SignalContract",
    "TicketContract",
    "certify",
    "check_picker",
    "law",
    "laws_of",
    "strategies",
]

_HOME = {  # what needs Hypothesis is imported when it is asked for
    "AffinityContract": "affinity",
    "GateContract": "gates",
    "KeyedContract": "keyed",
    "LoadContract": "loads",
    "MinimalContract": "keyed",
    "PolicyContract": "policies",
    "SignalContract": "signals",
    "TicketContract": "policies",
    "certify": "laws",
    "law": "laws",
    "laws_of": "laws",
}


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return import_module("lbalgo.testing.strategies")
    if name in _HOME:
        return getattr(import_module(f"lbalgo.testing.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
