"""The request's hash by the route's hash policies, as gRPC reads them from xDS (A42).

Policies are applied in order. A header's values are joined with commas, rewritten, and hashed with XXH64; the channel's
id hashes the same way, so that all requests of a channel agree. Results combine by rotating the hash so far left by one
and adding the next without carry; after a policy marked terminal that left a hash, the rest is not looked at. No result
at all means a random hash. Cookies, query parameters, source addresses and other filter state yield nothing in gRPC.

Costs: O(policies + bytes). Described only. Source: gRPC A42.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbalgo.active import xxh64
from lbalgo.compat.grpc.ring_hash import header_key
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool

WORD = 2**64 - 1


@dataclass(frozen=True)
class HeaderHash:
    """A hash policy of a header.

    Parameters
    ----------
    header_name : the header, in lower case; a binary one (``-bin``) yields nothing.
    regex : what `substitution` replaces wherever it matches, "" for nothing (RE2 in gRPC; Python's here).
    substitution : with ``\\1`` to ``\\9`` for groups and ``\\0`` for the whole match.
    terminal : whether later policies are not looked at if there is a hash after this one.

    Raises
    ------
    ConfigError : a field is of another type, or `regex` is no regular expression.

    Source: gRPC A42.
    """

    header_name: str
    regex: str = ""
    substitution: str = ""
    terminal: bool = False

    def __post_init__(self) -> None:
        for name in ("header_name", "regex", "substitution"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(name, getattr(self, name), "must be a string")
        try:
            re.compile(self.regex)
        except re.error as error:
            raise ConfigError("regex", self.regex, f"must be a regular expression: {error}") from None
        check_bool("terminal", self.terminal)

    def result(self, headers: Mapping[str, str | list[str]], channel_id: int) -> int | None:
        """The hash of the header; None if it is absent."""
        if self.header_name.endswith("-bin"):
            return None
        value = header_key(headers, self.header_name)
        if value is None:
            return None
        if self.regex:
            value = re.sub(self.regex, self._substitute, value)
        return xxh64(value.encode())

    def _substitute(self, match: re.Match[str]) -> str:
        def group(digit: re.Match[str]) -> str:
            number = int(digit[1]) if digit[1].isdigit() else -1
            return (match[number] or "" if number <= len(match.groups()) else "") if number >= 0 else digit[1]

        return re.sub(r"\\(.)", group, self.substitution)


@dataclass(frozen=True)
class ChannelIdHash:
    """The hash policy of the filter state ``io.grpc.channel_id``: a random number a channel.

    Parameters
    ----------
    terminal : whether later policies are not looked at.

    Source: gRPC A42.
    """

    terminal: bool = False

    def result(self, headers: Mapping[str, str | list[str]], channel_id: int) -> int | None:
        """The channel's number."""
        return channel_id


@dataclass(frozen=True)
class OtherHash:
    """A hash policy that gRPC does not support (cookie, source address, query parameter, …), which yields nothing.

    Parameters
    ----------
    terminal : whether later policies are not looked at if there is a hash already.

    Source: gRPC A42.
    """

    terminal: bool = False

    def result(self, headers: Mapping[str, str | list[str]], channel_id: int) -> int | None:
        """Nothing."""
        return None


def route_hash(
    policies: Sequence[HeaderHash | ChannelIdHash | OtherHash],
    headers: Mapping[str, str | list[str]],
    channel_id: int = 0,
) -> int | None:
    """The hash of a request; None where gRPC draws one at random.

    Parameters
    ----------
    policies : of the route, in order.
    headers : lower-case name to value or values.
    channel_id : the channel's random number, in [0, 2**64).

    Examples
    --------
    >>> route_hash([HeaderHash("user")], {"user": "a"}) == xxh64(b"a")
    True
    >>> route_hash([HeaderHash("user"), ChannelIdHash()], {}, channel_id=7)
    7
    """
    combined: int | None = None
    for policy in policies:
        result = policy.result(headers, channel_id)
        if result is not None:
            combined = result if combined is None else ((combined << 1 | combined >> 63) & WORD) ^ result
        if policy.terminal and combined is not None:
            break
    return combined
