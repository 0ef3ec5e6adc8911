"""Advice: what is wrong with a configuration, and what to take for a workload.

`audit` takes a `Setup`: a policy, backends, signals and gates, or what a loader of `lbalgo.compat` made of another
system's configuration, with the `Facts` about traffic and deploys that are known. It gives findings: the field, what
will come of it, what to set instead.

`recommend` takes a `Workload`, and a trace if there is one. It gives the algorithm of the decision matrix, reasons,
and a simulated comparison.
"""

from lbalgo.advice.advise import advise
from lbalgo.advice.audit import CHECKS, audit
from lbalgo.advice.matrix import ADDITIONS, MATRIX
from lbalgo.advice.recommend import Recommendation, recommend
from lbalgo.advice.setup import Facts, Setup
from lbalgo.advice.trials import Trial
from lbalgo.advice.workload import Affinity, Workload

__all__ = [
    "ADDITIONS",
    "CHECKS",
    "MATRIX",
    "Affinity",
    "Facts",
    "Recommendation",
    "Setup",
    "Trial",
    "Workload",
    "advise",
    "audit",
    "recommend",
]
