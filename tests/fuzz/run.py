"""`python -m tests.fuzz.run TARGET [libFuzzer options]`: one door under a coverage-guided fuzzer (Atheris)."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lbalgo", "json", "yaml"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, options = sys.argv[1], sys.argv[2:]
    target = TARGETS[name]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for index, seed in enumerate(target.seeds):
        (corpus / f"seed-{index}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
