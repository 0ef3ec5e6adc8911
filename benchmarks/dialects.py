"""Builds of the other systems' rings and tables, beside C that hashes and sorts the same strings, or fills alike.

Every C ring is checked first: its points are the built ring's. A whole build is timed, from a view to a picker.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.active import maglev_fill
from lbalgo.compat import grpc, haproxy, katran, memcached, nginx, varnish

from .timing import Bar, Case, statement
from .yardstick import chained_ring, counted_ring, envoy_ring, maglev_modulo, numbered_ring, texts

H, D = memcached.LibmemcachedHash, memcached.LibmemcachedDistribution
KINDS = {  # of dialect_rings.c
    H.MD5: 1,
    H.DEFAULT: 3,
    H.FNV1_64: 4,
    H.FNV1A_64: 5,
    H.FNV1_32: 6,
    H.FNV1A_32: 7,
    H.CRC: 8,
    H.MURMUR: 9,
    H.MURMUR3: 10,
    H.JENKINS: 11,
}


NAMES = (
    "twemproxy ketama",
    *(f"libmemcached {hash.value}" for hash in KINDS),
    "libmemcached weighted",
    "varnish shard",
    "nginx consistent",
    "haproxy consistent, weight 100",  # with few points its servers' state machine outweighs the ring
    "grpc ring_hash",
    "katran V1",
    "katran V2",
)
BARS = tuple(Bar(f"{name} build, N=100", f"C {name}, N=100", 1.3) for name in NAMES)


def addresses(n: int, port: int = 8000) -> list[str]:
    return [f"10.0.{i // 256}.{i % 256}:{port}" for i in range(n)]


def pair(n: int, name: str, policy: Any, view: Any, c: Any, *given: Any, checked: bool = True) -> list[Case]:
    """The build and the C function of one dialect; the points of both are the same."""
    if checked:
        ring = ring_of(policy.build(view))
        points, _ = c(*given)
        found = np.asarray(ring.points()) >> np.uint64(32)
        assert np.array_equal(np.unique(found)[: len(set(points.tolist()))], np.unique(points)), name
    arguments = {f"a{i}": value for i, value in enumerate(given)}
    return [
        statement(f"{name} build, N={n}", "p(v)", p=policy.build, v=view),
        statement(f"C {name}, N={n}", f"c({', '.join(arguments)})", c=c, **arguments),
    ]


def ring_of(picker: Any) -> Any:
    """The native ring of a picker, wherever it is kept."""
    if hasattr(picker, "structure"):
        return picker.structure
    return picker.machine.method.ring


def rings(n: int) -> list[Case]:
    """Rings of numbered strings, of chains and of counted numbers."""
    ids = addresses(n)
    view = lb.View.of(ids)
    names, hundred = texts([i.encode() for i in ids]), np.full(n, 100, np.int32)
    pool = memcached.Twemproxy().build(view)
    forty = np.full(n, pool.structure.size // n // 4, np.int32)
    inside = sorted(ids, key=lambda i: (len(i), i.encode()))
    cases = pair(
        n,
        "twemproxy ketama",
        memcached.Twemproxy(),
        view,
        numbered_ring,
        0,
        b"-",
        texts([i.encode() for i in inside]),
        forty,
    )
    for hash, kind in KINDS.items():
        policy = memcached.Libmemcached(hash=hash, distribution=D.CONSISTENT)
        cases += pair(n, f"libmemcached {hash.value}", policy, view, numbered_ring, kind, b"-", names, hundred)
    weighted = memcached.Libmemcached(distribution=D.CONSISTENT_WEIGHTED)
    cases += pair(n, "libmemcached weighted", weighted, view, numbered_ring, 0, b"-", names, forty)
    cases += pair(n, "varnish shard", varnish.Shard(), view, numbered_ring, 2, b"", names, np.full(n, 67, np.int32))
    split = [i.encode().split(b":") for i in ids]
    hosts, ports = texts([h for h, _ in split]), texts([p for _, p in split])
    counts = np.full(n, 160, np.int32)
    cases += pair(n, "nginx consistent", nginx.Hash(consistent=True), view, chained_ring, hosts, ports, counts)
    return cases


def others(n: int) -> list[Case]:
    """HAProxy's ring, whose boundaries lie between points, gRPC's ring, and Katran's tables."""
    ids = addresses(n)
    view = lb.View.of(ids)
    cases = []
    for weight in (1, 100):
        heavy = lb.View.of(dict.fromkeys(ids, weight))
        policy = haproxy.Hash(haproxy.Uri(), haproxy.HashType.parse("consistent"))
        bases = np.arange(1, n + 1, dtype=np.uint32) * 4096
        counts = np.full(n, 16 * weight, np.int32)
        cases += pair(
            n, f"haproxy consistent, weight {weight}", policy, heavy, counted_ring, bases, counts, checked=False
        )
    ring: Any = grpc.RingHash().build(view).structure
    many = np.bincount(ring.owners(), minlength=n).astype(np.int32)
    names = texts([i.encode() for i in ids])
    cases += pair(n, "grpc ring_hash", grpc.RingHash(), view, envoy_ring, names, many, False, checked=False)
    return cases


def tables(n: int) -> list[Case]:
    """Katran's tables by both of its rules, beside the fill with a remainder for every probe."""
    view = lb.View.of({i: 1 + k % 3 for k, i in enumerate(addresses(n))})
    cases = []
    for version in katran.MaglevVersion:
        policy = katran.Katran(version=version)
        hashes = sorted(katran.hash_of(b) for b in view.backends)
        offset, skip = katran.places(hashes, policy.table_size)
        order = np.argsort([katran.hash_of(b) for b in view.backends])
        make = katran.turns_v1 if version is katran.MaglevVersion.V1 else katran.turns_v2
        turns = make(view.weights[order].astype(np.int64), policy.table_size)
        given = turns, offset.astype(np.uint32), skip.astype(np.uint32), policy.table_size
        assert np.array_equal(maglev_fill(turns, offset, skip, policy.table_size), maglev_modulo(*given))
        cases += pair(n, f"katran {version.name}", policy, view, maglev_modulo, *given, checked=False)
    return cases


def cases(quick: bool) -> list[Case]:
    """Everything at N = 100, and at 10 and 1000 too unless quick."""
    return [case for n in ((100,) if quick else (10, 100, 1000)) for of in (rings, others, tables) for case in of(n)]
