"""Envoy's hash balancers beside the native ones (picks) and beside C that does the same (builds)."""

from __future__ import annotations

from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.compat import envoy

from .scalar import KEYS
from .timing import Bar, Case, over_keys, statement
from .yardstick import envoy_maglev, envoy_ring, texts

RINGS = {
    "default ring": envoy.RingHash(),
    "65536 points": envoy.RingHash(minimum_ring_size=65536),
    "65536 points, murmur": envoy.RingHash(minimum_ring_size=65536, hash_function=envoy.HashFunction.MURMUR_HASH_2),
}
BARS = (
    *(Bar(f"envoy.{name} pick, N=100", f"{name} pick, N=100", 1.15) for name in ("Maglev", "RingHash")),
    *(Bar(f"envoy.RingHash build, {ring}, N=100", f"C hash and qsort, {ring}, N=100", 1.3) for ring in RINGS),
    Bar("envoy.Maglev build, N=100", "C fill by rounds, N=100", 1.3),
)


def hosts(n: int) -> list[envoy.Host]:
    """Hosts of weight 1, 2 or 3, in the order of their addresses."""
    return sorted((envoy.Host(f"10.0.{i // 256}.{i % 256}:80", 1 + i % 3) for i in range(n)), key=lambda h: h.id)


def picks(n: int) -> list[Case]:
    """The same key through the same picker over tables of one size."""
    even: list[Any] = [envoy.Host(h.id) for h in hosts(n)]
    ring = lb.RingHash().build(even)
    pairs = (
        ("Maglev", lb.Maglev().build(even), envoy.Maglev().build(even)),
        ("RingHash", ring, envoy.RingHash(minimum_ring_size=ring.structure.size).build(even)),
    )
    cases = []
    for name, native, compat in pairs:
        assert type(native) is type(compat) and native.structure.size == compat.structure.size
        cases.append(over_keys(f"{name} pick, N={n}", "f(k)", KEYS, f=native.pick))
        cases.append(over_keys(f"envoy.{name} pick, N={n}", "f(k)", KEYS, f=compat.pick))
    return cases


def builds(n: int) -> list[Case]:
    """A whole build from a view, and the C that hashes and sorts, or fills; equal output is checked first."""
    view = lb.View.of(hosts(n))
    keys = texts([h.key() for h in view.backends])
    cases = []
    for name, policy in RINGS.items():
        ring: Any = policy.build(view).structure
        counts = np.bincount(ring.owners(), minlength=n).astype(np.int32)
        murmur = policy.hash_function is envoy.HashFunction.MURMUR_HASH_2
        points, owners = envoy_ring(keys, counts, murmur)
        assert np.array_equal(points, ring.points()) and np.array_equal(owners, ring.owners())
        cases.append(statement(f"envoy.RingHash build, {name}, N={n}", "f(v)", f=policy.build, v=view))
        cases.append(
            statement(f"C hash and qsort, {name}, N={n}", "f(k, c, m)", f=envoy_ring, k=keys, c=counts, m=murmur)
        )
    maglev = envoy.Maglev()
    table: Any = maglev.build(view).structure
    weights = view.weights / view.weights.sum()
    assert np.array_equal(table.table(), envoy_maglev(keys, weights, table.size))
    cases.append(statement(f"envoy.Maglev build, N={n}", "f(v)", f=maglev.build, v=view))
    cases.append(statement(f"C fill by rounds, N={n}", "f(k, w, s)", f=envoy_maglev, k=keys, w=weights, s=table.size))
    return cases


def cases(quick: bool) -> list[Case]:
    """Picks at N = 100; builds there, and at 10 and 1000 too unless quick."""
    return picks(100) + [case for n in ((100,) if quick else (10, 100, 1000)) for case in builds(n)]
