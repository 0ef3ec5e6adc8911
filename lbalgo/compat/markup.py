"""Text of configurations as plain data: JSON, and YAML where PyYAML is installed (extra `yaml`).

A mapping with one key twice is refused: which of the two the real program would take is not to be guessed.
"""

from __future__ import annotations

import json
from typing import Any

from lbalgo.errors import ConfigError


def parse(text: str, name: str = "text") -> Any:
    """The data of a JSON or YAML text.

    Parameters
    ----------
    text : one document.
    name : by which errors name the text.

    Raises
    ------
    ConfigError : it is neither, holds a key twice, or is nested too deep.
    ImportError : it is no JSON, and PyYAML is not installed.

    Examples
    --------
    >>> parse('{"a": [1, 2]}')
    {'a': [1, 2]}
    """
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _mapping(pairs, name))
    except json.JSONDecodeError as error:
        if text.lstrip().startswith(("{", "[")) and not _yaml_like(text):
            raise ConfigError(name, _where(error.lineno, error.colno), f"is no JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(name, "…", f"cannot be read: {error}") from None
    return _yaml(text, name)


def _yaml_like(text: str) -> bool:
    """Whether a text that begins like JSON may be YAML in flow style: it has a key without quotes."""
    import re

    return re.search(r"[{,]\s*[A-Za-z_@][\w@.]*\s*:", text) is not None


def _where(line: int, column: int) -> str:
    return f"line {line}, column {column}"


def _mapping(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ConfigError(name, key, "is a key twice in one mapping")
        made[key] = value
    return made


def _yaml(text: str, name: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ImportError("a configuration in YAML needs PyYAML: pip install 'lbalgo[yaml]'") from None

    class Strict(yaml.SafeLoader):
        """Safe, and refuses a key that occurs twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: list[Any] = []
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    line = key_node.start_mark.line + 1
                    raise ConfigError(name, key, f"is a key twice in one mapping, line {line}")
                seen.append(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=Strict)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = _where(mark.line + 1, mark.column + 1) if mark else "…"
        raise ConfigError(name, where, f"is no YAML: {getattr(error, 'problem', None) or error}") from None
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(name, "…", f"cannot be read: {error}") from None
