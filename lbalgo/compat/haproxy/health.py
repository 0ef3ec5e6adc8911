"""Health of a server: checks that rise and fall, and traffic that is observed.

One counter h, from 0 to R + F - 1, tells everything: the server is up from R on. A server that is wholly down needs R
passed checks in a row, one that is wholly up F failed ones; any passed check of a server that is up makes it wholly
up again, any failed one of a server that is down starts its recovery anew. A server starts at R: up, and one failed
check from down.

    h:   0 … R-1      R … R+F-2          R+F-1
         down         up, going down     up
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_duration
from lbalgo.spec import check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict

INTER = 2.0  # seconds; the documented defaults, as are the next three
RISE, FALL = 2, 3
ERROR_LIMIT = 10


class Observe(enum.Enum):
    """Which traffic counts besides checks: the server keyword ``observe``.

    Examples
    --------
    >>> Observe("layer7")
    <Observe.LAYER7: 'layer7'>
    """

    NONE = "none"
    LAYER4 = "layer4"
    LAYER7 = "layer7"


class OnError(enum.Enum):
    """What happens once `error_limit` errors were observed in a row: the server keyword ``on-error``.

    Examples
    --------
    >>> OnError("sudden-death")
    <OnError.SUDDEN_DEATH: 'sudden-death'>
    """

    FASTINTER = "fastinter"
    FAIL_CHECK = "fail-check"
    SUDDEN_DEATH = "sudden-death"
    MARK_DOWN = "mark-down"


@dataclass(frozen=True)
class Check:
    """The check keywords of a ``server`` line.

    Parameters
    ----------
    rise, fall : passed checks in a row until up, failed ones until down; >= 1.
    inter : seconds between checks of a server that is wholly up.
    fastinter : seconds between checks while it is going up or down; None for `inter`.
    downinter : seconds between checks of a server that is wholly down; None for `inter`.
    observe : which traffic counts besides.
    error_limit : errors in a row after which `on_error` is done, >= 1.
    on_error : what then.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: HAProxy Configuration Manual, "Server and default-server options".

    Examples
    --------
    >>> Check(fall=5).rise
    2
    """

    rise: int = RISE
    fall: int = FALL
    inter: float = INTER
    fastinter: float | None = None
    downinter: float | None = None
    observe: Observe = Observe.NONE
    error_limit: int = ERROR_LIMIT
    on_error: OnError = OnError.FAIL_CHECK

    def __post_init__(self) -> None:
        check_integer("rise", self.rise, low=1, high=2**30)
        check_integer("fall", self.fall, low=1, high=2**30)
        check_duration("inter", self.inter)
        for name in ("fastinter", "downinter"):
            if getattr(self, name) is not None:
                check_duration(name, getattr(self, name))
        check_enum("observe", self.observe, Observe)
        check_integer("error_limit", self.error_limit, low=1, high=2**31 - 1)
        check_enum("on_error", self.on_error, OnError)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Check:
        """The check `to_dict` described."""
        return from_dict(cls, data, {"observe": enum_from_name(Observe), "on_error": enum_from_name(OnError)})


class Health:
    """The counter of one server; a pure machine, to which the results of checks and of traffic are told.

    Parameters
    ----------
    check : its parameters.

    Costs: O(1) a result. Replayed: the counter. Described only: what is observed of traffic.
    Source: HAProxy Configuration Manual, "rise", "fall", "observe", "on-error".

    Examples
    --------
    >>> health = Health(Check())
    >>> health.failed(); health.status
    'DOWN'
    >>> health.passed(); health.status
    'DOWN 1/2'
    >>> health.passed(); health.status
    'UP'
    """

    def __init__(self, check: Check) -> None:
        if not isinstance(check, Check):
            raise ConfigError("check", check, "must be a Check")
        self.check = check
        self.counter = check.rise
        self.errors = 0
        self.hurried = False

    @property
    def top(self) -> int:
        """The counter of a server that is wholly up."""
        return self.check.rise + self.check.fall - 1

    @property
    def up(self) -> bool:
        """Whether it is used."""
        return self.counter >= self.check.rise

    @property
    def status(self) -> str:
        """As the statistics show it."""
        rise, fall, h = self.check.rise, self.check.fall, self.counter
        if h == self.top:
            return "UP"
        if h >= rise:
            return f"UP {h - rise + 1}/{fall}"
        return f"DOWN {h}/{rise}" if h else "DOWN"

    def passed(self) -> None:
        """A check has passed; whatever traffic was observed is forgotten."""
        self.errors = 0
        self.hurried = False
        if self.counter < self.top:
            self.counter += 1
            if self.up:
                self.counter = self.top

    def failed(self) -> None:
        """A check has failed."""
        self.hurried = False
        if self.counter > 0:
            self.counter -= 1
            if not self.up:
                self.counter = 0

    def seen(self, error: bool) -> None:
        """A request was observed; `error_limit` errors in a row do what `on_error` says."""
        check = self.check
        if check.observe is Observe.NONE:
            return
        if not error:
            self.errors = 0
            return
        self.errors += 1
        if self.errors < check.error_limit:
            return
        self.errors = 0
        if check.on_error is OnError.SUDDEN_DEATH:
            self.counter = min(self.counter, check.rise + 1)
        elif check.on_error is OnError.MARK_DOWN:
            self.counter = min(self.counter, check.rise)
        if check.on_error is not OnError.FASTINTER:
            self.failed()
        self.hurried = check.fastinter is not None

    def interval(self, spread_checks: int = 0, draw: float = 0.5) -> float:
        """Seconds until the next check.

        Parameters
        ----------
        spread_checks : the most per cent by which it is longer or shorter, 0 to 50.
        draw : where between, 0 (shortest) to 1.

        Raises
        ------
        ConfigError : an argument is out of range.

        Examples
        --------
        >>> Health(Check(fastinter=0.5)).interval(), Health(Check()).interval(spread_checks=10, draw=0.0)
        (0.5, 1.8)
        """
        check_integer("spread_checks", spread_checks, low=0, high=50)
        check_real("draw", draw, low=0.0, high=1.0)
        check = self.check
        if self.hurried and check.fastinter is not None:
            seconds = check.fastinter
        elif self.counter == self.top:
            seconds = check.inter
        elif self.counter == 0:
            seconds = check.inter if check.downinter is None else check.downinter
        else:
            seconds = check.inter if check.fastinter is None else check.fastinter
        return seconds * (100 + spread_checks * (2 * draw - 1)) / 100

    def snapshot(self) -> list[Any]:
        """The state as plain data."""
        return [self.counter, self.errors, self.hurried]

    def restore(self, state: Any) -> None:
        """Goes on from a snapshot.

        Raises
        ------
        ConfigError : it is none of such a check; nothing has been changed.
        """
        good = isinstance(state, list) and len(state) == 3 and isinstance(state[2], bool)
        if not good:
            raise ConfigError("state", state, "must be a counter, a number of errors and whether a check is hurried")
        counter = check_integer("state.counter", state[0], low=0, high=self.top)
        errors = check_integer("state.errors", state[1], low=0, high=self.check.error_limit - 1)
        self.counter, self.errors, self.hurried = counter, errors, state[2]
