"""Sealed session values: 32 bytes made opaque and tamper-proof, for a cookie that a client carries and cannot use.

Deterministic authenticated encryption from one primitive, HMAC-SHA-256, in the SIV arrangement: the tag is a MAC of all
that is bound and of the plain bytes; the same tag, under a second key, gives the stream that covers the plain bytes.
No nonce has to be found: two values are equal only if all that is in them is. The tag's 128 bits are what a forger has
to guess. Bound besides are the version, the pool's name and a context of the caller's (a user, a client network): a
value brought to another pool, or by somebody else, is as false as a forged one.

Keys rotate: the first seals, all open. A new secret is added at the end everywhere, then moved to the front everywhere,
and the old one is dropped when its last values have expired.

Costs: seal and open two HMACs each; open one more pair for each older secret that does not fit.
Source: Rogaway and Shrimpton, "A Provable-Security Treatment of the Key-Wrap Problem", 2006 (SIV); RFC 2104 (HMAC).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from lbalgo.errors import ConfigError

VERSION = b"\x01"
SHORTEST = 16  # bytes of a secret: 128 bits
MOST = 8  # secrets: a forged value costs two HMACs for each of them
TAG, PLAIN = 16, 32  # bytes; one HMAC covers 32
LENGTH = 66  # characters of base64 for version, tag and 32 bytes


class Seal:
    """Seals and opens values of 32 bytes.

    Parameters
    ----------
    secrets : one to eight, of 16 bytes or more; the first seals, all open.
    pool : the name that values are bound to.

    Raises
    ------
    ConfigError : a secret is no such bytes (it is not shown), or one occurs twice.

    Examples
    --------
    >>> seal = Seal([b"0123456789abcdef"], "web")
    >>> value = seal.close(bytes(32), b"")
    >>> len(value), seal.open(value, b"") == bytes(32), seal.open(value, b"another"), seal.open("x" + value[1:], b"")
    (66, True, None, None)
    """

    __slots__ = ("_bound", "_keys")

    def __init__(self, secrets: Sequence[bytes], pool: str) -> None:
        if isinstance(secrets, (bytes, bytearray, str)) or not isinstance(secrets, Sequence):
            raise ConfigError("secrets", "(not shown)", "must be a list of secrets, not one")
        if not 1 <= len(secrets) <= MOST:
            raise ConfigError("secrets", f"({len(secrets)}, not shown)", f"must be 1 to {MOST} secrets")
        for k, secret in enumerate(secrets):
            if not isinstance(secret, bytes) or len(secret) < SHORTEST:
                raise ConfigError(f"secrets[{k}]", "(not shown)", f"must be {SHORTEST} bytes or more")
            if secret in secrets[:k]:
                raise ConfigError(f"secrets[{k}]", "(not shown)", "occurs twice")
        self._bound = VERSION + _prefixed(pool.encode())
        self._keys = [(_derived(secret, b"tag"), _derived(secret, b"stream")) for secret in secrets]

    def close(self, plain: bytes, context: bytes) -> str:
        """The sealed value of 32 bytes, in 66 characters of base64url."""
        tagging, streaming = self._keys[0]
        tag = self._tag(tagging, plain, context)
        return base64.urlsafe_b64encode(VERSION + tag + _covered(streaming, tag, plain)).rstrip(b"=").decode()

    def open(self, value: str | bytes, context: bytes) -> bytes | None:
        """The 32 bytes of a value that was sealed for this pool and context; None of anything else, whatever it is."""
        if len(value) != LENGTH:
            return None
        try:
            text = value.encode("ascii") if isinstance(value, str) else value
            raw = base64.b64decode(text + b"==", altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        if raw[:1] != VERSION or base64.urlsafe_b64encode(raw).rstrip(b"=") != text:  # one spelling only
            return None
        tag, covered = raw[1 : 1 + TAG], raw[1 + TAG :]
        for tagging, streaming in self._keys:
            plain = _covered(streaming, tag, covered)
            if hmac.compare_digest(self._tag(tagging, plain, context), tag):
                return plain
        return None

    def _tag(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        return hmac.digest(key, self._bound + _prefixed(context) + plain, "sha256")[:TAG]


def _derived(secret: bytes, use: bytes) -> bytes:
    """A key of its own for each use of a secret."""
    return hmac.digest(secret, b"lbalgo sealed session: " + use, "sha256")


def _covered(key: bytes, tag: bytes, data: bytes) -> bytes:
    stream = int.from_bytes(hmac.digest(key, tag, "sha256"), "big")
    return (int.from_bytes(data, "big") ^ stream).to_bytes(PLAIN, "big")


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
