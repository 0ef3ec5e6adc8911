"""Hash tables and rings: is the size a prime, does it hold the disruption that was promised, is it even?

A Maglev table moves more than it must when a backend leaves (`measure.maglev_excess`); without a stated bound the one
used is the minimum, 1 / N, so that a finding says "more than twice as many keys move as have to". The 100 positions a
backend of the paper are about evenness, not about movement. Modular hashes move nearly everything, and Envoy's ring
gives each host a number of points that depends on how many hosts there are.

Costs: a ring, or a table of unequal weights, is built once. Sources: Eisenbud et al., NSDI 2016; Envoy, `ring_hash`;
HAProxy Configuration Manual, "hash-type"; nginx, "hash".
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from lbalgo.advice.setup import Setup
from lbalgo.errors import ConfigError
from lbalgo.findings import Finding, Severity
from lbalgo.measure.balance import balance
from lbalgo.measure.maglev_law import maglev_excess, maglev_size_for
from lbalgo.spec import is_prime

POSITIONS = 100  # a backend, for shares within 1 %
PEAK = 1.25  # largest share over target that is let pass; the factor of bounded loads


def table_size(setup: Setup) -> int | None:
    """Positions of the Maglev table, if there is one."""
    if setup.facts.table_size is not None:
        return setup.facts.table_size
    size: int | None = setup.policies[-1].table_size if setup.kind in ("Maglev", "envoy.Maglev") else None
    return size


def not_prime(setup: Setup) -> Iterator[Finding]:
    """A size that shares a factor with a skip: the skip's walk visits a part of the table only."""
    size = table_size(setup)
    if size is not None and not is_prime(size):
        prime = next(n for n in range(size, 2 * size) if is_prime(n))
        yield Finding(
            "table_size",
            f"{size} is no prime: some backends cannot claim every position, and a build may not end",
            f"set table_size to {prime}",
            Severity.ERROR,
        )


def moves_too_much(setup: Setup) -> Iterator[Finding]:
    """A table too small for the disruption that was stated."""
    size, n = table_size(setup), setup.size
    if size is None or n < 2 or size < n:
        return
    allowed = setup.facts.max_excess
    excess, most = maglev_excess(n, size), 1.0 / n if allowed is None else allowed
    if excess > most:
        why = "as many as have to, or more" if allowed is None else f"{allowed:.3g} were allowed"
        try:
            fix = f"set table_size to {maglev_size_for(n, most)}, or use rendezvous or a ring, which move the minimum"
        except ConfigError:
            fix = "use rendezvous or a ring, which move the minimum"
        lost = f"when one of {n} backends leaves, a fraction of {excess:.3g} of the keys moves for nothing; {why}"
        yield Finding("table_size", lost, fix)


def too_coarse(setup: Setup) -> Iterator[Finding]:
    """A table with so few positions that shares are off by more than a per cent."""
    size, n = table_size(setup), setup.size
    if size is None or n == 0:
        return
    if size < n:
        fix = f"set table_size to a prime of {POSITIONS * n} or more"
        yield Finding("table_size", f"{n - size} of {n} backends have no position", fix, Severity.ERROR)
    elif size < POSITIONS * n:
        spread = f"with {size / n:.3g} positions a backend shares differ by up to {n / size:.2g} of the mean"
        yield Finding("table_size", spread, f"set table_size to a prime of {POSITIONS * n} or more")


def uneven(setup: Setup) -> Iterator[Finding]:
    """A ring, or a table, in which somebody's share is far above what its weight says."""
    if setup.kind not in ("RingHash", "Maglev", "MultiProbe", "envoy.RingHash") or setup.size < 2:
        return
    try:
        peak = balance(setup.policies[-1].build(setup.view)).peak_to_mean
    except (AttributeError, ConfigError):
        return  # it has no shares that can be told, or refuses this pool, which others say
    if peak > PEAK:
        field = {"RingHash": "points", "envoy.RingHash": "minimum_ring_size"}.get(setup.kind, "table_size")
        fix = f"set {field} {math.ceil(((peak - 1) / (PEAK - 1)) ** 2)} times as large or more, or bound the load"
        yield Finding(field, f"the busiest backend has {peak:.3g} times the share that its weight says", fix)


MODULAR = {  # what to write instead, for hashes that are reduced modulo the pool
    "nginx.IpHash": ("ip_hash", "hash $remote_addr consistent;"),
    "nginx.Hash": ("hash", "hash ... consistent;"),
    "haproxy.Hash": ("hash-type", "hash-type consistent"),
}


def moves_nearly_all(setup: Setup) -> Iterator[Finding]:
    """A hash modulo the pool: when it changes, nearly every key has a new backend."""
    policy, n = setup.policies[-1], setup.size
    if setup.kind not in MODULAR or n < 2:
        return
    method = getattr(getattr(policy, "hash_type", None), "method", None)
    if getattr(policy, "consistent", False) or getattr(method, "value", "map-based") != "map-based":
        return
    field, fix = MODULAR[setup.kind]
    yield Finding(field, f"when one of {n} leaves or joins, about {(n - 1) / n:.0%} of the keys move", f"write: {fix}")


def points_change(setup: Setup) -> Iterator[Finding]:
    """Envoy's ring: how many points a host has depends on how many hosts there are."""
    if setup.kind != "envoy.RingHash" or setup.size < 2:
        return
    least, n = setup.policies[-1].minimum_ring_size, setup.size
    now, then = -(-least // n), -(-least // (n - 1))
    if now != then:
        moved = f"when one of {n} leaves, those who stay have {then} points each, not {now}: keys move between them"
        yield Finding("minimum_ring_size", moved, "use MAGLEV, or a ring with a fixed number of points a host")
