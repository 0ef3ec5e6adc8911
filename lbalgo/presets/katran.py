"""Meta's Katran: Maglev tables over weighted reals, behind a connection table that only drops the least recently used.

The table is exact (`lbalgo.compat.katran`): with `Real`s that have Katran's own hashes every position has the owner it
has there. Around it is the data path's memory: a packet of a known flow goes where the flow went, whatever the table
says by now; a SYN is always looked up anew (`opening` of `FlowTable.pick`).

Costs: those of the parts; memory for as many flows as there are, up to `capacity`.
Source: Katran's README and its defaults (KatranLbStructs.h, balancer_consts.h, Vip.h).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from lbalgo.compat.katran import CH_RINGS_SIZE, Katran, MaglevVersion
from lbalgo.gates.flow_table import FlowTable
from lbalgo.presets.maglev import health, probing_or_none
from lbalgo.presets.preset import Preset, Source
from lbalgo.signals.probing import Probing
from lbalgo.spec import LIMIT, check_bool

LRU_SIZE = 8_000_000  # kDefaultLruSize
UDP_IDLE = 30.0  # seconds; LRU_UDP_TIMEOUT
FOREVER = LIMIT  # seconds; flows of TCP are not forgotten for silence
README, STRUCTS = "Katran, README", "Katran, katran/lib/KatranLbStructs.h"
CONSTS, VIP = "Katran, katran/lib/bpf/balancer_consts.h", "Katran, katran/lib/Vip.h"


def katran(
    version: MaglevVersion = MaglevVersion.V1,
    *,
    table_size: int = CH_RINGS_SIZE,
    udp: bool = False,
    capacity: int = LRU_SIZE,
    probing: Probing | None = None,
) -> Preset:
    """A VIP of Katran: its consistent hashing behind its connection table.

    Parameters
    ----------
    version : of its hashing; V1 is its default, in which weights hardly count, V2 has shares in proportion to them.
    table_size : a prime, at most 65537.
    udp : whether the flows are of UDP: forgotten after 30 s of silence, those of TCP never.
    capacity : most flows remembered, 2 to 2**24.
    probing : the parameters of health checks; None for none: Katran is told by others who is healthy.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Backends: `lbalgo.compat.katran.Real` with Katran's hash for its very table, else ids.

    Costs: those of `Katran` and `FlowTable`.
    Source: Katran's README, and its headers for the defaults.

    Examples
    --------
    >>> preset = katran(udp=True)
    >>> preset.value("Katran.table_size"), preset.value("FlowTable.capacity"), preset.value("FlowTable.idle")
    (65537, 8000000, 30.0)
    """
    policy = Katran(version, table_size)
    idle = UDP_IDLE if check_bool("udp", udp) else FOREVER
    FlowTable(capacity)  # refuses what is no capacity
    sources = [
        Source("Katran", README, "Modified Maglev hashing for connections"),
        Source("Katran.version", VIP, "HashFunctions::Maglev, the default of a VIP"),
        Source("Katran.table_size", STRUCTS, "kLbDefaultChRingSize; RING_SIZE"),
        Source("FlowTable", README, "Fixed size connection tracking table with LRU eviction"),
        Source("FlowTable.capacity", STRUCTS, "kDefaultLruSize"),
    ]
    if udp:
        sources.append(Source("FlowTable.idle", CONSTS, "LRU_UDP_TIMEOUT"))
    return Preset(
        "Meta Katran",
        policy,
        partial(_parts, probing_or_none(probing), capacity, idle),
        tuple(sources),
        (
            "That the size of the connection table is that of all cores together, as here.",
            "What is done when few reals are healthy: the panic threshold of 50 % is ours.",
        ),
        (
            "Each core has a connection table there; here is one in two parts, so that no flood pushes old flows out.",
            "A real that was taken out keeps its known flows there; here they move when it is unhealthy or gone.",
            "Above 125000 new connections a second and core the table is not written to there; here it always is.",
            "Keys are hashed by XXH64, not by jhash of the 5-tuple; a ready hash goes to the picker's `slot`.",
        ),
    )


def _parts(probing: Probing | None, capacity: int, idle: float) -> Any:
    return health(probing), (FlowTable(capacity, idle, young_idle=idle),)
