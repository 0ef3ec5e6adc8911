"""The SIMD level: what there is, what is asked for, and what is refused; its answers are tested with each kernel."""

import os
import subprocess
import sys

import pytest

from lbalgo.errors import ConfigError
from tests.both import both
from tests.levels import LEVELS, at_every_level, level

LANES = both("lanes")
SAY = "from lbalgo.active import lanes; print(lanes.level(), *lanes.levels())"


def run(code=SAY, **environment):
    ours = {name: value for name, value in os.environ.items() if name not in ("LBALGO_SIMD", "LBALGO_KERNELS")}
    command = [sys.executable, "-W", "ignore:the plain-Python kernels", "-c", code]
    return subprocess.run(command, env={**ours, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize("lanes", LANES, ids=lambda m: m.__name__)
def test_levels_are_in_order_and_one_is_in_use(lanes):
    assert lanes.levels() == LEVELS[: len(lanes.levels())]
    assert lanes.level() in lanes.levels()


@pytest.mark.parametrize("lanes", LANES, ids=lambda m: m.__name__)
def test_a_level_is_used_until_another_is_asked_for(lanes):
    before = lanes.level()
    for name in (*lanes.levels(), before):
        lanes.use(name)
        assert lanes.level() == name


@pytest.mark.parametrize("lanes", LANES, ids=lambda m: m.__name__)
@pytest.mark.parametrize("bad", ["", "AVX2", "sse2", "avx2 ", None, 1, b"avx2", ["avx2"]], ids=repr)
def test_what_is_no_level_is_refused_and_changes_nothing(lanes, bad):
    before = lanes.level()
    with pytest.raises(ConfigError, match="must be one of portable, avx2, avx512") as caught:
        lanes.use(bad)
    assert (caught.value.parameter, caught.value.value, lanes.level()) == ("level", bad, before)


def test_the_plain_twins_have_only_the_portable_level():
    for name in LEVELS[1:]:
        with pytest.raises(ConfigError, match="this processor and build have portable"):
            LANES[0].use(name)


@pytest.mark.parametrize("name", LEVELS)
def test_within_a_level_and_after(name):
    before = LANES[-1].level()
    with level(name) as used:
        assert LANES[-1].level() == used
        assert used == name if name in LANES[-1].levels() else used == LANES[-1].levels()[-1]
    assert LANES[-1].level() == before
    assert tuple(at_every_level(LANES[-1].level)) == LANES[-1].levels()


@pytest.mark.parametrize("name", LEVELS)
def test_the_environment_chooses_in_another_process(name):
    answer = run(LBALGO_SIMD=name)
    if name in LANES[-1].levels():
        assert answer.stdout.split() == [name, *LANES[-1].levels()]
    else:
        assert f"ConfigError: LBALGO_SIMD = {name!r}: this processor" in answer.stderr


def test_without_a_word_from_the_environment_another_process_uses_the_highest():
    for answer in (run(), run(LBALGO_SIMD="")):
        assert answer.stdout.split() == [LANES[-1].levels()[-1], *LANES[-1].levels()]


def test_another_process_refuses_what_is_no_level():
    answer = run(LBALGO_SIMD="fast")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == (
        "lbalgo.errors.ConfigError: LBALGO_SIMD = 'fast': must be one of portable, avx2, avx512"
    )


def test_another_process_with_the_plain_twins_has_one_level():
    assert run(LBALGO_KERNELS="python").stdout.split() == ["portable", "portable"]
    assert "LBALGO_SIMD = 'avx2'" in run(LBALGO_KERNELS="python", LBALGO_SIMD="avx2").stderr
