"""The program that mypy and pyright check (`tests/typing/use.py`, in their configuration) also runs."""

from tests.typing import use


def test_the_checked_program_runs():
    use.main()
