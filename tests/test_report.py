"""The page "Performance": what the results say, no more, and a loss is called one."""

from benchmarks import report

BARS = [["ours", "theirs", 1.0, 1.5], ["ours", "plain C", 2.0, 1.999]]


def test_the_page_is_what_the_results_say():
    assert report.page(report.json.loads(report.RESULTS.read_text("utf-8"))) == report.PAGE.read_text("utf-8")


def test_losses_come_first():
    found = {"machine": "a machine", "load": {"scalar": 1.2}, "scale": {}}
    found |= {"ns": {"scalar": {"ours": 12345.0}}, "bars": {"scalar": BARS}}
    page = report.page(found)
    losses, load = page.split("## Load")
    assert "1 of 2 bars are missed." in losses
    assert "| ours / theirs | 1.5 | 1 | **missed** |" in losses and "plain C" not in losses
    assert "| ours / plain C | 2 | 2 | met |" in load and "| ours | 12.3 µs |" in load
    assert "## Scale" not in page


def test_a_peer_that_is_faster():
    assert report.verdict("peers", 1.2, 1.0) == "**the peer is faster**"
    assert report.verdict("peers", 0.05, 1 / 40) == "**missed**"
    assert report.verdict("scalar", 1.2, 1.5) == "met"


def test_three_digits():
    given = (0.351, 999.4, 999.6, 12345.0, 9.999e8, 1.2e9)
    assert [report.time(ns) for ns in given] == ["0.351 ns", "999 ns", "1 µs", "12.3 µs", "1 s", "1.2 s"]
