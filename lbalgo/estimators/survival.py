"""Quantiles of times some of which were not waited for: the product-limit estimate.

The loser of a hedged pair is cancelled. How long it would have taken is unknown, but not that it took longer than it
had by then. Leaving it out makes the backend look fast (only its fast answers are seen), and so does taking the moment
of the cancellation for its answer. The product-limit estimate uses just what is known: among those that were still
open at a time, the share that ended there.

With d_i ends in bucket i and n_i times (ended or not) of that bucket or beyond, the share that lasts beyond it is the
product of 1 - d_i / n_i; the q-quantile is the first bucket where that is at most 1 - q.

Source: Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", JASA 53 (1958).
"""

from __future__ import annotations

from lbalgo.errors import ConfigError
from lbalgo.estimators.histogram import LogHistogram
from lbalgo.spec import check_real


def censored_quantile(ended: LogHistogram, open_after: LogHistogram, q: float) -> float | None:
    """The q-quantile of times, of which some ended and some are known to be longer than what was waited for.

    Parameters
    ----------
    ended : the times that ended.
    open_after : for the others, how long they had been open when nobody waited any more.
    q : which quantile, in [0, 1].

    Returns
    -------
    The quantile, within the histograms' relative error; None where too few ended to know.

    Raises
    ------
    ConfigError : the histograms are not alike, or q is out of its range.

    Costs: O(buckets).
    Source: Kaplan and Meier, JASA 53 (1958).

    Examples
    --------
    >>> ended, open_after = LogHistogram(), LogHistogram()
    >>> for seconds in (0.1, 0.2, 0.4):
    ...     ended.add(seconds)
    >>> open_after.add(0.15, times=3)  # some are known only to have lasted longer than this
    >>> round(ended.quantile(0.6), 2), round(censored_quantile(ended, open_after, 0.6), 2)
    (0.19, 0.39)
    """
    q = check_real("q", q, low=0.0, high=1.0)
    if not isinstance(ended, LogHistogram):
        raise ConfigError("ended", ended, "must be a LogHistogram")
    if not isinstance(open_after, LogHistogram) or repr(open_after) != repr(ended):
        raise ConfigError("open_after", open_after, f"must be like {ended!r}")
    at_risk, lasting = ended.count + open_after.count, 1.0
    for bucket, (ends, stops) in enumerate(zip(ended.counts(), open_after.counts(), strict=True)):
        if ends:
            lasting *= 1.0 - ends / at_risk
            if lasting <= 1.0 - q + 1e-12:
                return ended.middle(bucket)
        at_risk -= ends + stops
    return None
