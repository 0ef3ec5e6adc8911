"""How the pages are made: Sphinx, MyST-NB (the code cells of the pages and notebooks run in every build), furo."""

import enum
import re
import shutil
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOKS = HERE / "notebooks"  # sources live beside docs/; Sphinx reads only below it
shutil.rmtree(NOTEBOOKS, ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", NOTEBOOKS)

project = "lbalgo"
author = "the lbalgo developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
html_theme = "furo"
html_title = "lbalgo"
exclude_patterns = ["_build"]
default_role = "literal"
pygments_style = "friendly"

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True

HEADING = re.compile(r"^(Parameters|Attributes|Raises|Examples)$")
ENTRY = re.compile(r"^(\S.*?) : (.*)$")


def render_docstring(app, what, name, obj, options, lines):
    """The library's docstrings as reStructuredText: sections become rubrics, `name : text` entries become bullets."""
    out, section = [], ""
    for line, below in pairwise([*lines, ""]):
        if HEADING.match(line) and re.match(r"^-{3,}$", below):
            section = line
            out += [f".. rubric:: {line}", ""]
        elif section and re.match(r"^-{3,}$", line):
            continue
        elif section in ("Parameters", "Attributes", "Raises") and ENTRY.match(line):
            entry = ENTRY.match(line)
            out.append(f"- ``{entry[1]}`` — {entry[2]}")
        elif section in ("Parameters", "Attributes", "Raises") and line.startswith("    "):
            out.append("  " + line.strip())
        else:
            if line and not line.startswith((" ", ">>>")) and section != "Examples":
                section = ""
            out.append(line)
    lines[:] = out


def render_signature(app, what, name, obj, options, signature, returns):
    """Nobody calls a protocol or an enum: their inherited constructors are no news."""
    if isinstance(obj, enum.EnumType) or getattr(obj, "_is_protocol", False):
        return "", None
    return None


def setup(app):
    app.connect("autodoc-process-docstring", render_docstring)
    app.connect("autodoc-process-signature", render_signature)
