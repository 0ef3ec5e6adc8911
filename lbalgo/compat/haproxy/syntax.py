"""HAProxy's configuration language: lines of words, quotes, comments, sections.

A line is words between spaces and tabs; ``#`` begins a comment where a word may stand, or inside one. A backslash
before a space, ``#``, a backslash, a quote, or any of n, r, t, xHH stands for that character; before the end of a line
it joins the next. ``"weak quotes"`` keep spaces and let backslashes and environment variables through, ``'strong'``
ones keep everything. A line that begins with the name of a section opens it.

Costs: O(length). Source: HAProxy Configuration Manual, 2.1 to 2.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbalgo.errors import ConfigError

SECTIONS = {
    *("global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "mailers", "userlist", "program"),
    *("cache", "http-errors", "ring", "log-forward", "log-profile", "fcgi-app", "crt-store", "traces", "acme"),
}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
HEX = "0123456789abcdefABCDEF"


@dataclass(frozen=True)
class Line:
    """A line: its words, its number, and whether it reads the environment, which nobody here can."""

    words: tuple[str, ...]
    number: int
    environment: bool = False


@dataclass(frozen=True)
class Section:
    """A section: the line that opens it, and its lines."""

    head: Line
    lines: tuple[Line, ...]

    @property
    def kind(self) -> str:
        """``backend``, ``defaults``, …."""
        return self.head.words[0]

    @property
    def name(self) -> str:
        """Its name, "" if it has none."""
        return self.head.words[1] if len(self.head.words) > 1 and self.head.words[1] != "from" else ""

    @property
    def parent(self) -> str:
        """The defaults it is ``from``, "" if it does not say."""
        words = self.head.words
        return words[words.index("from") + 1] if "from" in words[1:-1] else ""

    @property
    def path(self) -> str:
        """What its fields' paths begin with."""
        return f"{self.kind}[{self.name}]" if self.name else self.kind


def sections(text: object) -> list[Section]:
    """The sections of a configuration, in order.

    Parameters
    ----------
    text : the configuration.

    Raises
    ------
    ConfigError : it is no text, is not well-formed, or begins outside of a section; the reason names the line.

    Examples
    --------
    >>> [found] = sections("backend app # comment\\n  balance uri\\n  server 's 1' 10.0.0.1:80")
    >>> found.path, [line.words for line in found.lines]
    ('backend[app]', [('balance', 'uri'), ('server', 's 1', '10.0.0.1:80')])
    """
    if not isinstance(text, str):
        raise ConfigError("text", text, "must be a string")
    found: list[tuple[Line, list[Line]]] = []
    for line in lines(text):
        if line.words[0] in SECTIONS:
            found.append((line, []))
        elif not found:
            raise ConfigError("text", line.words[0], f"line {line.number}: is outside of a section")
        else:
            found[-1][1].append(line)
    return [Section(head, tuple(inner)) for head, inner in found]


def lines(text: str) -> Iterator[Line]:
    """The lines that have words."""
    at, number = 0, 1
    while at < len(text):
        first = number
        words, environment, at, number = _words(text, at, number)
        if words:
            yield Line(tuple(words), first, environment)


def _words(text: str, at: int, number: int) -> tuple[list[str], bool, int, int]:
    words, word, environment = list[str](), None, False
    quote = ""
    while at < len(text):
        char, after = text[at], text[at + 1 : at + 2]
        at += 1
        if char == "\n":
            if quote:
                raise ConfigError("text", word, f"line {number}: the quote does not end")
            number += 1
            break
        if quote == "'":
            quote, word = ("", word) if char == "'" else (quote, (word or "") + char)
        elif char == "\\" and after == "\n":
            at, number = at + 1, number + 1
        elif char == "\\" and after:
            piece, at = _escape(text, at)
            word = (word or "") + piece
        elif char == '"':
            quote, word = ("", word) if quote else ('"', word or "")
        elif quote:
            environment = environment or char == "$"
            word = (word or "") + char
        elif char == "'":
            quote, word = "'", word or ""
        elif char == "#":
            while at < len(text) and text[at] != "\n":
                at += 1
        elif char in " \t\r":
            if word is not None:
                words.append(word)
                word = None
        else:
            word = (word or "") + char
    if quote:
        raise ConfigError("text", word, f"line {number}: the quote does not end")
    if word is not None:
        words.append(word)
    return words, environment, at, number


def _escape(text: str, at: int) -> tuple[str, int]:
    """What a backslash and what follows it at `at` stand for, and where it goes on."""
    char = text[at]
    if char == "x" and all(digit and digit in HEX for digit in (text[at + 1 : at + 2], text[at + 2 : at + 3])):
        return chr(int(text[at + 1 : at + 3], 16)), at + 3
    if char in ESCAPES:
        return ESCAPES[char], at + 1
    return (char if char in " #\\'\"$" else "\\" + char), at + 1


UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}


def milliseconds(text: str) -> float | None:
    """A time in HAProxy's notation, in milliseconds; None if it is none. Without a unit it is milliseconds.

    Examples
    --------
    >>> milliseconds("2s"), milliseconds("500"), milliseconds("1m30s")
    (2000.0, 500.0, None)
    """
    digits = text.rstrip("dhmsu")
    unit = text[len(digits) :] or "ms"
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12 and unit in UNITS):
        return None
    return int(digits) * UNITS[unit]
