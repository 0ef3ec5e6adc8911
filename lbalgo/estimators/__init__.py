"""Estimators: what a stream of numbers has looked like lately, in bounded memory, with a stated error.

Each is a machine fed with values and, where time matters, with `now` (seconds, any monotone origin). Each can be read
without being changed, merged with one of the same shape (the workers of one server share what they learned), and
carried over a restart by `snapshot` and `restore`, whose times are ages. Not for several threads at a time.
"""

from lbalgo.estimators.counter import WindowedCounter
from lbalgo.estimators.ewma import DecayingMean, Ewma
from lbalgo.estimators.histogram import LogHistogram, WindowedHistogram
from lbalgo.estimators.prefix_index import PrefixIndex, prefix_blocks
from lbalgo.estimators.survival import censored_quantile
from lbalgo.estimators.tails import binomial_tail, binomial_threshold

__all__ = [
    "DecayingMean",
    "Ewma",
    "LogHistogram",
    "PrefixIndex",
    "WindowedCounter",
    "WindowedHistogram",
    "binomial_tail",
    "binomial_threshold",
    "censored_quantile",
    "prefix_blocks",
]
