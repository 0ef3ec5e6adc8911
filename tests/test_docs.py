"""Every example runs: the docstrings, the README, every page of the docs, and the notebooks."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import lbalgo
import lbalgo.plotting
import lbalgo.testing

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FENCE = re.compile(r"^```(?:python|\{code-cell\}[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(lbalgo.__path__, "lbalgo.")
    if not m.name.startswith("lbalgo.kernels") and m.name != "lbalgo.__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(name)
    assert module.__doc__, "a file begins with what it is"
    failed, _ = doctest.testmod(module, optionflags=OPTIONS)
    assert failed == 0


def page_id(path):
    return str(path.relative_to(ROOT))


def pieces(text):
    """(line number, source) of each Python block of a page; cell options (lines that begin with a colon) dropped."""
    for match in FENCE.finditer(text):
        body = re.sub(r"\A(?::.*\n)+", "", match[1])
        yield text.count("\n", 0, match.start(1)), body


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_pages(path, tmp_path, monkeypatch):
    """The blocks of a page share their names, as a reader at a prompt would have them."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for line, source in pieces(path.read_text(encoding="utf-8")):
        if ">>>" in source:
            test = doctest.DocTestParser().get_doctest(source, names, page_id(path), str(path), line)
            runner.run(test, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile("\n" * line + source, str(path), "exec"), names)
    assert runner.summarize().failed == 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=page_id)
def test_notebooks(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.close("all")
    plt.switch_backend("template")  # draws nothing, so that show() has nothing to say; the docs build draws
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "outputs are made by running, not kept"
            exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
    assert plt.get_fignums(), "a notebook draws"
    plt.close("all")


def test_relative_links_lead_somewhere():
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
    missing = [
        (page_id(page), target)
        for page in PAGES
        for target in link.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    "module", [lbalgo, lbalgo.events, lbalgo.measure, lbalgo.plotting, lbalgo.testing], ids=lambda m: m.__name__
)
def test_the_api_page_has_every_public_name(module):
    """As an autodoc entry, or in a sentence as `lb.Name` (aliases of types have no docstring)."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\.\. auto\w+:: lbalgo\.(?:\w+\.)*(\w+)$|`lb\.(\w+)`", page, re.MULTILINE))
    names = {name for pair in shown for name in pair}
    public = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and callable(value)
    ]
    missing = [name for name in public if not name.startswith("_") and name not in names]
    assert [name for name in missing if not inspect.ismodule(getattr(module, name))] == []
