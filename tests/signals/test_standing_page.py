"""The page on outlier ejection shows the transition table that the engine runs on."""

import importlib.util
from pathlib import Path

from lbalgo.signals.standing import TRANSITIONS, Standing, Trigger

DOCS = Path(__file__).parents[2] / "docs"


def drawing():
    spec = importlib.util.spec_from_file_location("state_machine", DOCS / "state_machine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_contains_the_table_and_the_graph():
    page = (DOCS / "theory" / "outlier_ejection.md").read_text(encoding="utf-8")
    draw = drawing()
    assert f"\n\n{draw.table(TRANSITIONS)}\n\n" in page
    assert f"```dot\n{draw.dot(TRANSITIONS)}\n```\n" in page


def test_every_move_is_drawn():
    draw = drawing()
    graph, table = draw.dot(TRANSITIONS), draw.table(TRANSITIONS)
    labels = [line.split('[label="')[1].split('"')[0] for line in graph.splitlines() if "[label=" in line]
    assert sum(len(label.split(", ")) for label in labels) == len(TRANSITIONS)
    assert len(table.splitlines()) == len(Standing) + 2
    filled = [cell for row in table.splitlines()[2:] for cell in row.split("|")[2:-1] if cell.strip()]
    assert len(filled) == len(TRANSITIONS)
    assert len(table.splitlines()[0].split("|")) == len(Trigger) + 3
