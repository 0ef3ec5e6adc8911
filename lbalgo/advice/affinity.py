"""Affinity: sessions with nowhere else to go, sessions that never end, clients who choose their backend.

*Pinning* is that a client decides which backend serves it, for good or for as many requests as it likes: by a value it
can write itself (a plain cookie, a header with an address), by a session without end, or by keys it tries until they
all land on one backend, which costs N tries a key where the hash is public.

Costs: O(fields). Sources: HAProxy Configuration Manual, "cookie" and "option redispatch"; Envoy, `override_host.v3`;
nginx, "ip_hash"; Aumasson, Bernstein, "SipHash", 2012, for keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbalgo.advice.setup import Setup
from lbalgo.findings import Finding, Severity
from lbalgo.gates.sticky import Fallback

PUBLIC = ("XXH64", "XXH3", "Murmur3")  # hashes that anybody can compute
ADDRESSES = {  # policies whose key is the client's address: the field that says so, and what they take of it
    "nginx.IpHash": ("ip_hash", "the first three bytes of an IPv4 address"),
    "haproxy.Source": ("balance", "the address"),
}
KEYED = ("envoy.Maglev", "envoy.RingHash", "nginx.Hash", "haproxy.Hash")  # by a hash without a secret


def sticky_without_fallback(setup: Setup) -> Iterator[Finding]:
    """Sessions that are refused, or fail, while their backend is away."""
    sticky = setup.gate("Sticky")
    if sticky is not None and sticky.fallback is Fallback.REFUSE:
        yield Finding(
            "Sticky.fallback",
            "every session of a backend that fails is refused until it is back",
            "set Fallback.RENDEZVOUS, unless the state exists nowhere else",
            Severity.ERROR,
        )
    if setup.system == "haproxy" and setup.says("cookie") and not setup.says("option redispatch"):
        yield Finding(
            "cookie",
            "a session whose server takes no connection fails until its checks have marked the server down",
            "add: option redispatch",
            Severity.ERROR,
        )


def endless_sessions(setup: Setup) -> Iterator[Finding]:
    """Sessions that neither time nor silence ends: the pool never evens out."""
    sticky = setup.gate("Sticky")
    if sticky is not None and sticky.ttl is None and sticky.idle is None:
        yield Finding(
            "Sticky.ttl",
            "a session is pinned to its backend for ever, and new backends get new clients only",
            "set ttl, or idle, to the length of a session",
        )


def unbounded_sessions(setup: Setup) -> Iterator[Finding]:
    """Sessions that keep their backend however full it is."""
    sticky = setup.gate("Sticky")
    if sticky is not None and sticky.spill is None:
        yield Finding(
            "Sticky.spill",
            "who holds a cookie can send all it likes to one backend, and no policy is asked",
            "set spill, to 1.25 for instance, with a policy that has a load",
            Severity.NOTE,
        )


def written_by_clients(setup: Setup) -> Iterator[Finding]:
    """Backends named in plain by what the client sends."""
    if setup.system == "haproxy" and setup.says("cookie"):
        yield Finding(
            "cookie",
            "the cookie names the server as written, so that any client can pin itself to any server",
            "use dynamic-cookie-key, or a bounded affinity such as hash-balance-factor",
            Severity.NOTE,
        )
    sources = [source for policy in setup.policies for source in getattr(policy, "override_host_sources", ())]
    headers = [source.header for source in sources if source.header]
    if headers:
        yield Finding(
            "override_host_sources",
            f"whoever can send {headers[0]!r} chooses the host, an ejected one too",
            "have the listener remove the header from what comes from outside",
            Severity.WARNING,
        )


def chosen_keys(setup: Setup) -> Iterator[Finding]:
    """Keys of strangers under a hash that anybody can compute."""
    hasher = type(getattr(setup.policies[-1], "hasher", None)).__name__
    if setup.facts.strangers and (hasher in PUBLIC or setup.kind in KEYED):
        native = not setup.system
        yield Finding(
            "hasher" if native else "policy",
            f"clients can try keys, about {max(setup.size, 1)} for each one that fits, and send all to one backend",
            "set hasher=SipHash(secret)" if native else "hash a value that clients cannot choose, or bound the load",
        )


def address_affinity(setup: Setup) -> Iterator[Finding]:
    """Addresses as keys: everybody behind one address has one backend."""
    balance = f"{setup.system}.{type(getattr(setup.policies[-1], 'balance', None)).__name__}"
    stated = ("address_keys", "the address") if setup.facts.address_keys else ("", "")
    field, part = ADDRESSES.get(setup.kind, ADDRESSES.get(balance, stated))
    if not field or setup.size < 2:
        return
    share, fair = setup.facts.nat_share, 1.0 / setup.size
    if share is None:
        yield Finding(
            field,
            f"the key is {part}: all who share it, behind one NAT or proxy, go to one backend",
            "hash a cookie or a header; or state nat_share, to see whether it matters",
        )
    elif share > fair:
        yield Finding(
            field,
            f"one address has {share:.3g} of the requests, {share / fair:.3g} times the share of its backend",
            "hash a cookie or a header, or bound the load",
        )
