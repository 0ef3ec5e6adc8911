"""What the command line reads: pools, keys and policies, and one clear line about whatever is wrong with them.

Every refusal is an `InputError` whose text begins with the file (and line, or entry) or the option it is about.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import lbalgo.policies
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, LBError
from lbalgo.view import View

_FIELDS = ("id", "weight", "zone", "priority", "metadata")


class InputError(Exception):
    """Something a person gave cannot be used; the text is one line that says where and why."""


def read_pool(path: str) -> View[Any]:
    """The pool of a TOML or JSON file (``.json`` or a leading brace or bracket mean JSON).

    TOML: ``[[backends]]`` tables. JSON: a list of objects or ids, an object with such a list as ``backends``, or an
    object of id to weight. A backend has ``id``, ``weight``, ``zone``, ``priority`` and ``metadata``, no other fields.

    Raises
    ------
    InputError : the file is unreadable or malformed, a field is unknown or invalid, or an id occurs twice.
    """
    text = read_text(path)
    entries, lines = _json_entries(path, text) if _is_json(path, text) else _toml_entries(path, text)
    if not entries:
        raise InputError(f"{path}: has no backends")
    seen: dict[str, int] = {}
    members = []
    for k, entry in enumerate(entries):
        where = f"{path}:{lines[k]}: backends[{k}]" if lines else f"{path}: backends[{k}]"
        member = _member(where, entry)
        if member.id in seen:
            raise InputError(f"{where}: id = {member.id!r}: is that of backends[{seen[member.id]}] already")
        seen[member.id] = k
        members.append(member)
    if not any(member.weight > 0 for member in members):
        raise InputError(f"{path}: no backend has weight")
    return View.of(members)


def read_text(path: str) -> str:
    """The text of a file in UTF-8.

    Raises
    ------
    InputError : the file is unreadable or not UTF-8.
    """
    return _decode(path, _read(path))


def read_keys(path: str) -> list[bytes]:
    """The keys of a file, one a line, as bytes; ``-`` is standard input.

    A line ends with LF or CR LF, neither of which belongs to the key; nothing else is stripped or decoded.

    Raises
    ------
    InputError : the file is unreadable, has no keys, or an empty line (no key would be meant by it).
    """
    name = "standard input" if path == "-" else path
    lines = (sys.stdin.buffer.read() if path == "-" else _read(path)).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    keys = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    if not keys:
        raise InputError(f"{name}: has no keys")
    if b"" in keys:
        raise InputError(f"{name}:{keys.index(b'') + 1}: empty key")
    return keys


def policy_classes() -> dict[str, type[Any]]:
    """The policies by their names on the command line: the class names in snake case.

    Examples
    --------
    >>> policy_classes()["ring_hash"].__name__
    'RingHash'
    """
    found: list[Any] = [getattr(lbalgo.policies, name) for name in lbalgo.policies.__all__]
    return {snake(c.__name__): c for c in found if _is_policy(c)}


def snake(name: str) -> str:
    """A class name in snake case.

    Examples
    --------
    >>> snake("PowerOfTwo")
    'power_of_two'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def read_policy(text: str) -> Any:
    """The policy ``NAME[:param=value,…]`` stands for: `ring_hash`, `ring-hash` or `RingHash`.

    Raises
    ------
    InputError : no such policy or parameter, or a value it refuses.
    """
    name, colon, rest = text.partition(":")
    classes = policy_classes()
    make = classes.get(snake(name.replace("-", "_")))
    if make is None:
        raise InputError(f"--policy {text}: no policy {name!r}; there are {', '.join(sorted(classes))}")
    data: dict[str, object] = {}
    for part in rest.split(",") if colon else ():
        parameter, equals, value = part.partition("=")
        if not equals or not parameter or parameter in data:
            raise InputError(f"--policy {text}: {part!r}: must be PARAM=VALUE, each parameter once")
        data[parameter] = _value(value)
    try:
        return make.from_dict(data)
    except LBError as error:
        raise InputError(f"--policy {text}: {error}") from None
    except TypeError:
        raise InputError(
            f"--policy {text}: lacks a parameter that has no default, or has one of a wrong type"
        ) from None


def default_policies() -> dict[str, Any]:
    """Every policy that needs no parameters, in the order they are documented."""
    return {name: make() for name, make in policy_classes().items() if _needs_nothing(make)}


def id_and_weight(option: str, text: str, *, separator: str, default: float | None) -> tuple[str, float]:
    """``ID:WEIGHT`` or ``ID=WEIGHT``, split at the last separator that has a number behind it.

    Raises
    ------
    InputError : there is no weight and no default, or it is no weight.
    """
    id, found, number = text.rpartition(separator)
    if found:
        try:
            weight = float(number)
        except ValueError:
            found = ""
    if not found:
        if default is None:
            raise InputError(f"{option} {text}: must be ID{separator}WEIGHT")
        id, weight = text, default
    try:
        return Endpoint(id, weight).id, weight
    except ConfigError as error:
        raise InputError(f"{option} {text}: {error}") from None


def _is_policy(thing: Any) -> bool:
    return dataclasses.is_dataclass(thing) and hasattr(thing, "build")


def _needs_nothing(cls: type[Any]) -> bool:
    missing = dataclasses.MISSING
    return all(f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(cls))


def _value(text: str) -> object:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise InputError(f"{path}: cannot be read: {why}") from None


def _decode(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: is not UTF-8") from None


def _is_json(path: str, text: str) -> bool:
    start = text.lstrip()
    return path.endswith(".json") or (
        not path.endswith(".toml") and start.startswith(("{", "[")) and not start.startswith("[[")
    )


def _toml_entries(path: str, text: str) -> tuple[list[Any], list[int]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
        line = int(found[2]) if found and found[2] else text.count("\n") + (not text.endswith("\n"))
        raise InputError(f"{path}:{max(line, 1)}: {found[1] if found else error}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    entries = _only_backends(path, data)
    headers = [k for k, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[\s*backends\s*\]\]", line)]
    return entries, headers if len(headers) == len(entries) else []


def _json_entries(path: str, text: str) -> tuple[list[Any], list[int]]:
    try:
        data = json.loads(text, object_pairs_hook=_no_twins)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: {error.msg}") from None
    except _Twin as twin:
        raise InputError(f"{path}: {twin.args[0]!r} occurs twice in one object") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(data, list):
        return data, []
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be a list of backends or an object")
    if not isinstance(data.get("backends"), list):
        return [{"id": id, "weight": weight} for id, weight in data.items()], []
    return _only_backends(path, data), []


def _only_backends(path: str, data: dict[str, Any]) -> list[Any]:
    for name in data:
        if name != "backends":
            raise InputError(f"{path}: {name!r} is no field of a pool; there is 'backends'")
    entries = data.get("backends", [])
    if not isinstance(entries, list):
        raise InputError(f"{path}: 'backends' must be a list")
    return entries


def _member(where: str, entry: Any) -> Endpoint[Any]:
    if isinstance(entry, str):
        entry = {"id": entry}
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an id or a table with an id")
    for name in entry:
        if name not in _FIELDS:
            raise InputError(f"{where}: {name!r} is no field of a backend; there are {', '.join(_FIELDS)}")
    if "id" not in entry:
        raise InputError(f"{where}: has no id")
    if isinstance(entry.get("metadata"), dict):
        entry = {**entry, "metadata": tuple(entry["metadata"].items())}
    try:
        return Endpoint(**entry)
    except ConfigError as error:
        raise InputError(f"{where}: {error}") from None


class _Twin(Exception):
    """A name that occurs twice in one JSON object."""


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name in data:
            raise _Twin(name)
        data[name] = value
    return data
