"""What is wrong with a configuration, as data: the field, what it will lead to, and what to set instead.

Whoever checks something gives findings; whoever shows them sorts by severity. They are sentences for people and facts
for programs: `field` names a parameter of the check, and two findings of one check that have the same field are about
different consequences.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.spec import check_enum, check_id, enum_from_name, from_dict, to_dict


class Severity(enum.IntEnum):
    """How bad it is; worse is larger."""

    NOTE = 0  # good to know
    WARNING = 1  # it does not do what it says, but nobody loses a request by it
    ERROR = 2  # requests fail


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Parameters
    ----------
    field : the parameter to change.
    consequence : what will happen as it is.
    fix : what to set instead.
    severity : how bad it is.

    Raises
    ------
    ConfigError : a text is empty, or the severity is none.

    Costs: none.
    Source: ours.

    Examples
    --------
    >>> print(Finding("drain", "requests are cut after 5 s", "set drain to 10 s or more", Severity.ERROR))
    error: drain: requests are cut after 5 s; set drain to 10 s or more
    """

    field: str
    consequence: str
    fix: str
    severity: Severity = Severity.WARNING

    def __post_init__(self) -> None:
        for name in ("field", "consequence", "fix"):
            check_id(getattr(self, name), name)
        check_enum("severity", self.severity, Severity)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Finding:
        """The finding `to_dict` described."""
        return from_dict(cls, data, {"severity": enum_from_name(Severity)})

    def __str__(self) -> str:
        return f"{self.severity.name.lower()}: {self.field}: {self.consequence}; {self.fix}"
