"""What HAProxy hashes: from a request's parts to the bytes, or the number, that decide.

Each rule turns what the picker is given as key (the request target, a header's value, an address, a sample) into the
sample that is hashed. A missing sample is None: the request then takes its turn instead. Only of headers an empty
value is missing too: an empty parameter, path or expression is hashed, to 0 by most functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.haproxy.hashing import HashType
from lbalgo.compat.haproxy.server import packed
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_id, check_integer, from_dict, to_dict


@dataclass(frozen=True)
class Source:
    """``balance source``: the client's address; the key is its 4 or 16 bytes (`source_key` makes them).

    The words of the address, big-endian, are combined by exclusive or. The hash *function* is not used, only the
    avalanche.

    Raises
    ------
    ConfigError : at pick, a key that is neither 4 nor 16 bytes.

    Source: HAProxy Configuration Manual, "balance source".

    Examples
    --------
    >>> hex(Source().digest(source_key("127.0.0.1"), HashType()))
    '0x7f000001'
    """

    def sample(self, key: bytes) -> bytes | None:
        """The address itself."""
        return key or None

    def digest(self, sample: bytes, hash_type: HashType) -> int:
        """The 32 bits that decide."""
        if len(sample) not in (4, 16):
            raise ConfigError("key", sample, "must be the 4 or 16 bytes of an address")
        value = 0
        for at in range(0, len(sample), 4):
            value ^= int.from_bytes(sample[at : at + 4], "big")
        return hash_type.finish(value)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


def source_key(address: str) -> bytes:
    """The key of an address, for `Source`.

    Raises
    ------
    ConfigError : it is no address.

    Examples
    --------
    >>> source_key("10.0.0.1")
    b'\\n\\x00\\x00\\x01'
    """
    return packed(address)


@dataclass(frozen=True)
class Uri:
    """``balance uri``: the request target, which is the key, up to its query.

    Parameters
    ----------
    whole : the query too.
    len : only so many bytes from the start, 0 for all.
    depth : only so many directories, that is up to and without the slash after them, 0 for all.
    path_only : without scheme and authority, if the target has any.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: HAProxy Configuration Manual, "balance uri".

    Examples
    --------
    >>> Uri().sample(b"/a/b/c?x=1"), Uri(depth=2).sample(b"/a/b/c"), Uri(len=2).sample(b"/a/b/c")
    (b'/a/b/c', b'/a/b', b'/a')
    >>> Uri(path_only=True, whole=True).sample(b"http://h/a?x")
    b'/a?x'
    """

    whole: bool = False
    len: int = 0
    depth: int = 0
    path_only: bool = False

    def __post_init__(self) -> None:
        check_bool("whole", self.whole)
        check_integer("len", self.len, low=0, high=2**31 - 1)
        check_integer("depth", self.depth, low=0, high=2**31 - 1)
        check_bool("path_only", self.path_only)

    def sample(self, key: bytes) -> bytes | None:
        """What of the target is hashed."""
        if self.path_only:
            key = path_of(key)
        if self.len:
            key = key[: self.len]
        if not self.whole:
            key = key.partition(b"?")[0]
        if self.depth:
            key = b"/".join(key.split(b"/")[: self.depth + 1])
        return key

    def digest(self, sample: bytes, hash_type: HashType) -> int:
        """The 32 bits that decide."""
        return hash_type.digest(sample)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


def path_of(target: bytes) -> bytes:
    """A request target from its path on: without scheme and authority.

    Examples
    --------
    >>> path_of(b"/a?b"), path_of(b"http://host:80/a/b?c"), path_of(b"http://host"), path_of(b"*")
    (b'/a?b', b'/a/b?c', b'', b'*')
    """
    if target.startswith(b"/") or b"://" not in target:
        return target
    rest = target.split(b"://", 1)[1]
    return rest[rest.index(b"/") :] if b"/" in rest else b""


@dataclass(frozen=True)
class UrlParam:
    """``balance url_param``: the value of a query parameter; the key is the request target.

    Parameters
    ----------
    name : of the parameter.

    Raises
    ------
    ConfigError : the name is no text.

    Parameters in a body (``check_post``) are the caller's: give the body as the query of the key.
    Source: HAProxy Configuration Manual, "balance url_param".

    Examples
    --------
    >>> UrlParam("uid").sample(b"/?a=1&uid=7&b=2"), UrlParam("uid").sample(b"/?xuid=7")
    (b'7', None)
    """

    name: str

    def __post_init__(self) -> None:
        check_id(self.name, "name")

    def sample(self, key: bytes) -> bytes | None:
        """The parameter's value, up to the next ``&``."""
        wanted = self.name.encode() + b"="
        for part in key.partition(b"?")[2].split(b"&"):
            if part.startswith(wanted):
                return part[len(wanted) :]
        return None

    def digest(self, sample: bytes, hash_type: HashType) -> int:
        """The 32 bits that decide."""
        return hash_type.digest(sample)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class Hdr:
    """``balance hdr(name)``: the first comma-separated value of a header; the key is the header's value.

    Parameters
    ----------
    name : of the header, for whoever makes the key.
    use_domain_only : only the label before the last dot; the whole value if it has no dot.

    Raises
    ------
    ConfigError : a field is of another type.

    Source: HAProxy Configuration Manual, "balance hdr".

    Examples
    --------
    >>> Hdr("x").sample(b"a, b"), Hdr("host", use_domain_only=True).sample(b"h1.dom2.tld0.org")
    (b'a', b'tld0')
    """

    name: str = "host"
    use_domain_only: bool = False

    def __post_init__(self) -> None:
        check_id(self.name, "name")
        check_bool("use_domain_only", self.use_domain_only)

    def sample(self, key: bytes) -> bytes | None:
        """What of the value is hashed."""
        value = first_value(key)
        last = value.rfind(b".")
        if self.use_domain_only and last > 0:
            value = value[
                value.rfind(b".", 0, last - 1) + 1 : last
            ]  # the byte before the last dot belongs to it always
        return value or None

    def digest(self, sample: bytes, hash_type: HashType) -> int:
        """The 32 bits that decide."""
        return hash_type.digest(sample)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


def first_value(header: bytes) -> bytes:
    """The first comma-separated value of a header, without the blanks around it; commas in quotes separate nothing.

    Examples
    --------
    >>> first_value(b" a , b"), first_value(b'"a,b",c'), first_value(b",a")
    (b'a', b'"a,b"', b'')
    """
    quoted, at = False, 0
    while at < len(header) and (quoted or header[at : at + 1] != b","):
        if header[at : at + 1] == b'"':
            quoted = not quoted
        at += 2 if quoted and header[at : at + 1] == b"\\" else 1
    return header[:at].strip(b" \t")


@dataclass(frozen=True)
class Expr:
    """``balance hash <expr>`` (2.6 and later): the key is the sample that the expression gives.

    Parameters
    ----------
    text : the expression, for whoever evaluates it.

    Raises
    ------
    ConfigError : the text is none.

    Source: HAProxy Configuration Manual, "balance hash".

    Examples
    --------
    >>> Expr("req.fhdr(x-key)").sample(b"abc"), Expr("req.fhdr(x-key)").sample(b"")
    (b'abc', b'')
    """

    text: str = "src"

    def __post_init__(self) -> None:
        check_id(self.text, "text")

    def sample(self, key: bytes) -> bytes | None:
        """The key."""
        return key

    def digest(self, sample: bytes, hash_type: HashType) -> int:
        """The 32 bits that decide."""
        return hash_type.digest(sample)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


Rule = Source | Uri | UrlParam | Hdr | Expr
RULES: dict[str, type[Any]] = {kind.__name__: kind for kind in (Source, Uri, UrlParam, Hdr, Expr)}


def check_rule(value: object) -> None:
    """Refuses what is no rule for keys."""
    if not isinstance(value, tuple(RULES.values())):
        raise ConfigError("balance", value, f"must be one of {', '.join(RULES)}")


def rule_from_dict(data: Any) -> Any:
    """The rule that plain data describe, or `data` itself if it is one already.

    Raises
    ------
    ConfigError : there is no such rule, or a field is invalid.
    """
    if not isinstance(data, Mapping):
        return data
    kind = RULES.get(str(data.get("type")))
    if kind is None:
        raise ConfigError("balance", data.get("type"), f"must be one of {', '.join(RULES)}")
    return from_dict(kind, data)
