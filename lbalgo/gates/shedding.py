"""`Shedding`: who is refused when there is not enough for all, by how much it matters.

The caller says how loaded it is (`utilisation`, in whatever measure, 1 = full). Each class of criticality is shed from
a utilisation of its own on, a growing share, until at another utilisation all of it is:

    share(u) = (u - from) / (until - from), between 0 and 1

A request is shed if its coin is below the share. The coin is made of the request's own bits, which its retries and the
requests it causes elsewhere should carry: then all layers shed the same requests, instead of each another tenth, and a
retry is not a second chance. Law: a more critical class never loses a larger share than a less critical one, and
whoever is shed at some load is shed at every higher one.

Costs: O(1).
Source: Beyer et al., *Site Reliability Engineering*, chapter 21, for the classes; the ramps are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state, instant
from lbalgo.request import ADMIT, FIRST, Criticality, Decision, Reason, Request
from lbalgo.spec import check_real
from lbalgo.types import Outcome

# ours: from and until, by criticality, CRITICAL_PLUS first; what matters least is gone before what matters is touched
RAMPS = ((1.0, 1.2), (0.95, 1.1), (0.85, 1.0), (0.7, 0.9))


class Shedding:
    """A gate that sheds by criticality as utilisation rises.

    Parameters
    ----------
    ramps : for each criticality, CRITICAL_PLUS first, the utilisations from which on it is shed, and wholly shed.

    Raises
    ------
    ConfigError : not four ramps, one that does not rise, or one below that of a less critical class.

    Needs `Request.bits`, 64 random bits for each request.

    Costs: O(1).
    Source: Beyer et al., *Site Reliability Engineering*, chapter 21.

    Examples
    --------
    >>> shedding = Shedding()
    >>> shedding.measured(0.8, now=0.0)
    >>> [round(shedding.share(c), 3) for c in Criticality]
    [0.0, 0.0, 0.0, 0.5]
    """

    __slots__ = ("ramps", "utilisation")

    def __init__(self, ramps: Iterable[tuple[float, float]] = RAMPS) -> None:
        if isinstance(ramps, (str, bytes)) or not isinstance(ramps, Iterable):
            raise ConfigError("ramps", ramps, "must be a ramp for each criticality")
        checked: list[tuple[float, float]] = []
        for ramp in ramps:
            if not isinstance(ramp, (list, tuple)) or len(ramp) != 2:
                raise ConfigError("ramps", ramp, "must be two utilisations")
            begin, end = check_real("ramps", ramp[0], low=0.0), check_real("ramps", ramp[1], low=0.0)
            if not begin < end or (checked and (begin > checked[-1][0] or end > checked[-1][1])):
                raise ConfigError("ramps", ramp, "must rise, and be no later than that of a more critical class")
            checked.append((begin, end))
        if len(checked) != len(Criticality):
            raise ConfigError("ramps", ramps, f"must be {len(Criticality)} ramps")
        self.ramps = tuple(checked)
        self.utilisation = 0.0

    def measured(self, utilisation: float, now: float) -> None:
        """How loaded we are (>= 0, 1 = full) from now on.

        Raises
        ------
        ConfigError : utilisation or `now` is invalid.
        """
        instant(now)
        self.utilisation = check_real("utilisation", utilisation, low=0.0)

    def share(self, criticality: Criticality) -> float:
        """The share of a class that is shed at present."""
        begin, end = self.ramps[criticality]
        return min(1.0, max(0.0, (self.utilisation - begin) / (end - begin)))

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Shed the request if its coin is below the share of its class."""
        instant(now)
        return Decision(Reason.SHED) if request.coin < self.share(request.criticality) else ADMIT

    def started(self, now: float, request: Request = FIRST) -> None:
        """Utilisation is told, not counted."""
        instant(now)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """Utilisation is told, not counted."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """Utilisation is told, not counted."""
        instant(now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """The utilisation told last."""
        instant(now)
        return {"type": "Shedding", "utilisation": self.utilisation}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot.

        Raises
        ------
        ConfigError : it is none of a `Shedding`; nothing has been changed.
        """
        instant(now)
        value = check_state("Shedding", state, "utilisation")["utilisation"]
        self.utilisation = check_real("state['utilisation']", value, low=0.0)

    def __repr__(self) -> str:
        return f"Shedding({self.ramps!r})"
