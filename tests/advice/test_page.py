"""The page on advice: its tables are those of the data."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "guide" / "advice.md").read_text(encoding="utf-8")


def tables():
    spec = importlib.util.spec_from_file_location("advice_tables", DOCS / "advice_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_data():
    made = tables()
    for table in (made.matrix(), made.additions(), made.checks()):
        assert f"\n\n{table}\n\n" in PAGE


def test_the_figures_of_ports():
    assert 60999 - 32768 + 1 == 28232 and round(28232 / 60, -1) == 470
    assert "28 232" in PAGE and "about 470" in PAGE
