"""The error tree: what can be wrong with a pick, a configuration or an id.

`LBError` is the root. Each leaf is also the built-in exception a Python programmer would expect (`LookupError`,
`ValueError`, `KeyError`), so that callers may catch either. Errors carry their facts as attributes; the message is
made from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lbalgo.request import Decision, Request

Reason = Literal["empty", "ineligible", "excluded", "overloaded"]

_REASONS = {
    "empty": "the pool has no backends",
    "ineligible": "no backend is eligible",
    "excluded": "every eligible backend is excluded",
    "overloaded": "every eligible backend is at its limit",
}


class LBError(Exception):
    """Root of every error this library raises on purpose."""


class NoBackend(LBError, LookupError):
    """No backend can be chosen.

    Parameters
    ----------
    reason : one of ``"empty"``, ``"ineligible"``, ``"excluded"``, ``"overloaded"``.

    Examples
    --------
    >>> raise NoBackend("empty")
    Traceback (most recent call last):
    lbalgo.errors.NoBackend: the pool has no backends
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason

    def __str__(self) -> str:
        return _REASONS.get(self.reason, self.reason)


class NotAdmitted(NoBackend):
    """A gate of the balancer has refused the request.

    Parameters
    ----------
    decision : the gate's answer: its reason, whether the request may wait, and for how many seconds to stay away.
    request : what the gates were told of it, with its bits; it waits, and comes again, as this.

    Examples
    --------
    >>> from lbalgo.request import Decision, Reason, Request
    >>> raise NotAdmitted(Decision(Reason.SHED), Request(bits=7))
    Traceback (most recent call last):
    lbalgo.errors.NotAdmitted: not admitted: shed
    """

    def __init__(self, decision: Decision, request: Request) -> None:
        super().__init__("overloaded")
        self.decision, self.request = decision, request

    def __str__(self) -> str:
        return f"not admitted: {self.decision.reason.value if self.decision.reason else 'by a gate'}"

    def __reduce__(self) -> tuple[type[NotAdmitted], tuple[Decision, Request]]:
        return NotAdmitted, (self.decision, self.request)


class ConfigError(LBError, ValueError):
    """A parameter has a value that cannot be used; nothing has been changed.

    Parameters
    ----------
    parameter : name of the offending parameter, as the caller wrote it (``"weights['a']"`` for one of many).
    value : the offending value.
    why : what would have been accepted.

    Examples
    --------
    >>> raise ConfigError("table_size", 10, "must be prime")
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: table_size = 10: must be prime
    """

    def __init__(self, parameter: str, value: object, why: str = "") -> None:
        super().__init__(parameter, value, why)
        self.parameter = parameter
        self.value = value
        self.why = why

    def __str__(self) -> str:
        return f"{self.parameter} = {self.value!r}" + (f": {self.why}" if self.why else "")


class DuplicateBackend(ConfigError):
    """Two backends of one pool have the same id.

    Parameters
    ----------
    id : the id that occurs twice.

    Examples
    --------
    >>> raise DuplicateBackend("a")
    Traceback (most recent call last):
    lbalgo.errors.DuplicateBackend: id = 'a': occurs more than once in the pool
    """

    def __init__(self, id: str) -> None:
        super().__init__("id", id, "occurs more than once in the pool")
        self.id = id

    def __reduce__(self) -> tuple[type[DuplicateBackend], tuple[str]]:
        return DuplicateBackend, (self.id,)


class UnknownBackend(LBError, KeyError):
    """An id names no backend of the pool.

    Parameters
    ----------
    id : the id that was not found.

    Examples
    --------
    >>> raise UnknownBackend("z")
    Traceback (most recent call last):
    lbalgo.errors.UnknownBackend: no backend has the id 'z'
    """

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"no backend has the id {self.id!r}"
