"""`benchmarks/instructions.py` with made-up counts: what is too much more, what is new and what is gone."""

from benchmarks.instructions import compared, total


def test_three_per_cent_and_no_more():
    lines, risen = compared({"a": 1030.0, "b": 500.0, "c": 2.0}, {"a": 1000.0, "b": 1000.0, "c": 2.0})
    assert risen == 0
    assert [line.split() for line in lines] == [
        ["ok", "1,030", "1,000", "+3.0%", "a"],
        ["ok", "500", "1,000", "-50.0%", "b"],
        ["ok", "2", "2", "+0.0%", "c"],
    ]
    lines, risen = compared({"a": 1031.0}, {"a": 1000.0})
    assert risen == 1 and lines[0].startswith("MORE")


def test_new_and_gone_cases_are_no_rise():
    lines, risen = compared({"a": 5.0, "new": 7.0}, {"old": 3.0, "a": 5.0})
    assert risen == 0
    assert [line.split()[0] for line in lines] == ["ok", "new", "gone"]


def test_the_total_of_a_part(tmp_path):
    part = tmp_path / "out.2"
    part.write_text("version: 1\nevents: Ir\nfn=(1)\n16 5\n\ntotals: 12345\n")
    assert total(part) == 12345
