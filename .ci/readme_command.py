"""Prints the n-th command (1, 2, …) of the README's section Start, so that what is promised there is what is run."""

import re
import sys
from pathlib import Path

text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
section = re.search(r"^## Start$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
blocks = re.findall(r"^```sh\n(.*?)^```", section[1] if section else "", re.MULTILINE | re.DOTALL)
print(blocks[int(sys.argv[1]) - 1])
