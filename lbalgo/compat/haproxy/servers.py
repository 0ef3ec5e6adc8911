"""``server`` and ``default-server`` lines, word by word."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from lbalgo.compat.config import Account
from lbalgo.compat.haproxy.health import Check, Observe, OnError
from lbalgo.compat.haproxy.keywords import SERVER
from lbalgo.compat.haproxy.server import HashKey, Server
from lbalgo.compat.haproxy.syntax import milliseconds
from lbalgo.errors import ConfigError

NUMBERS = {"weight": "weight", "id": "puid", "maxconn": "maxconn", "minconn": "minconn", "maxqueue": "maxqueue"}
COUNTS = {"rise": "rise", "fall": "fall", "error-limit": "error_limit"}
TIMES = {"inter": "inter", "fastinter": "fastinter", "downinter": "downinter"}
CHOICES: dict[str, tuple[str, Any]] = {"observe": ("observe", Observe), "on-error": ("on_error", OnError)}
FLAGS = {  # word to option and value
    "backup": ("backup", True),
    "no-backup": ("backup", False),
    "check": ("check", True),
    "no-check": ("check", False),
    "agent-check": ("agent", True),
    "no-agent-check": ("agent", False),
    "disabled": ("disabled", True),
    "enabled": ("disabled", False),
}
Options = dict[str, Any]


def read_options(words: Sequence[str], path: str, account: Account) -> Options:
    """What the words after a server's address, or after ``default-server``, set.

    Raises
    ------
    ConfigError : a word has no value, or not a valid one.
    """
    options: Options = {}
    at = 0
    while at < len(words):
        word = words[at]
        field, after = f"{path}.{word}", words[at + 1 : at + 2]
        at += 1
        if word in FLAGS:
            name, options[name] = FLAGS[word][0], FLAGS[word][1]
            account.honour(field)
        elif word in SERVER:
            extra = SERVER[word][0]
            if len(words) < at + extra:
                raise ConfigError(field, None, "has no value")
            account.ignore(field)
            at += extra
        elif word == "source":  # an address, then perhaps words of its own
            at = _source(words, at, field, account)
        elif (
            word in NUMBERS
            or word in COUNTS
            or word in TIMES
            or word in CHOICES
            or word in ("slowstart", "hash-key", "guid")
        ):
            if not after:
                raise ConfigError(field, None, "has no value")
            name, value = _value(word, after[0], field)
            options[name] = value
            account.honour(field)
            at += 1
        else:
            account.refuse(field)
    return options


def _source(words: Sequence[str], at: int, field: str, account: Account) -> int:
    if at == len(words):
        raise ConfigError(field, None, "has no value")
    account.ignore(field)
    at += 1
    while at + 1 < len(words) and words[at] in ("usesrc", "interface"):
        at += 2
    return at


def _value(word: str, text: str, field: str) -> tuple[str, Any]:
    if word in NUMBERS or word in COUNTS:
        return (NUMBERS | COUNTS)[word], number(field, text)
    if word in TIMES or word == "slowstart":
        time = milliseconds(text)
        if time is None:
            raise ConfigError(field, text, "must be a time")
        return TIMES.get(word, word), time / 1000
    if word == "guid":
        return "guid", text
    name, kind = ("hash_key", HashKey) if word == "hash-key" else CHOICES[word]
    try:
        return name, kind(text)
    except ValueError:
        raise ConfigError(field, text, f"must be one of {', '.join(member.value for member in kind)}") from None


def number(field: str, text: str) -> int:
    """A number of a configuration; else ConfigError naming the field."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ConfigError(field, text, "must be a number")
    return int(text)


def make_server(name: str, address: str, options: Options, path: str) -> Server:
    """The server of a line; errors name the line's field.

    Raises
    ------
    ConfigError : a value is out of range.
    """
    given = dict(options)
    given.pop("agent", None)
    given.pop("disabled", None)
    checking = {
        key: given.pop(key) for key in (*COUNTS.values(), *TIMES.values(), "observe", "on_error") if key in given
    }
    checked = given.pop("check", False)
    host, port = split_address(address)
    try:
        check = Check(**checking) if checked else None
        return Server(name, addr=host, port=port, check=check, **given)
    except ConfigError as error:
        raise ConfigError(f"{path}.{error.parameter}", error.value, error.why) from None


def split_address(text: str) -> tuple[str | None, int]:
    """The IP address of a server, None if it is a name or a path, and its port, 0 if it has none.

    Examples
    --------
    >>> split_address("10.0.0.1:80"), split_address("[::1]:80"), split_address("ipv4@web:80"), split_address("/run/x")
    (('10.0.0.1', 80), ('::1', 80), (None, 80), (None, 0))
    """
    for prefix in ("ipv4@", "ipv6@"):
        text = text.removeprefix(prefix)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        host, port = text, "0"
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None, int(port)
    return host, int(port)
