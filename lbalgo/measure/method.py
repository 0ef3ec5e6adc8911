"""How a figure was come by."""

from __future__ import annotations

import enum


class Method(enum.Enum):
    """How a figure was come by; only SAMPLE has an error.

    Examples
    --------
    >>> Method.SAMPLE.exact, Method.LAW.exact
    (False, True)
    """

    STRUCTURE = "structure"  # every ticket there is, accounted for
    LAW = "law"  # the algorithm's closed form under an ideal hash
    SAMPLE = "sample"  # counted on keys

    @property
    def exact(self) -> bool:
        """Whether the figure is free of sampling error."""
        return self is not Method.SAMPLE
