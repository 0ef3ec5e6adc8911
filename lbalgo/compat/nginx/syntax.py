"""nginx's configuration language: words, quotes, comments, and directives that end with ``;`` or have a block.

A word ends at a space, ``;``, ``{`` or ``}``; a ``${`` in a word goes on to its ``}``. A quoted word may hold all of
these, and must be followed by a space, ``;``, ``{`` or ``)``. A backslash before a quote, a backslash, or any of t, r
and n stands for what it does in C; before anything else it stays. A ``#`` at the beginning of a word comments the line.

Costs: O(length). Source: nginx documentation, "Configuration file's structure".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lbalgo.errors import ConfigError

DEEPEST = 64  # blocks within blocks
ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}
SPACES = " \t\r\n"


@dataclass(frozen=True)
class Directive:
    """A directive: its name, arguments, line, and the directives of its block (None if it has none)."""

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] | None = None


@dataclass
class _Open:
    """A block that is being read."""

    head: Directive | None
    inner: list[Directive] = field(default_factory=list)


def parse(text: object) -> tuple[Directive, ...]:
    """The directives of a configuration.

    Parameters
    ----------
    text : the configuration.

    Raises
    ------
    ConfigError : it is no text, or is not well-formed; the reason names the line.

    Examples
    --------
    >>> parse('upstream api { server "a b"; } # comment')[0].block
    (Directive(name='server', args=('a b',), line=1, block=None),)
    """
    if not isinstance(text, str):
        raise ConfigError("text", text, "must be a string")
    stack, words, started = [_Open(None)], list[str](), 1
    line = 1
    for token, line, quoted in _tokens(text):
        if quoted or token not in (";", "{", "}"):
            started = started if words else line
            words.append(token)
        elif token == "}":
            if words:
                raise ConfigError("text", words[0], f"line {started}: directive is not terminated by ';'")
            if len(stack) == 1:
                raise ConfigError("text", "}", f"line {line}: no block is open")
            done = stack.pop()
            assert done.head is not None
            head = done.head
            stack[-1].inner.append(Directive(head.name, head.args, head.line, tuple(done.inner)))
        elif not words:
            raise ConfigError("text", token, f"line {line}: a directive was expected")
        else:
            directive = Directive(words[0], tuple(words[1:]), started)
            words = []
            if token == ";":
                stack[-1].inner.append(directive)
            elif len(stack) == DEEPEST:
                raise ConfigError("text", directive.name, f"line {line}: more than {DEEPEST} blocks within blocks")
            else:
                stack.append(_Open(directive))
    if words:
        raise ConfigError("text", words[0], f"line {started}: directive is not terminated by ';'")
    if len(stack) > 1:
        head = stack[-1].head or Directive("", (), line)
        raise ConfigError("text", head.name, f"line {head.line}: its block is not closed")
    return tuple(stack[0].inner)


def _tokens(text: str) -> Iterator[tuple[str, int, bool]]:
    """Words and punctuation, with their line, and whether they were quoted."""
    at, line, end = 0, 1, len(text)
    while at < end:
        char = text[at]
        if char in SPACES:
            line += char == "\n"
            at += 1
        elif char == "#":
            while at < end and text[at] != "\n":
                at += 1
        elif char in ";{}":
            yield char, line, False
            at += 1
        elif char in "\"'":
            word, at, lines = _quoted(text, at, line)
            if at < end and text[at] not in SPACES + ";{)":
                raise ConfigError("text", text[at], f"line {line + lines}: unexpected after a quoted word")
            yield word, line, True
            line += lines
        else:
            word, at, lines = _bare(text, at)
            yield word, line, True  # so that a word is never taken for punctuation
            line += lines


def _quoted(text: str, at: int, line: int) -> tuple[str, int, int]:
    quote, word, begin = text[at], list[str](), at
    at += 1
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(word), at + 1, text.count("\n", begin, at)
        if char == "\\" and at + 1 < len(text):
            word.append(ESCAPES.get(text[at + 1], text[at : at + 2]))
            at += 2
        else:
            word.append(char)
            at += 1
    raise ConfigError("text", text[begin : begin + 20], f"line {line}: the quoted word does not end")


def _bare(text: str, at: int) -> tuple[str, int, int]:
    word, begin = list[str](), at
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            word.append(ESCAPES.get(text[at + 1], text[at : at + 2]))
            at += 2
        elif text.startswith("${", at):
            word.append("${")
            at += 2
            while at < len(text) and text[at] not in SPACES + ";}":
                word.append(text[at])
                at += 1
            if at < len(text) and text[at] == "}":
                word.append("}")
                at += 1
        elif char in SPACES + ";{}":
            break
        else:
            word.append(char)
            at += 1
    return "".join(word), at, text.count("\n", begin, at)


def seconds(text: str) -> int | None:
    """A time in nginx's notation (``30``, ``30s``, ``1m30s``) in whole seconds; None if it is none.

    Units, greatest first and each at most once: y (365 days), M (30 days), w, d, h, m, s; a number without one is
    seconds, and the last.

    Examples
    --------
    >>> seconds("1h30m"), seconds("90"), seconds("5 s"), seconds("500ms")
    (5400, 90, None, None)
    """
    units = {"y": 31536000, "M": 2592000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
    total, digits, left = 0, "", list(units)
    for char in text:
        if char in "0123456789":
            digits += char
            if len(digits) > 20:
                return None
        elif digits and char in left:
            total += int(digits) * units[char]
            left, digits = left[left.index(char) + 1 :], ""
        else:
            return None
    if digits and "s" in left:
        return total + int(digits)
    return total if text and not digits else None
