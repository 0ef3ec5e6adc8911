"""The page on presets shows what the presets say."""

import importlib.util
from pathlib import Path

import pytest

from lbalgo import presets

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "guide" / "presets.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("preset_tables", DOCS / "preset_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_the_presets(tables):
    """If not: put the output of `python docs/preset_tables.py` into the page."""
    assert tables.overview() in PAGE
    assert tables.sections() in PAGE


def test_every_preset_is_on_the_page(tables):
    functions = {name for name in presets.__all__ if name.islower()}
    assert {call.split("(")[0] for call in tables.SHOWN} == functions


def test_the_tables_leave_nothing_out(tables):
    for preset in tables.SHOWN.values():
        for value in preset.values():
            assert f"| `{value.setting}` | {value.shown} | {value.document} | {value.section} |" in PAGE
        for line in (*preset.unconfirmed, *preset.differs):
            assert f"\n- {line}\n" in PAGE
