# cython: language_level=3
"""Which SIMD level the kernels use: the highest of this processor, or the one that was asked for.

The level is one of the process, read by a kernel at each bulk call; all levels give the same answers, so that a change
shows in nothing but time. `lanes.h` says how a kernel gets variants.
"""
from lbalgo.columns import LEVELS, level_of

cdef extern from "lanes.h":
    int lanes_of_cpu() noexcept

cdef int highest = lanes_of_cpu()
lanes_in_use = highest


def levels():
    """The levels of this processor and this build, from the lowest to the highest."""
    return LEVELS[:highest + 1]


def level():
    """The level in use."""
    return LEVELS[lanes_in_use]


def use(name, parameter="level"):
    """From now on this level, one of `levels()`, in the whole process; an error names it as `parameter`."""
    global lanes_in_use
    lanes_in_use = level_of(parameter, name, levels())
