"""Advice: what is wrong with a configuration.

`audit` takes a `Setup`: a policy, backends, signals and gates, or what a loader of `lbalgo.compat` made of another
system's configuration, with the `Facts` about traffic and deploys that are known. It gives findings: the field, what
will come of it, what to set instead.
"""

from lbalgo.advice.audit import CHECKS, audit
from lbalgo.advice.setup import Facts, Setup

__all__ = ["CHECKS", "Facts", "Setup", "audit"]
