"""Keys for whoever keeps them: their bytes (a str and its UTF-8 form are one key), and their form as plain data."""

from __future__ import annotations

from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.hashing import hash_key
from lbalgo.types import Key

WORD = (1 << 64) - 1


def raw_key(key: Key) -> bytes:
    """The bytes a key is hashed as.

    Examples
    --------
    >>> raw_key("a"), raw_key(97)
    (b'a', b'a\\x00\\x00\\x00\\x00\\x00\\x00\\x00')
    """
    if type(key) is bytes:
        return key
    if type(key) is int and 0 <= key <= WORD:
        return key.to_bytes(8, "little")
    if type(key) is not str:
        hash_key(key)  # refuses what is no key
    if isinstance(key, str):
        try:
            return key.encode()
        except UnicodeEncodeError:
            raise ConfigError("key", key, "must have a UTF-8 form") from None
    return bytes(key) if isinstance(key, (bytes, bytearray, memoryview)) else int(key).to_bytes(8, "little")


def written_key(key: Key) -> tuple[str, Any]:
    """A key as plain data: which of the three it is, and a string or a number.

    Examples
    --------
    >>> written_key(b"a"), read_key(*written_key(b"a"))
    (('bytes', '61'), b'a')
    """
    if isinstance(key, str):
        return "str", key
    return ("bytes", bytes(key).hex()) if isinstance(key, (bytes, bytearray, memoryview)) else ("int", int(key))


def read_key(kind: object, written: Any) -> Key:
    """The key that `written_key` wrote.

    Raises
    ------
    ConfigError : it is none.
    """
    try:
        if kind == "bytes" and isinstance(written, str):
            return bytes.fromhex(written)
        if (kind == "str" and type(written) is str) or (kind == "int" and type(written) is int):
            raw_key(written)
            return written
    except ValueError:  # a ConfigError of the key's is one
        pass
    raise ConfigError("state['keys']", [kind, written], "must begin with 'str', 'bytes' or 'int' and such a key")
