"""What a hashing ``balance`` line hashes: its words, read.

Source: HAProxy Configuration Manual, "balance".
"""

from __future__ import annotations

import re
from typing import Any

from lbalgo.compat.haproxy.keys import Expr, Hdr, Source, Uri, UrlParam
from lbalgo.compat.haproxy.servers import number


def rule_of(path: str, name: str, rest: tuple[str, ...]) -> Any:
    """What a hashing algorithm hashes; None if it is none, or not understood."""
    if name == "source" and not rest:
        return Source()
    if name == "uri":
        return _uri(path, rest)
    if name == "url_param" and len(rest) == 1:
        return UrlParam(rest[0])
    header = re.fullmatch(r"hdr\(([^)]+)\)", name)
    if header and rest in ((), ("use_domain_only",)):
        return Hdr(header[1].lower(), bool(rest))
    if name == "hash" and rest:
        return Expr(" ".join(rest))
    return None


def _uri(path: str, rest: tuple[str, ...]) -> Any:
    fields: dict[str, Any] = {}
    at = 0
    while at < len(rest):
        word = rest[at]
        if word in ("whole", "path-only"):
            fields[word.replace("-", "_")] = True
        elif word in ("len", "depth") and at + 1 < len(rest):
            at += 1
            fields[word] = number(f"{path}.{word}", rest[at])
        else:
            return None
        at += 1
    return Uri(**fields)
