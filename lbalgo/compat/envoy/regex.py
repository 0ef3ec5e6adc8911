"""`regex_rewrite`: RE2's replace-all, on Python's `re`.

Where the two agree a pattern is handed on, where they differ in notation it is translated, and what RE2 does not have
(lookaround, backreferences, conditions, possessive quantifiers) is refused, as Envoy refuses it. What RE2 has and `re`
does not (``\\pL``, ``\\C``, ``\\Q…\\E``, ``(?U)``) is refused too. Both match leftmost-first. RE2's ``\\d \\w \\s \\b``
know ASCII only, its ``$`` is the very end, and it never replaces an empty match right after another match.

Cost: one backtracking search a value; RE2's is linear.
"""

from __future__ import annotations

import functools
import re

from lbalgo.errors import ConfigError

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\x00-\x7f",
    "blank": "\\t ",
    "cntrl": "\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = frozenset("dDwWsSbBAzntrfvax0") | frozenset("\\.+*?()|[]{}^$-/\"'#%&,:;<=>@_`~! ")
_BRACES = re.compile(r"\{\d+(?:,\d*)?\}")


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern for Python; ConfigError if RE2 or this translation does not know it.

    Examples
    --------
    >>> compiled("^key-([[:digit:]]+)$").pattern
    '^key-([0-9]+)\\\\Z'
    """
    out, i, inside = [], 0, False
    while i < len(pattern):
        c = pattern[i]
        rest = pattern[i:]
        if c == "\\":
            e = pattern[i + 1 : i + 2]
            if not e or e not in _ESCAPES:
                raise _refused(pattern, f"\\{e} is not known")
            braced = re.match(r"\\x\{([0-9A-Fa-f]{1,6})\}", rest)
            if braced:
                out.append(re.escape(chr(int(braced[1], 16))))
                i += len(braced[0])
                continue
            out.append(
                {"z": "\\Z", "s": "[\\t\\n\\f\\r ]", "S": "[^\\t\\n\\f\\r ]"}.get(e, c + e)
                if not inside
                else {"s": "\\t\\n\\f\\r "}.get(e, c + e)
            )
            if inside and e == "S":
                raise _refused(pattern, "\\S inside a class is not known")
            i += 2
        elif inside:
            name = re.match(r"\[:(\w+):\]", rest)
            if name:
                if name[1] not in _POSIX:
                    raise _refused(pattern, f"{name[0]} is not known")
                out.append(_POSIX[name[1]])
                i += len(name[0])
                continue
            inside = c != "]"
            out.append("\\[" if c == "[" else c)
            i += 1
        elif c == "[":
            opening = re.match(r"\[\^?\]?", rest)
            assert opening is not None
            out.append(opening[0].replace("]", "\\]"))
            i += len(opening[0])
            inside = True
        elif (
            c == "("
            and rest.startswith("(?")
            and not re.match(r"\(\?(?::|P<\w+>|<\w+>|[ims]+(?:-[ims]+)?:|[ims]+\))", rest)
        ):
            raise _refused(pattern, f"{rest[:4]} is not known")
        elif c == "(" and re.match(r"\(\?<\w", rest):
            out.append("(?P<")
            i += 3
        else:
            quantifier = _BRACES.match(rest)
            width = 1 if c in "*+?" else len(quantifier[0]) if quantifier else 0
            if width and pattern[i + width : i + width + 1] == "+":
                raise _refused(pattern, "a possessive quantifier is not known")
            out.append("\\Z" if c == "$" else rest[: max(width, 1)])
            i += max(width, 1)
    try:
        return re.compile("".join(out), re.ASCII)
    except (re.error, OverflowError) as wrong:
        raise _refused(pattern, str(wrong)) from None


def _refused(pattern: str, why: str) -> ConfigError:
    return ConfigError("regex", pattern, why)


def check_substitution(pattern: str, substitution: str) -> None:
    """Refuses a substitution with a group the pattern has not, or with a backslash before anything but a digit."""
    groups = compiled(pattern).groups
    for match in re.finditer(r"\\(.?)", substitution, re.DOTALL):
        if match[1] != "\\" and not (match[1].isdigit() and match[1].isascii() and int(match[1]) <= groups):
            raise ConfigError("substitution", substitution, f"{match[0]} must be \\\\, or \\0 to \\{groups}")


def replace_all(pattern: str, substitution: str, text: str) -> str:
    r"""`text` with every match replaced; ``\0`` to ``\9`` in the substitution are groups.

    Examples
    --------
    >>> replace_all("^key-([0-9]+)$", r"\1", "key-17"), replace_all("x*", "-", "axbc")
    ('17', '-a-b-c-')
    """
    check_substitution(pattern, substitution)
    search, parts, at, ended = compiled(pattern).search, list[str](), 0, -1
    while at <= len(text):
        match = search(text, at)
        if match is None:
            break
        parts.append(text[at : match.start()])
        at = match.start()
        if match.end() == match.start() == ended:  # empty, right after a match: passed over by one character
            parts.append(text[at : at + 1])
            at += 1
            ended = -1
            continue
        parts.append(_filled(substitution, match))
        at = ended = match.end()
    parts.append(text[at:])
    return "".join(parts)


def _filled(substitution: str, match: re.Match[str]) -> str:
    return re.sub(r"\\(.)", lambda m: "\\" if m[1] == "\\" else match[int(m[1])] or "", substitution, flags=re.DOTALL)
