"""Gates: what stands in front of a picker and remembers (sessions, flows) or refuses (limits, budgets, shedding).

A gate is told the time (`now`, seconds) and, where it draws, random bits; it holds no clock, no lock and no picker. The
affinity gates are asked *with* the picker of the moment, so that a rebuilt pool needs no word to them:
`gate.pick(picker, key, now=..., exclude=...)` returns one of the picker's backends.

The admission gates decide whether a request should go at all, and again: `gate.admit(now, request)` answers with a
`Decision`, and is then told `started`, `refused` and `finished`; see `lbalgo.gates.admission`.
"""

from lbalgo.gates.adaptive_concurrency import AIMD, AdaptiveConcurrency, Gradient2, Vegas
from lbalgo.gates.admission import Gate, Gates
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.gates.flow_table import FlowStats, FlowTable
from lbalgo.gates.hedging import Hedging
from lbalgo.gates.jet import Jet
from lbalgo.gates.limits import Limits
from lbalgo.gates.queueing import Order, Queue
from lbalgo.gates.rate_control import RateControl
from lbalgo.gates.request_keys import attribute_key, cookie_value, header_key
from lbalgo.gates.retry_budget import RetryBudget, RetryConcurrency, RetryQuota
from lbalgo.gates.second_chance import SecondChance
from lbalgo.gates.shedding import Shedding
from lbalgo.gates.sticky import Choice, Fallback, Sticky, Why
from lbalgo.gates.throttling import AdaptiveThrottle
from lbalgo.request import ADMIT, FIRST, Criticality, Decision, Reason, Request

__all__ = [
    "ADMIT",
    "AIMD",
    "FIRST",
    "AdaptiveConcurrency",
    "AdaptiveThrottle",
    "Choice",
    "Criticality",
    "Decision",
    "DrainGate",
    "Fallback",
    "FlowStats",
    "FlowTable",
    "Gate",
    "Gates",
    "Gradient2",
    "Hedging",
    "Jet",
    "Limits",
    "Order",
    "Queue",
    "RateControl",
    "Reason",
    "Request",
    "RetryBudget",
    "RetryConcurrency",
    "RetryQuota",
    "SecondChance",
    "Shedding",
    "Sticky",
    "Vegas",
    "Why",
    "attribute_key",
    "cookie_value",
    "header_key",
]
