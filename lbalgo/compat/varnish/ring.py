"""The shard director's ring: points, keys, and no wrap-around.

A backend has int(replicas x weight) points, where a weight below 1 counts as 1, 0 too: H32 of its ident followed by 0,
1, 2, … in decimal. (The documentation counts from 1; the program counts from 0.) A key belongs to the first point at or
after it, and a key beyond the last point to the *last* point: there the program does not wrap around, contrary to its
documentation. From that point on the backends follow in the order of their points, around the circle, each once.

A ring of exactly two points is odd: there the program's search always ends at the second, so one backend gets all keys.

As data: 32-bit points in the upper half of the native ring, and one point more, at the very end, that belongs to the
owner of the last: that is the missing wrap. Equal points keep the order in which backends were added.

Costs: one SHA-256 a point and a sort; memory 28 to 44 bytes a point.
Source: Varnish 7.1 documentation, vmod_directors, "shard"; behaviour of 7.1.1.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from lbalgo.active import Ring, numbered32
from lbalgo.columns import DIGESTS
from lbalgo.compat.varnish.backend import H32, h32
from lbalgo.explaining import Steps, hash_step

REPLICAS = 67  # Varnish's default
END = (1 << 64) - 1
SHA256 = DIGESTS.index("sha256")


class By(enum.Enum):
    """What the key is: what the parameter ``by`` of ``.backend()`` says.

    KEY and URL are texts, hashed with `h32`; HASH is the 32 bytes of an object's digest (the first four count; on the
    client side Varnish takes the URL instead); BLOB is bytes of which the first four count, filled with zeros on the
    left. Both are read big-endian: ``(1234).to_bytes(4)`` as a BLOB is the number 1234.

    Examples
    --------
    >>> By("url")
    <By.URL: 'url'>
    """

    KEY = "key"
    URL = "url"
    HASH = "hash"
    BLOB = "blob"


def text_ticket(key: bytes) -> int:
    """The hash of a text in the upper half of a ticket."""
    return h32(key) << 32


def number_ticket(key: bytes) -> int:
    """The first four bytes, big-endian, in the upper half of a ticket."""
    return int.from_bytes(key[:4], "big") << 32


TEXTS = (By.KEY, By.URL)
TICKETS = {By.KEY: text_ticket, By.URL: text_ticket, By.HASH: number_ticket, By.BLOB: number_ticket}


def explain_key(by: By, data: bytes) -> Steps:
    """The hash of a key, or the number that it is."""
    return [hash_step(TICKETS[by](data) >> 32, H32 if by in TEXTS else "its first 4 bytes, big-endian")]


def points_of(idents: Sequence[str], counts: Sequence[int]) -> Any:
    """The points of backends, 32 bits each, one backend's after the other's.

    Examples
    --------
    >>> points_of(["a", "b"], [2, 1]).tolist() == [h32("a0"), h32("a1"), h32("b0")]
    True
    """
    return numbered32(SHA256, idents, counts)


def ring_of(
    idents: Sequence[str], weights: Sequence[float], replicas: int, usable: Sequence[bool] | None = None
) -> Ring:
    """The ring of these backends, or of the usable ones.

    Of equal points the one added first comes first, as a stable sort leaves them. Whoever is not usable has no points,
    which is what walking past it comes to. Keys beyond the last point of *all* are its owner's; if that one is not
    usable, they go on around the circle. Two points lie both at the very end, the second first.
    """
    counts = [int(replicas * max(weight, 1.0)) for weight in weights]
    owners = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    places = points_of(idents, counts).astype(np.uint64) << np.uint64(32)
    if len(places) == 2:  # whatever the key, the last point comes first
        places, owners = np.full(2, END, dtype=np.uint64), owners[:: 1 if places[1] < places[0] else -1]
    else:
        last = len(places) - 1 - int(places[::-1].argmax())  # of equal ones the one added last
        places, owners = np.append(places, np.uint64(END)), np.append(owners, owners[last])
    if usable is not None:
        kept = np.asarray(usable)[owners]
        places, owners = places[kept], owners[kept]
    return Ring(places, owners, len(counts))
