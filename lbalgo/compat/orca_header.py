"""ORCA reports as they come with a response: the headers `endpoint-load-metrics` and `endpoint-load-metrics-bin`.

Three forms, told apart by the first word of `endpoint-load-metrics`:

- ``TEXT cpu_utilization=0.3, named_metrics.queue=7``: pairs of name and number, separated by commas;
- ``JSON {"cpu_utilization": 0.3, "named_metrics": {"queue": 7}}``: the message in proto3's JSON;
- ``BIN ...``: the message itself in base64, as in `endpoint-load-metrics-bin` without the word.

What comes from outside is not trusted: a header is at most `LONGEST` characters, numbers are finite, names occur once,
and everything else is a ConfigError. Fields that are no part of a decision (`rps`, `request_cost`) are read and left.

Costs: O(length). Sources: Envoy, names of the headers and prefixes (`source/common/orca/orca_parser.h`);
xds.data.orca.v3.OrcaLoadReport, field numbers; protobuf encoding guide.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from typing import Any

from lbalgo.compat.orca import FIELDS, MAPS, OrcaReport, utilization
from lbalgo.errors import ConfigError
from lbalgo.report import Report
from lbalgo.spec import check_real

HEADER, BINARY_HEADER = "endpoint-load-metrics", "endpoint-load-metrics-bin"
LONGEST = 16_384  # characters; ours: above what servers take for all headers together
NUMBERS = {1: "cpu_utilization", 2: "mem_utilization", 6: "rps_fractional", 7: "eps", 9: "application_utilization"}
NAMED = {5: "utilization", 8: "named_metrics"}
LEFT = {"rps", "request_cost"}  # the first is deprecated, the second of the request and not of the backend
PLAIN = (*FIELDS, "rps_fractional", "eps")
VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5  # protobuf's wire types


def read_header(value: str) -> OrcaReport:
    """The report in a value of `endpoint-load-metrics`.

    Parameters
    ----------
    value : ``TEXT``, ``JSON`` or ``BIN``, a space, and the report.

    Raises
    ------
    ConfigError : it is none of these, or says something that is no report.

    Examples
    --------
    >>> read_header("TEXT cpu_utilization=0.25, rps_fractional=40, named_metrics.queue=7").named_metrics
    {'queue': 7.0}
    >>> read_header('JSON {"cpuUtilization": 0.25, "eps": 1}').cpu_utilization
    0.25
    """
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ConfigError("value", value, f"must be text of at most {LONGEST} characters")
    form, _, rest = value.partition(" ")
    if form == "TEXT":
        return _made(_pairs(rest))
    if form == "JSON":
        return _made(_members(rest))
    if form == "BIN":
        return read_binary(rest)
    raise ConfigError("value", value, "must begin with TEXT, JSON or BIN")


def read_binary(value: str) -> OrcaReport:
    """The report in a value of `endpoint-load-metrics-bin`, base64 of the message.

    Raises
    ------
    ConfigError : it is no base64, or no such message.

    Examples
    --------
    >>> read_binary("CQAAAAAAAOA/").cpu_utilization
    0.5
    """
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ConfigError("value", value, f"must be text of at most {LONGEST} characters")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("value", value, "must be base64") from None
    return _made(_message(data))


def report_of(report: OrcaReport) -> Report:
    """The same as a `Report`: application's utilisation or else the CPU's, requests and errors a second.

    Examples
    --------
    >>> report_of(OrcaReport(cpu_utilization=0.5, rps_fractional=100.0, eps=1.0))
    Report(utilisation=0.5, qps=100.0, eps=1.0, at=None)
    """
    return Report(max(utilization(report, ()), 0.0), report.rps_fractional, report.eps)


Said = Iterator[tuple[str, str | None, Any]]  # field, key of a map's entry, value


def _made(said: Said) -> OrcaReport:
    plain: dict[str, Any] = {}
    maps: dict[str, dict[str, Any]] = {name: {} for name in MAPS}
    for name, key, value in said:
        if name in LEFT:
            continue
        into, at = (plain, name) if key is None else (maps[name], key)
        if at in into:
            raise ConfigError(name if key is None else f"{name}.{key}", value, "occurs twice")
        into[at] = check_real(name if key is None else f"{name}.{key}", value)
    return OrcaReport(utilization=maps["utilization"], named_metrics=maps["named_metrics"], **plain)


def _pairs(text: str) -> Said:
    for entry in text.split(",") if text.strip() else ():
        name, equals, number = (part.strip() for part in entry.partition("="))
        group, dot, key = name.partition(".")
        if not equals or not (name in PLAIN or name in LEFT or (dot and key and group in (*MAPS, "request_cost"))):
            raise ConfigError("value", entry.strip(), "must be one of the report's fields, =, and a number")
        try:
            value = float(number)
        except ValueError:
            raise ConfigError(name, number, "must be a number") from None
        yield (name, None, value) if not dot else (group, key, value)


def _members(text: str) -> Said:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ConfigError("value", [name for name, _ in pairs], "has a name twice")
        return made

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except (json.JSONDecodeError, RecursionError):
        raise ConfigError("value", text, "must be JSON") from None
    if not isinstance(data, dict):
        raise ConfigError("value", text, "must be a JSON object")
    snake = {_camel(name): name for name in (*PLAIN, *MAPS, *LEFT)}
    for written, value in data.items():
        name = snake.get(written, written)
        if name in PLAIN or name == "rps":
            yield name, None, value
        elif name not in MAPS and name != "request_cost":
            raise ConfigError("value", written, "is no field of a report")
        elif not isinstance(value, dict):
            raise ConfigError(name, value, "must be an object")
        else:
            for key, number in value.items():
                yield name, key, number


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _message(data: bytes) -> Said:
    """The message's fields; unknown ones are passed over, as the encoding wants it."""
    last: dict[tuple[str, str | None], Any] = {}  # of a field that occurs again the last counts
    for number, kind, value in _fields(data):
        if number in NUMBERS and kind == DOUBLE:
            last[NUMBERS[number], None] = value
        elif number in NAMED and kind == BYTES:
            entry = {inner: content for inner, _, content in _fields(value)}
            key, content = entry.get(1, b""), entry.get(2, 0.0)
            if not isinstance(key, bytes) or not isinstance(content, float):
                raise ConfigError("value", data, f"has an entry of {NAMED[number]} that is none")
            try:
                last[NAMED[number], key.decode()] = content
            except UnicodeDecodeError:
                raise ConfigError("value", data, f"has a name in {NAMED[number]} that is no UTF-8") from None
        elif number in NUMBERS or number in NAMED:
            raise ConfigError("value", data, f"has field {number} in a wrong type")
    for (name, entry_key), value in last.items():
        yield name, entry_key, value


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and content of each field of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        size, begin = {DOUBLE: (8, at), FLOAT: (4, at)}.get(kind) or (_varint(data, at) if kind == BYTES else (-1, at))
        end = begin + size
        if number == 0 or size < 0 or end > len(data):
            raise ConfigError("value", data, "must be a message of xds.data.orca.v3.OrcaLoadReport")
        part = data[begin:end]
        yield number, kind, struct.unpack("<d", part)[0] if kind == DOUBLE else part
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer in base 128, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
    raise ConfigError("value", data, "must be a message of xds.data.orca.v3.OrcaLoadReport")
