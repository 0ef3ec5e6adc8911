"""The page on draining shows the tables that the code runs on."""

import importlib.util
from pathlib import Path

from lbalgo.closing import TRANSITIONS as CLOSING
from lbalgo.closing import Action, Protocol
from lbalgo.draining import DEFAULTS
from lbalgo.signals.drained import TRANSITIONS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "guide" / "drain.md").read_text(encoding="utf-8")


def drawing():
    spec = importlib.util.spec_from_file_location("state_machine", DOCS / "state_machine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drains_table_and_graph():
    draw = drawing()
    assert f"\n\n{draw.table(TRANSITIONS)}\n\n" in PAGE
    assert f"```dot\n{draw.dot(TRANSITIONS)}\n```\n" in PAGE


def test_the_tables_of_closing():
    draw = drawing()
    for protocol in (Protocol.HTTP1, Protocol.HTTP2):
        assert f"\n\n{draw.table(CLOSING[protocol])}\n\n" in PAGE
    without = {move: to for move, to in CLOSING[Protocol.HTTP2].items() if move[1] is not Action.PING}
    assert CLOSING[Protocol.HTTP3] == without, "as the page says"


def test_the_defaults():
    for default in DEFAULTS:
        assert f"| {default.name} | {default.seconds:g} | {default.meaning} | {default.source} |\n" in PAGE
