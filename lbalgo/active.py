"""Which twins are in use: the compiled kernels, or the plain reference where they could not be built.

`LBALGO_KERNELS=python` in the environment chooses the plain twins; `LBALGO_REQUIRE_KERNELS=1` makes their absence an
error. `LBALGO_SIMD=portable`, `avx2` or `avx512` holds the compiled ones to that level; without it they use the highest
of this processor, and to name one that it has not is a ConfigError. Everything that picks, hashes or builds imports its
kernels from here and from nowhere else.
"""

from __future__ import annotations

import os
import warnings

import numpy as np

import lbalgo.kernels  # noqa: F401 - first: a later import of the package would replace the function of its name

KERNELS = "cython"
try:
    if os.environ.get("LBALGO_KERNELS") == "python":
        raise ImportError("LBALGO_KERNELS=python")
    from lbalgo.kernels import lanes
    from lbalgo.kernels.alias import AliasTable
    from lbalgo.kernels.arcs import arc_shares
    from lbalgo.kernels.balancer import Balancer
    from lbalgo.kernels.combined_loads import CombinedLoad, OverdueLoad, PenaltyLoad
    from lbalgo.kernels.digests import chained, digest32, numbered32, numbered_md5
    from lbalgo.kernels.engine import Engine, EventQueue, Stations, VirtualClock
    from lbalgo.kernels.estimated_loads import AgeLoad, LatencyLoad
    from lbalgo.kernels.evidence import Evidence
    from lbalgo.kernels.hashing import KeyHasher, mix64, siphash24, xxh64
    from lbalgo.kernels.jump import JumpBuckets, jump
    from lbalgo.kernels.jump_back import SeatMap, choose, jump_back
    from lbalgo.kernels.lease import Lease
    from lbalgo.kernels.load_picker import LoadPicker
    from lbalgo.kernels.loads import ForeignLoad, InFlightCounts, LoadState
    from lbalgo.kernels.maglev import MaglevTable
    from lbalgo.kernels.maglev import fill as maglev_fill
    from lbalgo.kernels.period import Period, smooth_period
    from lbalgo.kernels.pickers import TicketPicker
    from lbalgo.kernels.points import derived, murmur64a, numbered, phased, rounds
    from lbalgo.kernels.probed_ring import ProbedRing
    from lbalgo.kernels.rendezvous import RendezvousRace
    from lbalgo.kernels.reported_loads import BlendLoad, ReportLoad
    from lbalgo.kernels.ring import Ring, moves
    from lbalgo.kernels.streams import Stream
    from lbalgo.kernels.stride import Stride
    from lbalgo.kernels.structure import Cursor, Structure
    from lbalgo.kernels.urn import Urn

    if hasattr(np.dtypes, "StringDType"):  # from NumPy 2 on, for which that kernel is built
        from lbalgo.kernels.strings import hash_strings
    else:
        from lbalgo.reference.strings import hash_strings
except ImportError as absent:
    KERNELS = "python"
    if os.environ.get("LBALGO_KERNELS") != "python":
        if os.environ.get("LBALGO_REQUIRE_KERNELS") == "1":
            raise
        warnings.warn(f"the plain-Python kernels are in use: correct, but slow ({absent})", stacklevel=2)
    from lbalgo.reference import lanes  # type: ignore[no-redef]
    from lbalgo.reference.alias import AliasTable  # type: ignore[assignment]
    from lbalgo.reference.arcs import arc_shares  # type: ignore[assignment]
    from lbalgo.reference.balancer import Balancer  # type: ignore[assignment]
    from lbalgo.reference.combined_loads import CombinedLoad, OverdueLoad, PenaltyLoad  # type: ignore[assignment]
    from lbalgo.reference.digests import chained, digest32, numbered32, numbered_md5
    from lbalgo.reference.engine import Engine, VirtualClock  # type: ignore[assignment]
    from lbalgo.reference.estimated_loads import AgeLoad, LatencyLoad  # type: ignore[assignment]
    from lbalgo.reference.event_queue import EventQueue  # type: ignore[assignment]
    from lbalgo.reference.evidence import Evidence  # type: ignore[assignment]
    from lbalgo.reference.hashing import KeyHasher, mix64, siphash24, xxh64  # type: ignore[assignment]
    from lbalgo.reference.jump import JumpBuckets, jump  # type: ignore[assignment]
    from lbalgo.reference.jump_back import SeatMap, choose, jump_back  # type: ignore[assignment]
    from lbalgo.reference.lease import Lease  # type: ignore[assignment]
    from lbalgo.reference.load_picker import LoadPicker  # type: ignore[assignment]
    from lbalgo.reference.loads import ForeignLoad, InFlightCounts, LoadState  # type: ignore[assignment]
    from lbalgo.reference.maglev import MaglevTable  # type: ignore[assignment]
    from lbalgo.reference.maglev import fill as maglev_fill  # type: ignore[assignment]
    from lbalgo.reference.period import Period, smooth_period  # type: ignore[assignment]
    from lbalgo.reference.pickers import TicketPicker  # type: ignore[assignment]
    from lbalgo.reference.points import derived, murmur64a, numbered, phased, rounds
    from lbalgo.reference.probed_ring import ProbedRing  # type: ignore[assignment]
    from lbalgo.reference.rendezvous import RendezvousRace  # type: ignore[assignment]
    from lbalgo.reference.reported_loads import BlendLoad, ReportLoad  # type: ignore[assignment]
    from lbalgo.reference.ring import Ring, moves  # type: ignore[assignment]
    from lbalgo.reference.stations import Stations  # type: ignore[assignment]
    from lbalgo.reference.streams import Stream  # type: ignore[assignment]
    from lbalgo.reference.stride import Stride  # type: ignore[assignment]
    from lbalgo.reference.strings import hash_strings
    from lbalgo.reference.structure import Cursor, Structure  # type: ignore[assignment]
    from lbalgo.reference.urn import Urn  # type: ignore[assignment]

if os.environ.get("LBALGO_SIMD"):
    lanes.use(os.environ["LBALGO_SIMD"], "LBALGO_SIMD")

__all__ = [
    "KERNELS",
    "AgeLoad",
    "AliasTable",
    "Balancer",
    "BlendLoad",
    "CombinedLoad",
    "Cursor",
    "Engine",
    "EventQueue",
    "Evidence",
    "ForeignLoad",
    "InFlightCounts",
    "JumpBuckets",
    "KeyHasher",
    "LatencyLoad",
    "Lease",
    "LoadPicker",
    "LoadState",
    "MaglevTable",
    "OverdueLoad",
    "PenaltyLoad",
    "Period",
    "ProbedRing",
    "RendezvousRace",
    "ReportLoad",
    "Ring",
    "SeatMap",
    "Stations",
    "Stream",
    "Stride",
    "Structure",
    "TicketPicker",
    "Urn",
    "VirtualClock",
    "arc_shares",
    "chained",
    "choose",
    "derived",
    "digest32",
    "hash_strings",
    "jump",
    "jump_back",
    "kernels",
    "lanes",
    "maglev_fill",
    "mix64",
    "moves",
    "murmur64a",
    "numbered",
    "numbered32",
    "numbered_md5",
    "phased",
    "rounds",
    "siphash24",
    "smooth_period",
    "xxh64",
]


def kernels() -> str:
    """Which twins decide: ``"cython"`` (compiled) or ``"python"`` (the plain reference).

    Examples
    --------
    >>> kernels() in ("cython", "python")
    True
    """
    return KERNELS
