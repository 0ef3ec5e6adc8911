"""Backends as Varnish's directors are given them, and the 32-bit hash all of them use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_real, check_weight, from_dict, to_dict
from lbalgo.types import Bool, State
from lbalgo.view import View

H32 = "the last 4 bytes of SHA-256, little-endian"


@dataclass(frozen=True)
class Backend:
    """A backend of a director.

    Parameters
    ----------
    id : its name, unique in the director.
    weight : >= 0; to a `Shard` less than 1 is 1. `RoundRobin` and `Fallback` have no weights; 0 takes no traffic there.
    ident : what a `Shard` hashes into points; None for the name.
    rampup : seconds for which a `Shard` lets the backend warm up, None for the director's.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: Varnish 7.1 documentation, vmod_directors, "add_backend".

    Examples
    --------
    >>> Backend("web1", ident="10.0.0.1").weight
    1.0
    """

    id: str
    weight: float = 1.0
    ident: str | None = None
    rampup: float | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        check_weight("weight", self.weight)
        if self.ident is not None:
            check_id(self.ident, "ident")
        if self.rampup is not None:
            check_real("rampup", self.rampup, low=0.0)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Backend:
        """The backend `to_dict` described."""
        return from_dict(cls, data)


def backend_of(backend: Any) -> Backend:
    """What the directors know of a backend: itself, or one with the defaults.

    Examples
    --------
    >>> from lbalgo import Endpoint
    >>> backend_of(Endpoint("a", 2.0))
    Backend(id='a', weight=2.0, ident=None, rampup=None)
    """
    return backend if isinstance(backend, Backend) else Backend(backend.id, backend.weight)


def h32(*strings: str | bytes) -> int:
    """The hash of the `hash` and `shard` directors: the last four bytes of the SHA-256 of the strings, little-endian.

    Raises
    ------
    ConfigError : one of them is neither str nor bytes.

    Examples
    --------
    >>> hex(h32("/index.html"))
    '0x356da01c'
    >>> h32("/index", ".html") == h32(b"/index.html")
    True
    """
    for string in strings:
        if not isinstance(string, (str, bytes)):
            raise ConfigError("strings", string, "must be str or bytes")
    data = b"".join(s.encode() if isinstance(s, str) else s for s in strings)
    return int.from_bytes(hashlib.sha256(data).digest()[-4:], "little")


def healthy(view: View[Any]) -> Bool:
    """Who is not sick: neither UNHEALTHY nor DRAINING; Varnish knows nothing in between, nor a panic."""
    return np.asarray(view.states < State.UNHEALTHY)
