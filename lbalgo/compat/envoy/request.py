"""`Request`: what Envoy's hash policies can see of a request, and how they read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError


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


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
