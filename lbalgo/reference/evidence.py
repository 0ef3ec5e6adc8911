"""Plain twin of `lbalgo.kernels.evidence`: what each backend's outcomes have said lately."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer

LARGEST = 2**63 - 1
SUCCESS, GATEWAY, NOTHING = 0, 2, 3
KINDS = (0, 1, 2, 0, 2, 2, 3)  # by outcome code: a success, a server error, a gateway error, no evidence


class Evidence:
    """Counters of consecutive errors and of successes and responses, one row per slot."""

    __slots__ = ("_rows", "error_threshold", "gateway_threshold")

    def __init__(self, error_threshold: int = 0, gateway_threshold: int = 0) -> None:
        self.error_threshold = check_integer("error_threshold", error_threshold, low=0, high=LARGEST)
        self.gateway_threshold = check_integer("gateway_threshold", gateway_threshold, low=0, high=LARGEST)
        self._rows: list[list[int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return Evidence, (self.error_threshold, self.gateway_threshold), self.rows()

    def __setstate__(self, rows: list[tuple[int, int, int, int]]) -> None:
        self.load(rows)

    def note(self, slot: int, code: int) -> bool:
        """Count an outcome; whether a run of errors has just reached its threshold. Unknown slots and codes: False."""
        if not 0 <= slot < len(self._rows) or not 0 <= code < len(KINDS) or KINDS[code] == NOTHING:
            return False
        row, kind = self._rows[slot], KINDS[code]
        row[3] += 1
        if kind == SUCCESS:
            row[0] = row[1] = 0
            row[2] += 1
            return False
        row[0] += 1
        row[1] = row[1] + 1 if kind == GATEWAY else 0
        return row[0] == self.error_threshold or (kind == GATEWAY and row[1] == self.gateway_threshold)

    def record(self, slot: int, code: int) -> bool:
        """`note` for callers in Python: an invalid slot or code is a ConfigError."""
        return self.note(self._slot(slot), check_integer("code", code, low=0, high=len(KINDS) - 1))

    def streaks(self, slot: int) -> tuple[int, int]:
        """The present runs of errors and of gateway errors."""
        row = self._rows[self._slot(slot)]
        return row[0], row[1]

    def clear(self, slot: int, errors: bool = True, gateway: bool = True) -> None:
        """End the run of errors, of gateway errors, or both."""
        row = self._rows[self._slot(slot)]
        if errors:
            row[0] = 0
        if gateway:
            row[1] = 0

    def take(self) -> tuple[list[int], list[int]]:
        """Successes and responses since the last take, by slot; both start again from 0."""
        taken = [row[2] for row in self._rows], [row[3] for row in self._rows]
        for row in self._rows:
            row[2] = row[3] = 0
        return taken

    def rows(self) -> list[tuple[int, int, int, int]]:
        """Every slot's (errors in a row, gateway errors in a row, successes, responses)."""
        return [(row[0], row[1], row[2], row[3]) for row in self._rows]

    def load(self, rows: Iterable[Iterable[int]]) -> None:
        """Replace all rows, and with them the number of slots."""
        self._rows = checked(rows)

    def _slot(self, slot: int) -> int:
        if not self._rows:
            raise ConfigError("slot", slot, "there are no slots")
        return check_integer("slot", slot, low=0, high=len(self._rows) - 1)

    def __repr__(self) -> str:
        return f"Evidence(error_threshold={self.error_threshold}, gateway_threshold={self.gateway_threshold})"


def checked(rows: Any) -> list[list[int]]:
    """Rows of four counts; else ConfigError."""
    copies = [list(row) for row in rows]
    for row in copies:
        if len(row) != 4:
            raise ConfigError("rows", row, "must be four counts")
        for count in row:
            check_integer("rows", count, low=0, high=LARGEST)
    return copies
