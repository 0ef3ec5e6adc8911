"""SIMD levels: every one that this processor has must give the same answers."""

from contextlib import contextmanager

import pytest

from lbalgo import ConfigError
from tests.both import both

lanes = both("lanes")[-1]  # of the compiled kernels, if there are any
LEVELS = ("portable", "avx2", "avx512")  # of any processor, so that the names of tests are the same on all


@contextmanager
def level(name):
    """Within, the kernels use this level; one that the processor has not is refused, and the best it has is used."""
    before, used = lanes.level(), name
    if name not in lanes.levels():
        used = lanes.levels()[-1]
        with pytest.raises(ConfigError, match="this processor and build have"):
            lanes.use(name)
    lanes.use(used)
    try:
        yield used
    finally:
        lanes.use(before)


def at_every_level(make):
    """What `make()` returns, one for each level there is, from the lowest to the highest."""
    made = []
    for name in lanes.levels():
        with level(name):
            made.append(make())
    return made
