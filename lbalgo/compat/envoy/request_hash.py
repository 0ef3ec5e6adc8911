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
from typing import Any, TypeAlias

from lbalgo.active import xxh64
from lbalgo.compat.envoy.regex import check_substitution, replace_all
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD
from lbalgo.spec import check_bool, from_dict, to_dict


@dataclass(frozen=True)
class Request:
    """What hash policies can see of a request.

    Parameters
    ----------
    headers : pairs of name and value, or a mapping; names in any case, a name may occur again.
    path : request target, with its query string.
    source_ip : the client's address without port; if None, that of `remote_address`; None there too: not an IP client.
    remote_address, local_address : both ends of the client's connection, ``"ip:port"``; only for generated cookies.
    filter_state : object name to its 64-bit hash, or to a string, which hashes by XXH64.

    Raises
    ------
    ConfigError : a field is of another type.

    Examples
    --------
    >>> Request({"X-User": "a"}, "/p?q=1").values("x-user")
    ['a']
    """

    headers: Any = ()
    path: str = "/"
    source_ip: str | None = None
    remote_address: str | None = None
    local_address: str | None = None
    filter_state: Any = ()

    def __post_init__(self) -> None:
        for name in ("headers", "filter_state"):
            pairs = getattr(self, name)
            pairs = tuple((p[0], p[1]) for p in (pairs.items() if isinstance(pairs, Mapping) else pairs))
            kinds = (str, bytes) if name == "headers" else (str, int)
            if not all(isinstance(k, str) and isinstance(v, kinds) and not isinstance(v, bool) for k, v in pairs):
                raise ConfigError(name, pairs, "must be pairs of a name and a value")
            object.__setattr__(self, name, pairs)
        for name in ("path", "source_ip", "remote_address", "local_address"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "path"):
                raise ConfigError(name, value, "must be a string")

    def values(self, name: str) -> list[str]:
        """The values of a header, in order; bytes that are not UTF-8 are kept by surrogates."""
        return [_text(value) for key, value in self.headers if key.lower() == name.lower()]

    def cookie(self, name: str) -> str:
        """The value of the first cookie of this name, without its quotes; empty if there is none."""
        for line in self.values("cookie"):
            for part in line.split(";"):
                key, equals, value = part.strip(" \t").partition("=")
                if equals and key == name:
                    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        return ""

    def query_parameter(self, name: str) -> str | None:
        """The first value of a query parameter, as it stands, not decoded; None if it is not there."""
        for part in self.path.partition("?")[2].split("&"):
            key, _, value = part.partition("=")
            if key == name and part:
                return value
        return None

    def client(self) -> str | None:
        """The client's IP address, if it has one."""
        if self.source_ip is not None or self.remote_address is None:
            return self.source_ip
        host, colon, _ = self.remote_address.rpartition(":")
        return host.strip("[]") if colon else None


@dataclass(frozen=True)
class HeaderHash:
    r"""All values of a header, rewritten, sorted by their bytes, hashed one with the hash of those before as seed.

    Parameters
    ----------
    header_name : in any case.
    regex, substitution : `regex_rewrite`, RE2's replace-all on each value; None leaves them as they are.
    terminal : whether later policies are left out if there is a hash.

    Examples
    --------
    >>> HeaderHash("x-k", "^key-([0-9]+)$", r"\1").hash(Request({"x-k": "key-7"})) == xxh64(b"7")
    True
    """

    header_name: str
    regex: str | None = None
    substitution: str = ""
    terminal: bool = False

    def __post_init__(self) -> None:
        _check_name("header_name", self.header_name)
        if self.regex is not None:
            _check_text("regex", self.regex)
            _check_text("substitution", self.substitution)
            check_substitution(self.regex, self.substitution)
        check_bool("terminal", self.terminal)

    def hash(self, request: Request) -> int | None:
        """The hash, None if the header is missing."""
        values = request.values(self.header_name)
        if not values:
            return None
        if self.regex is not None:
            values = [replace_all(self.regex, self.substitution, value) for value in values]
        h = 0
        for data in sorted(_bytes(value) for value in values):
            h = xxh64(data, h)
        return h

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class CookieHash:
    """A cookie's value; with a `ttl` a missing cookie is generated from the connection's addresses.

    Parameters
    ----------
    name : of the cookie.
    ttl : seconds the generated cookie lives, 0 for a session; None generates none.
    path : of the generated cookie; does not matter to the hash.
    terminal : whether later policies are left out if there is a hash.

    Examples
    --------
    >>> CookieHash("sid").hash(Request({"cookie": "a=1; sid=s0"})) == xxh64(b"s0")
    True
    """

    name: str
    ttl: float | None = None
    path: str = ""
    terminal: bool = False

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        if self.ttl is not None and (isinstance(self.ttl, bool) or not isinstance(self.ttl, (int, float))):
            raise ConfigError("ttl", self.ttl, "must be a number of seconds or None")
        _check_text("path", self.path)
        check_bool("terminal", self.terminal)

    def hash(self, request: Request) -> int | None:
        """The hash, None if there is no cookie and none is generated."""
        value = request.cookie(self.name)
        if value:
            return xxh64(_bytes(value))
        return None if self.ttl is None else xxh64(self.generated(request).encode())

    def generated(self, request: Request) -> str:
        """The cookie Envoy would set: 16 hexadecimal digits of the hash of both addresses (described only)."""
        if request.remote_address is None or request.local_address is None:
            raise ConfigError("remote_address", request.remote_address, "and local_address make the missing cookie")
        return f"{xxh64((request.remote_address + request.local_address).encode()):016x}"

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class QueryParameterHash:
    """The first value of a query parameter, an empty one too.

    Parameters
    ----------
    name : of the parameter, case-sensitive.
    terminal : whether later policies are left out if there is a hash.

    Examples
    --------
    >>> QueryParameterHash("q").hash(Request(path="/p?z=1&q=a&q=b")) == xxh64(b"a")
    True
    """

    name: str
    terminal: bool = False

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        check_bool("terminal", self.terminal)

    def hash(self, request: Request) -> int | None:
        """The hash, None if the parameter is missing."""
        value = request.query_parameter(self.name)
        return None if value is None else xxh64(_bytes(value))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class SourceIpHash:
    """The client's address as text, without its port.

    Parameters
    ----------
    terminal : whether later policies are left out if there is a hash.

    Examples
    --------
    >>> SourceIpHash().hash(Request(source_ip="127.0.0.1")) == xxh64(b"127.0.0.1")
    True
    """

    terminal: bool = False

    def __post_init__(self) -> None:
        check_bool("terminal", self.terminal)

    def hash(self, request: Request) -> int | None:
        """The hash, None if the client has no IP address."""
        client = request.client()
        return xxh64(client.encode()) if client else None

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class FilterStateHash:
    """The hash an object of the filter state has of itself (described only).

    Parameters
    ----------
    key : the object's name.
    terminal : whether later policies are left out if there is a hash.

    Examples
    --------
    >>> FilterStateHash("k").hash(Request(filter_state={"k": 5}))
    5
    """

    key: str
    terminal: bool = False

    def __post_init__(self) -> None:
        _check_name("key", self.key)
        check_bool("terminal", self.terminal)

    def hash(self, request: Request) -> int | None:
        """The hash, None if there is no such object."""
        found = dict(request.filter_state).get(self.key)
        return xxh64(_bytes(found)) if isinstance(found, str) else found

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


HashPolicy: TypeAlias = HeaderHash | CookieHash | QueryParameterHash | SourceIpHash | FilterStateHash
_KINDS: tuple[type[Any], ...] = (HeaderHash, CookieHash, QueryParameterHash, SourceIpHash, FilterStateHash)


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
    >>> both = RequestHash((SourceIpHash(), HeaderHash("x-k")))
    >>> request = Request({"x-k": "a"}, source_ip="127.0.0.1")
    >>> ip = xxh64(b"127.0.0.1")
    >>> both.hash(request) == (ip << 1 & 2**64 - 1 | ip >> 63) ^ xxh64(b"a")
    True
    """

    policies: tuple[HashPolicy, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.policies, tuple) or not all(isinstance(p, _KINDS) for p in self.policies):
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
            kinds = {kind.__name__: kind for kind in _KINDS}
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


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(name, value, "must be a string")


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigError(name, value, "must be a non-empty string")


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
