"""For every law of `lbalgo.testing` something that breaks it: name of the law to the broken example, by contract."""

from tests.contract.broken_gates import AFFINITY, GATES, BrokenAffinity, BrokenGate
from tests.contract.broken_loads import LOADS, BrokenLoad
from tests.contract.broken_policies import POLICIES, BrokenPolicy
from tests.contract.broken_signals import SIGNALS, BrokenSignal

BROKEN = {
    "policies": (BrokenPolicy, POLICIES),
    "signals": (BrokenSignal, SIGNALS),
    "loads": (BrokenLoad, LOADS),
    "gates": (BrokenGate, GATES),
    "affinity": (BrokenAffinity, AFFINITY),
}
