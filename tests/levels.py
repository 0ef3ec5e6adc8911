"""SIMD levels: every one that this processor has must give the same answers."""

from contextlib import contextmanager

import pytest

from tests.both import both

lanes = both("lanes")[-1]  # of the compiled kernels, if there are any
LEVELS = ("portable", "avx2", "avx512")  # of any processor, so that the names of tests are the same on all


@contextmanager
def level(name):
    """Within, the kernels use this level; skips the test where the processor has it not."""
    if name not in lanes.levels():
        pytest.skip(f"this processor and build have {', '.join(lanes.levels())}")
    before = lanes.level()
    lanes.use(name)
    try:
        yield
    finally:
        lanes.use(before)


def at_every_level(make):
    """What `make()` returns, one for each level there is, from the lowest to the highest."""
    made = []
    for name in lanes.levels():
        with level(name):
            made.append(make())
    return made
