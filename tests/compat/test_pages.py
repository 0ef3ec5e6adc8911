"""Each system's page says what is exact, statistical and described only, and names the commands that show it."""

from pathlib import Path

import pytest

from tests.live.comparing import SYSTEMS

PAGES = {
    page.stem: page.read_text(encoding="utf-8") for page in (Path(__file__).parents[2] / "docs" / "compat").glob("*.md")
}
REPLAYED = sorted(set(PAGES) - {"index", "ipvs", "grpc"})
LIVE = {
    "envoy_hash": ["envoy"],
    "envoy_turns": ["envoy"],
    "memcached": ["twemproxy", "pylibmc"],
    **{name: [name] for name in ("haproxy", "nginx", "varnish", "apache", "redis")},
}


def plain(name: str) -> str:
    return " ".join(PAGES[name].split())


def test_every_system_that_can_be_started_has_its_page() -> None:
    assert {system for systems in LIVE.values() for system in systems} == set(SYSTEMS)


@pytest.mark.parametrize("name", REPLAYED)
def test_a_page_says_how_each_thing_is_known(name: str) -> None:
    text = plain(name)
    assert "| what | how it is known |" in text
    for word in ("exact", "described only", "statistical"):
        assert word in text, word
    assert "`python tests/golden/replay.py tests/golden/vectors/" in text
    assert "## What surprises" in text
    if name in LIVE:
        assert f"`python -m tests.live {' '.join(f'--system {system}' for system in LIVE[name])}`" in text


@pytest.mark.parametrize("name", ["ipvs", "grpc"])
def test_a_page_of_what_is_described_only_says_so(name: str) -> None:
    text = plain(name)
    assert "**Described only.**" in text
    assert "`pytest tests/compat" in text
