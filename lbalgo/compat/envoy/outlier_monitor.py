"""What Envoy's outlier detector keeps of each host, and how that becomes plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_age
from lbalgo.spec import check_bool, check_integer


class Monitor:
    """What the detector keeps of one host; instants in nanoseconds of its timeline.

    Attributes
    ----------
    run_5xx, run_gateway, run_local : failures in a row.
    external, local : [successes, requests] of the running interval, by who is to blame.
    ended_external, ended_local : the same of the interval that ended at the last tick.
    ejected, degraded : the flags.
    ejected_at, unejected_at, degraded_at : last time each happened, None if never.
    backoff, degradations : how many base times the next ejection, or degradation, lasts.
    num_ejections, jitter : ejections so far; of the last one, nanoseconds.
    """

    __slots__ = (
        "backoff",
        "degradations",
        "degraded",
        "degraded_at",
        "ejected",
        "ejected_at",
        "ended_external",
        "ended_local",
        "external",
        "jitter",
        "local",
        "num_ejections",
        "run_5xx",
        "run_gateway",
        "run_local",
        "unejected_at",
    )
    NUMBERS = ("run_5xx", "run_gateway", "run_local", "backoff", "degradations", "num_ejections", "jitter")
    PAIRS = ("external", "local", "ended_external", "ended_local")
    INSTANTS = ("ejected_at", "unejected_at", "degraded_at")

    def __init__(self) -> None:
        self.run_5xx = self.run_gateway = self.run_local = 0
        self.external, self.local, self.ended_external, self.ended_local = [0, 0], [0, 0], [0, 0], [0, 0]
        self.ejected = self.degraded = False
        self.ejected_at: int | None = None
        self.unejected_at: int | None = None
        self.degraded_at: int | None = None
        self.backoff = self.degradations = self.num_ejections = self.jitter = 0

    def end_interval(self) -> None:
        """What was counted so far becomes readable; counting begins anew."""
        self.ended_external, self.ended_local = self.external, self.local
        self.external, self.local = [0, 0], [0, 0]

    @property
    def quiet(self) -> bool:
        """Whether ticks have nothing to do for this host."""
        counted = self.external[1] or self.local[1] or self.ended_external[1] or self.ended_local[1]
        return not (self.ejected or self.degraded or counted or (self.unejected_at is not None and self.backoff))

    def snapshot(self, latest: int) -> dict[str, Any]:
        """JSON-ready data, instants as ages at `latest`."""
        data: dict[str, Any] = {name: getattr(self, name) for name in (*self.NUMBERS, "ejected", "degraded")}
        data |= {name: list(getattr(self, name)) for name in self.PAIRS}
        for name in self.INSTANTS:
            at = getattr(self, name)
            data[name] = None if at is None else latest - at
        return data

    @classmethod
    def restored(cls, id: str, data: object) -> Monitor:
        """The monitor `snapshot` described, on a timeline whose 0 is the snapshot's instant; else ConfigError."""
        where, made = f"state[{id!r}]", cls()
        if not isinstance(data, Mapping) or set(data) != set(cls.__slots__):
            raise ConfigError(where, data, f"must have exactly {', '.join(cls.__slots__)}")
        for name in cls.NUMBERS:
            setattr(made, name, check_integer(f"{where}[{name!r}]", data[name], low=0))
        for name in ("ejected", "degraded"):
            setattr(made, name, check_bool(f"{where}[{name!r}]", data[name]))
        for name in cls.PAIRS:
            pair = data[name]
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise ConfigError(f"{where}[{name!r}]", pair, "must be two counts")
            good, total = (check_integer(f"{where}[{name!r}]", n, low=0) for n in pair)
            if good > total:
                raise ConfigError(f"{where}[{name!r}]", pair, "must not have more successes than requests")
            setattr(made, name, [good, total])
        for name in cls.INSTANTS:
            if data[name] is not None:
                setattr(made, name, -check_age(f"{where}[{name!r}]", data[name], low=0))
        if (made.ejected and made.ejected_at is None) or (made.degraded and made.degraded_at is None):
            raise ConfigError(where, data, "has a flag without the instant it was set")
        return made
