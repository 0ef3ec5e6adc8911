"""The core is pure: time, outcomes and random bits are arguments. Enforced on the source of all that it is made of."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lbalgo
from lbalgo.testing.laws import GlobalRandomness

PACKAGE = Path(lbalgo.__file__).parent
ROOMS = (
    "policies",
    "signals",
    "loads",
    "kernels",
    "reference",
    "compat",
    "gates",
    "estimators",
    "presets",
    "sim",
    "advice",
)
BANNED = {"asyncio", "datetime", "logging", "random", "secrets", "selectors", "socket", "threading", "time", "uuid"}
OUTSIDE = "lbalgo.outside"  # where clock, locks and entropy come from; only the one mutable shell may know it
SHELL = ("reference/balancer.py", "reference/front.py")
SOURCES = sorted(
    path for room in ROOMS for path in (PACKAGE / room).glob("**/*.py*") if path.suffix in (".py", ".pyx", ".pxd")
)


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def imports(path):
    """Modules a source imports; Cython's by line, since the parser does not know cimport."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        found = re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", text, re.MULTILINE)
        return {a or b for a, b in found}
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def global_randomness(text):
    """Uses of NumPy's random module other than a generator that was handed in."""
    return re.findall(r"\b(?:np|numpy)\.random\.(?!Generator\b)\w+", text)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_clock_no_threads_no_global_randomness(path):
    banned = {module for module in imports(path) if module.split(".")[0] in BANNED}
    assert banned == set()
    assert OUTSIDE not in imports(path) or name_of(path) in SHELL
    assert global_randomness(path.read_text(encoding="utf-8")) == []


def test_the_check_can_fail(tmp_path):
    plain, compiled = tmp_path / "a.py", tmp_path / "a.pyx"
    plain.write_text("import numpy as np\nfrom time import monotonic\ndef f():\n    import random\n")
    compiled.write_text("from libc.time cimport time\nimport threading\ncimport numpy as cnp\n")
    assert imports(plain) & BANNED == {"time", "random"}
    assert imports(compiled) & BANNED == {"threading"}
    assert global_randomness("x = np.random.rand(3)") and not global_randomness("rng: np.random.Generator")


def test_there_is_something_to_check():
    assert len(SOURCES) > 30


def test_importing_the_library_imports_no_test_tools():
    tools = {"hypothesis", "scipy", "matplotlib", "pandas", "lbalgo.testing"}
    code = f"import sys, lbalgo; print(sorted({tools} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_global_randomness_is_seen():
    with pytest.raises(AssertionError, match="global random generator"), GlobalRandomness():
        np.random.rand()  # noqa: NPY002
    with GlobalRandomness():
        np.random.default_rng(1).random()
