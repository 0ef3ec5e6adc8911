"""Replays captured decisions of real load balancers through `lbalgo.compat`.

usage: python tests/golden/replay.py DIR…

Every *.json below a DIR is a file of captured decisions. Per configuration: its name, decisions and mismatches; at the
end ``TOTAL configurations decisions mismatches``. Exit status 1 on any mismatch, and on any configuration that is not
understood; 2 if there is nothing to replay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.golden.systems import Replayed, pieces, replayer


def replay(directories: list[str]) -> Iterator[tuple[Path, Replayed | Exception]]:
    """One result for each configuration of each file; an exception is one that was not understood."""
    for directory in directories:
        for path in sorted(Path(directory).rglob("*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            whole = _results(path.stem, data)
            if not any(isinstance(result, Exception) for result in whole):
                yield from ((path, result) for result in whole)
                continue
            for piece in pieces(data):  # one by one, so that the rest of the file is told too
                yield from ((path, result) for result in _results(path.stem, piece))


def _results(stem: str, data: Any) -> list[Replayed] | list[Exception]:
    try:
        return list(replayer(stem, data)(stem, data))
    except Exception as error:  # whatever it is: a configuration that was not replayed
        return [error]


def main(directories: list[str]) -> int:
    total, decisions, mismatches, strange = 0, 0, 0, 0
    for path, result in replay(directories):
        total += 1
        if isinstance(result, Exception):
            strange += 1
            print(f"{path}: not understood: {type(result).__name__}: {result}")
            continue
        decisions += result.decisions
        mismatches += result.mismatches
        print(f"{path.stem} {result.name}: {result.decisions} decisions {result.mismatches} mismatches")
    print(f"TOTAL {total} configurations {decisions} decisions {mismatches} mismatches")
    if total == 0:
        return 2
    return int(mismatches > 0 or strange > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
