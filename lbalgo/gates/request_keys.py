"""Keys out of requests: header fields, cookies, attributes; for keyed policies, flow tables and hot-key sketches.

A function gives a key or None, so that ``or`` says what comes instead: ``header_key(h, "x-user") or client_key(ip)``.
A key that is missing must not become the key ``""``: all requests without it would go to one backend.

Costs: O(number of fields). Source: RFC 9110 5.1-5.3 (names in any case, repeated fields join by commas), RFC 6265 4.2
(the first cookie of a name is the most specific one).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from lbalgo.errors import ConfigError

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]


def header_key(headers: Headers, name: str) -> str | None:
    """The value of a header field, those of a repeated one joined by commas; None if absent or empty.

    Parameters
    ----------
    headers : a mapping, or pairs of name and value.
    name : in any case.

    Raises
    ------
    ConfigError : headers or name are something else.

    Cost: O(number of fields). Source: RFC 9110 5.2, 5.3.

    Examples
    --------
    >>> header_key([("X-User", "a"), ("x-user", " b ")], "x-user"), header_key({}, "x-user")
    ('a, b', None)
    """
    if not isinstance(name, str) or not name:
        raise ConfigError("name", name, "must be the name of a header field")
    wanted = name.lower()
    found = [value.strip() for field, value in _pairs(headers) if field.lower() == wanted]
    return ", ".join(found) or None


def cookie_value(headers: Headers, name: str) -> str | None:
    """The value of a cookie of the request; None if there is none, or it is empty.

    Parameters
    ----------
    headers : a mapping, or pairs of name and value.
    name : of the cookie; its case counts.

    Raises
    ------
    ConfigError : headers or name are something else.

    Cost: O(length of the Cookie fields). Source: RFC 6265 4.2, 5.4.

    Examples
    --------
    >>> cookie_value({"Cookie": 'a=1; sid="x=y"; sid=z'}, "sid")
    'x=y'
    """
    if not isinstance(name, str) or not name:
        raise ConfigError("name", name, "must be the name of a cookie")
    for field, value in _pairs(headers):
        if field.lower() == "cookie":
            for pair in value.split(";"):
                key, equals, content = pair.partition("=")
                if equals and key.strip() == name:
                    content = content.strip()
                    quoted = len(content) > 1 and content[0] == content[-1] == '"'
                    return (content[1:-1] if quoted else content) or None
    return None


def attribute_key(attributes: Mapping[str, object], *names: str) -> bytes | None:
    """A key of several attributes (tenant, user, model, …), told apart from every other choice of values.

    Parameters
    ----------
    attributes : name to value: str, bytes or int.
    names : which of them, one or more, in the order that counts.

    None if one is missing, None or empty: half a key would join strangers.

    Raises
    ------
    ConfigError : no names, or a value of another type.

    Cost: O(length of the values).

    Examples
    --------
    >>> attribute_key({"tenant": "a", "user": "bc"}, "tenant", "user") == attribute_key(
    ...     {"tenant": "ab", "user": "c"}, "tenant", "user"
    ... )
    False
    """
    if not isinstance(attributes, Mapping):
        raise ConfigError("attributes", attributes, "must be a mapping")
    if not names:
        raise ConfigError("names", names, "must be one or more names of attributes")
    parts: list[bytes] = []
    for name in names:
        value = attributes.get(name)
        if value is None or value in ("", b""):
            return None
        if isinstance(value, bool) or not isinstance(value, (str, bytes, int)):
            raise ConfigError(f"attributes[{name!r}]", value, "must be str, bytes or int")
        try:
            kind, raw = (b"b", value) if isinstance(value, bytes) else (b"t", str(value).encode())
        except UnicodeEncodeError:
            raise ConfigError(f"attributes[{name!r}]", value, "must have a UTF-8 form") from None
        parts.append(kind + len(raw).to_bytes(4, "big") + raw)  # with their lengths, so that none runs into the next
    return b"".join(parts)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    try:
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError
            pairs.append((name, value))
    except (TypeError, ValueError):
        raise ConfigError("headers", headers, "must be a mapping of names to values, or pairs of them") from None
    return pairs
