"""Request hashes: how Envoy makes 64 bits of a request for RING_HASH and MAGLEV (`hash_policy`).

Each policy of the list looks at one thing and gives a hash or nothing: a header, a cookie, a query parameter, the
client's address, an object of the filter state. The first result is h; each further one r makes h = rotl(h, 1) ^ r, so
that the same header listed twice does not cancel out. After a policy marked `terminal` the rest is left out if there is
a hash by then. No result at all: the request goes anywhere, by a random word.

A ready hash goes to ``picker.slot(h)``, or is the key of a policy built with ``ready_hash=True``.

Source: Envoy 1.40 documentation, `route.v3.RouteAction.HashPolicy`; headers, cookies that are there, query parameters
and addresses are replayed, the generated cookie and the filter state are described only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.envoy.hash_policy import (
    KINDS,
    CookieHash,
    FilterStateHash,
    HashPolicy,
    HeaderHash,
    QueryParameterHash,
    SourceIpHash,
)
from lbalgo.compat.envoy.request import Request
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD
from lbalgo.spec import from_dict, to_dict


@dataclass(frozen=True)
class RequestHash:
    """A route's list of hash policies.

    Parameters
    ----------
    policies : in order.

    Raises
    ------
    ConfigError : something is no hash policy.

    Cost: one XXH64 a policy, a search for a header or cookie by all there are.
    Source: Envoy 1.40, `RouteAction.HashPolicy`; replayed.

    Examples
    --------
    >>> from lbalgo.active import xxh64
    >>> both = RequestHash((SourceIpHash(), HeaderHash("x-k")))
    >>> request = Request({"x-k": "a"}, source_ip="127.0.0.1")
    >>> ip = xxh64(b"127.0.0.1")
    >>> both.hash(request) == (ip << 1 & 2**64 - 1 | ip >> 63) ^ xxh64(b"a")
    True
    """

    policies: tuple[HashPolicy, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.policies, tuple) or not all(isinstance(p, KINDS) for p in self.policies):
            raise ConfigError("policies", self.policies, "must be a tuple of hash policies")

    def hash(self, request: Request) -> int | None:
        """The request's 64 bits, None if no policy gives any."""
        h: int | None = None
        for policy in self.policies:
            r = policy.hash(request)
            if r is not None:
                h = r if h is None else ((h << 1) & WORD | h >> 63) ^ r
            if policy.terminal and h is not None:
                break
        return h

    @classmethod
    def from_config(cls, policies: Iterable[Mapping[str, Any]]) -> RequestHash:
        """The list as Envoy's configuration has it.

        Raises
        ------
        ConfigError : a field is unknown, or none or several specifiers are set.

        Examples
        --------
        >>> RequestHash.from_config([{"cookie": {"name": "sid"}, "terminal": True}])
        RequestHash(policies=(CookieHash(name='sid', ttl=None, path='', terminal=True),))
        """
        return cls(tuple(_from_config(f"hash_policy[{i}]", p) for i, p in enumerate(policies)))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RequestHash:
        """The hash `to_dict` described."""

        def policies(given: Any) -> tuple[Any, ...]:
            kinds = {kind.__name__: kind for kind in KINDS}
            for p in given:
                if p.get("type") not in kinds:
                    raise ConfigError("type", p.get("type"), f"must be one of {', '.join(kinds)}")
            return tuple(from_dict(kinds[p["type"]], p) for p in given)

        return from_dict(cls, data, {"policies": policies})


def _from_config(path: str, config: Mapping[str, Any]) -> HashPolicy:
    kinds = [k for k in config if k != "terminal"]
    terminal = config.get("terminal", False)
    if len(kinds) != 1:
        raise ConfigError(path, dict(config), "must have one specifier")
    kind, given = kinds[0], dict(config[kinds[0]])
    made: HashPolicy | None = None
    if kind == "header":
        rewrite = dict(given.pop("regex_rewrite", None) or {})
        pattern = dict(rewrite.pop("pattern", None) or {})
        pattern.pop("google_re2", None)
        regex, substitution = pattern.pop("regex", None), rewrite.pop("substitution", "")
        made = HeaderHash(given.pop("header_name", ""), regex, substitution, terminal)
        given |= {f"regex_rewrite.{k}": v for k, v in rewrite.items()}
        given |= {f"regex_rewrite.pattern.{k}": v for k, v in pattern.items()}
    elif kind == "cookie":
        given.pop("attributes", None)  # of the cookie that is set; no part of the hash
        made = CookieHash(given.pop("name", ""), _seconds(given.pop("ttl", None)), given.pop("path", ""), terminal)
    elif kind == "query_parameter":
        made = QueryParameterHash(given.pop("name", ""), terminal)
    elif kind == "connection_properties" and given.pop("source_ip", False) is True:
        made = SourceIpHash(terminal)
    elif kind == "filter_state":
        made = FilterStateHash(given.pop("key", ""), terminal)
    if made is None:
        raise ConfigError(f"{path}.{kind}", config[kind], "is no hash policy")
    for field, value in given.items():
        raise ConfigError(f"{path}.{kind}.{field}", value, "is not known")
    return made


def _seconds(value: Any) -> float | None:
    """A duration, as JSON has it ("3.5s") or in seconds."""
    if isinstance(value, str):
        try:
            return float(value.removesuffix("s"))
        except ValueError:
            raise ConfigError("ttl", value, "must be a duration") from None
    return None if value is None else value
