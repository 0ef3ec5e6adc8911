"""How the pages are made: Sphinx, MyST-NB (the code cells of the pages and notebooks run in every build), furo."""

import shutil
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOKS = HERE / "notebooks"  # sources live beside docs/; Sphinx reads only below it
shutil.rmtree(NOTEBOOKS, ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", NOTEBOOKS)

project = "lbalgo"
author = "the lbalgo developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
html_theme = "furo"
html_title = "lbalgo"
exclude_patterns = ["_build"]
suppress_warnings = ["autodoc.mocked_object"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_preprocess_types = False
