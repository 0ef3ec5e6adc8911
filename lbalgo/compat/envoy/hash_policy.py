"""Hash policies: each looks at one thing of a request and gives 64 bits, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from lbalgo.active import xxh64
from lbalgo.compat.envoy.regex import check_substitution, replace_all
from lbalgo.compat.envoy.request import Request
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, to_dict


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
KINDS: tuple[type[Any], ...] = (HeaderHash, CookieHash, QueryParameterHash, SourceIpHash, FilterStateHash)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(name, value, "must be a string")


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigError(name, value, "must be a non-empty string")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
