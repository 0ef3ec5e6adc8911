# cython: language_level=3
"""Multi-probe consistent hashing (Appleton and O'Reilly 2015): a ticket asks a ring at several places at once.

Probe i of a ticket is mix64(ticket + i * GAMMA). Of the points that follow the probes on the circle the one that
follows its probe most closely serves, at equal distance the earlier probe's. So a backend's rank is its least distance
from any probe, which no other backend can change; the walk is the order of the ranks.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport uint64_t

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.kernels.hashing cimport GAMMA, c_mix64
from lbalgo.kernels.ring cimport Ring
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()


@cython.final
cdef class ProbedRing(Structure):
    """A ring asked at `probes` places; of points at one position only the first given counts."""

    def __cinit__(self, points, owners, slots, probes):
        where, whose = words("points", points), column("owners", owners, 0, count("slots", slots) - 1, np.int32)
        if len(whose) != len(where):
            raise ConfigError("owners", owners, "must be as many as there are points")
        where, first = np.unique(where, return_index=True)
        self.ring = Ring(where, whose[first], slots)
        self.probes = count("probes", probes)
        self.slots = slots

    cdef uint64_t gap(self, uint64_t probe, Py_ssize_t *owner) noexcept nogil:
        """How far behind the probe the next point lies, and whose it is."""
        cdef Py_ssize_t i = self.ring.seek(probe)
        owner[0] = self.ring.owner[i]
        return self.ring.at[i if i < self.ring.size else 0] - probe

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef Py_ssize_t i, owner = -1, slot = -1
        cdef uint64_t distance, least = 0
        for i in range(self.probes):
            distance = self.gap(c_mix64(ticket + <uint64_t>i * GAMMA), &owner)
            if slot < 0 or distance < least:
                least, slot = distance, owner
        return slot

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        walk[0] = Walk(ticket, 0, -1, self.ring.size)
        self.onward(walk)
        return self.onward(walk)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        """The owner of the next pair of probe and point by (distance, probe); `ahead` and `behind` are the last."""
        cdef uint64_t last = <uint64_t>walk.ahead, start, probe, distance, least = 0
        cdef Py_ssize_t i, owner = -1, slot = -1, which = -1
        if walk.left == 0:
            return -1
        walk.left -= 1
        for i in range(self.probes):
            probe = c_mix64(walk.ticket + <uint64_t>i * GAMMA)
            start = last + (i <= walk.behind)
            if start < last:
                continue
            distance = self.gap(probe + start, &owner) + start
            if distance < start:
                continue  # all of this probe's points have been met
            if slot < 0 or distance < least:
                least, slot, which = distance, owner, i
        walk.ahead, walk.behind = <Py_ssize_t>least, which
        return slot

    def nearest(self, probes):
        """The slot whose point follows one of these probes most closely: 64-bit words, chosen by the caller."""
        cdef cnp.ndarray given = words("probes", probes)
        cdef Py_ssize_t i, owner = -1, slot = -1
        cdef uint64_t distance, least = 0
        for i in range(cnp.PyArray_DIM(given, 0)):
            distance = self.gap((<uint64_t *>cnp.PyArray_DATA(given))[i], &owner)
            if slot < 0 or distance < least:
                least, slot = distance, owner
        return slot

    def _walk(self, uint64_t ticket):
        """Owners by their least distance from a probe, O(points log probes) at the first step."""
        probes = [int(c_mix64(ticket + <uint64_t>i * GAMMA)) for i in range(self.probes)]
        where, whose = self.ring.points(), self.ring.owners()
        starts, first = np.unique(np.array(probes, dtype=np.uint64), return_index=True)
        behind = np.searchsorted(starts, where, side="right") - 1  # -1: the last probe, around the circle
        ranks = np.lexsort((first[behind], where - starts[behind]))
        seen = set()
        for slot in whose[ranks].tolist():
            if slot not in seen:
                seen.add(slot)
                yield slot
