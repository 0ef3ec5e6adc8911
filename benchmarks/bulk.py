"""Many tickets at once: a simulation, a rebalancing study, a batch of packets."""

from __future__ import annotations

import numpy as np

import lbalgo as lb

from . import bulk_kernels, bulk_keys
from .scalar import KEYED, POLICIES, pool
from .timing import Case, statement

BATCH = 65536
BARS = bulk_kernels.BARS + bulk_keys.BARS


def cases(quick: bool) -> list[Case]:
    """Per ticket, over 65536 of them (Rendezvous fewer, it is linear in N); NumPy's own table lookup beside them."""
    rng = np.random.default_rng(1)
    tickets = rng.integers(0, 2**64, BATCH, dtype=np.uint64)
    table = rng.integers(0, 100, 65537).astype(np.int32)
    out = [
        statement("null: tickets.copy()", "f()", BATCH, f=tickets.copy),
        statement("numpy table[tickets % M]", "table[t % m]", BATCH, table=table, t=tickets, m=np.uint64(65537)),
    ]
    for n in (100,) if quick else (10, 100, 1000):
        for name, policy in POLICIES.items():
            picker = policy.build(pool(n, policy))
            if not isinstance(picker, lb.TicketDecided):
                continue
            batch = tickets[: BATCH >> 4] if name == "Rendezvous" else tickets
            label = f"{name}, N={n}" + ("" if name in KEYED else " (sequence or draw)")
            out.append(statement(label, "f(t)", len(batch), f=picker.pick_many, t=batch))
    return out + bulk_kernels.cases() + bulk_keys.cases()
