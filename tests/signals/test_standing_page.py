"""The page on outlier ejection shows the transition table that the engine runs on."""

import importlib.util
from pathlib import Path
from statistics import median

from benchmarks import detection
from lbalgo.signals.breaker import TRANSITIONS as BREAKER
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


def test_the_page_on_detectors_shows_the_breakers():
    page, draw = (DOCS / "theory" / "detectors.md").read_text(encoding="utf-8"), drawing()
    assert f"\n\n{draw.table(BREAKER)}\n\n" in page
    assert f"```dot\n{draw.dot(BREAKER)}\n```\n" in page


def test_a_row_of_the_page_on_detectors_is_what_the_command_prints():
    """The sparse scenario, which is quick; all rows are of the same run."""
    page = (DOCS / "theory" / "detectors.md").read_text(encoding="utf-8")
    scenario = next(s for s in detection.SCENARIOS if s.rate == 1.0)
    cells = []
    for name, detectors in detection.DETECTORS.items():
        runs = [detection.judge(detectors, scenario, seed) for seed in range(3)]
        delays = [delay for found, _ in runs for delay in found]
        assert not any(false for _, false in runs)
        if name != "LatencyQuantile 0.9":
            cells.append(f"{median(delays):.2f} s" if delays else "—")
    assert f"| {scenario.name} | {' | '.join(cells)} |" in page
