"""Measurements: how even a picker is, and what moves when its pool changes.

Everything here says how it was come by: on the structure, by the algorithm's law, or on a sample of keys.
"""

from lbalgo.measure.balance import Balance, balance
from lbalgo.measure.compare import Row, compare
from lbalgo.measure.disruption import Disruption, disruption
from lbalgo.measure.maglev_law import maglev_excess, maglev_size_for
from lbalgo.measure.method import Method
from lbalgo.measure.tiers import Breakage, Keep, Polarisation, Spray, Tiers, breakage, polarisation

__all__ = [
    "Balance",
    "Breakage",
    "Disruption",
    "Keep",
    "Method",
    "Polarisation",
    "Row",
    "Spray",
    "Tiers",
    "balance",
    "breakage",
    "compare",
    "disruption",
    "maglev_excess",
    "maglev_size_for",
    "polarisation",
]
