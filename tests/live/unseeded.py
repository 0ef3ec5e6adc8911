"""Programs that draw from the C library's random(): made to draw the same sequence every time."""

from __future__ import annotations

import subprocess
from pathlib import Path


def unseeded(home: Path) -> list[str]:
    """The beginning of a command whose program cannot seed random(): its draws are those of seed 1."""
    source, library = home / "unseeded.c", home / "unseeded.so"
    source.write_text("void srandom(unsigned seed) { (void)seed; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return ["env", f"LD_PRELOAD={library}"]
