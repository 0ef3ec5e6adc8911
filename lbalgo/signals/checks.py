"""What a probe sends and what answer it wants: TCP, HTTP and gRPC checks as data, each with its judgement.

A check says what to do and judges what came back; the caller opens the connection. What never came back (refused,
reset, no route) needs no judgement: the caller says `Verdict(False, "refused")`. Time is not the check's either: the
signal that asked for the probe ends it when its timeout is over.

A shallow check (a port that accepts) says that a process is there; a deep one (a page that asks the database) says that
everything behind it works, and fails for all backends at once when the database does.

Costs: O(length of the body) a judgement.
Source: HAProxy (option httpchk), Envoy (HealthCheck), Kubernetes (probes), gRPC health checking protocol.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict

OK = ((200, 299),)  # ours; HAProxy and Kubernetes take 200 to 399, Envoy and ALB 200 alone
LEAST, MOST = 100, 999  # an HTTP status has three digits
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")  # RFC 9110, 5.6.2
Ranges: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a probe ended.

    Parameters
    ----------
    passed : whether the backend is well.
    reason : why not, for people; empty if it passed.
    final : whether this failure alone is enough, however many are asked for.
    degraded : whether the backend, well as it is, asks to be served last.

    Raises
    ------
    ConfigError : a parameter is of another type, a pass is final, or a failure degraded.

    Examples
    --------
    >>> Verdict(False, "refused")
    Verdict(passed=False, reason='refused', final=False, degraded=False)
    """

    passed: bool
    reason: str = ""
    final: bool = False
    degraded: bool = False

    def __post_init__(self) -> None:
        check_bool("passed", self.passed)
        if not isinstance(self.reason, str):
            raise ConfigError("reason", self.reason, "must be a string")
        if check_bool("final", self.final) and self.passed:
            raise ConfigError("final", self.final, "is for failures")
        if check_bool("degraded", self.degraded) and not self.passed:
            raise ConfigError("degraded", self.degraded, "is for passes")


PASSED = Verdict(True)
LAST = Verdict(True, degraded=True)


@dataclass(frozen=True)
class TcpCheck:
    """A connection that is accepted, and perhaps answers.

    Parameters
    ----------
    send : bytes to send once connected.
    expect : bytes that have to be somewhere in what is received; none: to be connected is enough.

    Raises
    ------
    ConfigError : a parameter is no bytes.

    Examples
    --------
    >>> check = TcpCheck(send=b"PING\\r\\n", expect=b"+PONG")
    >>> check.judge(b"+PONG\\r\\n").passed, check.judge(b"-LOADING").reason
    (True, "b'-LOADING'")
    """

    send: bytes = b""
    expect: bytes = b""

    def __post_init__(self) -> None:
        _check_bytes("send", self.send)
        _check_bytes("expect", self.expect)

    def judge(self, received: bytes = b"") -> Verdict:
        """Judge the answer of a backend that has accepted the connection.

        Raises
        ------
        ConfigError : it is no bytes.
        """
        _check_bytes("received", received)
        return PASSED if self.expect in received else Verdict(False, repr(bytes(received[:80])))

    def to_dict(self) -> dict[str, object]:
        """Plain data; bytes in hexadecimal."""
        return {"type": "TcpCheck", "send": self.send.hex(), "expect": self.expect.hex()}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> TcpCheck:
        """The check `to_dict` described."""
        return from_dict(cls, data, {"send": _unhex("send"), "expect": _unhex("expect")})


@dataclass(frozen=True)
class HttpCheck:
    """A request whose answer has an expected status, and perhaps a text in its body.

    Parameters
    ----------
    path : with the query, as it is in the request line.
    method : of the request.
    host : of the request; None: the backend's own.
    expected : statuses that pass, as inclusive ranges or single statuses.
    retriable : statuses of which one failure is not enough; None: of all. Envoy's rule is (): any answer that is not
        expected is final, only timeouts and refusals are counted.
    body : text that has to be in the body, as UTF-8; empty: whatever it says.
    degraded : the name of the header by which a backend that passes asks to be served last, whatever its value, as
        `x-envoy-degraded`; empty: there is none.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> HttpCheck(degraded="x-envoy-degraded").judge(200, headers=["Date", "X-Envoy-Degraded"]).degraded
    True
    >>> check = HttpCheck("/healthz", expected=[200, (300, 399)], body="ok")
    >>> check.judge(200, b"all ok").passed, check.judge(304, b"").reason, check.judge(503, b"ok").reason
    (True, 'body', 'status 503')
    """

    path: str = "/"
    method: str = "GET"
    host: str | None = None
    expected: Ranges = OK
    retriable: Ranges | None = None
    body: str = ""
    degraded: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path.startswith("/") or not _visible(self.path):
            raise ConfigError("path", self.path, "must begin with a slash and have visible characters only")
        if not isinstance(self.method, str) or not self.method or set(self.method) - TOKEN:
            raise ConfigError("method", self.method, "must be a method")
        if self.host is not None and (not isinstance(self.host, str) or not self.host or not _visible(self.host)):
            raise ConfigError("host", self.host, "must have visible characters only, or be None")
        object.__setattr__(self, "expected", _ranges("expected", self.expected))
        if not self.expected:
            raise ConfigError("expected", self.expected, "must have a status")
        if self.retriable is not None:
            object.__setattr__(self, "retriable", _ranges("retriable", self.retriable))
        if not isinstance(self.body, str):
            raise ConfigError("body", self.body, "must be a string")
        try:
            self.body.encode()
        except UnicodeEncodeError:
            raise ConfigError("body", self.body, "must have a UTF-8 form") from None
        if not isinstance(self.degraded, str) or set(self.degraded) - TOKEN:
            raise ConfigError("degraded", self.degraded, "must be the name of a header, or empty")

    def judge(self, status: int, body: bytes = b"", headers: Iterable[str] = ()) -> Verdict:
        """Judge a response, by the names of its headers too; of a body that was cut off, the part that is there.

        Raises
        ------
        ConfigError : the status is none, the body no bytes, or a header's name no string.
        """
        check_integer("status", status, low=LEAST, high=MOST)
        _check_bytes("body", body)
        names = _lowered(headers)
        if not _within(status, self.expected):
            final = self.retriable is not None and not _within(status, self.retriable)
            return Verdict(False, f"status {status}", final)
        if self.body.encode() not in body:
            return Verdict(False, "body")
        return LAST if self.degraded.lower() in names else PASSED

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self) | {
            "expected": [list(pair) for pair in self.expected],
            "retriable": None if self.retriable is None else [list(pair) for pair in self.retriable],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> HttpCheck:
        """The check `to_dict` described."""
        return from_dict(cls, data)


class Serving(enum.IntEnum):
    """What a gRPC server says of a service, with the numbers of the protocol."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


@dataclass(frozen=True)
class GrpcCheck:
    """A call of `grpc.health.v1.Health/Check`.

    Parameters
    ----------
    service : asked for; empty: the server as a whole.
    authority : of the call; None: the backend's own.

    Raises
    ------
    ConfigError : a parameter is no string.

    Examples
    --------
    >>> check = GrpcCheck("cart.v1.Cart")
    >>> check.judge(Serving.SERVING).passed, check.judge(2).reason, check.judge(code=14).reason
    (True, 'NOT_SERVING', 'grpc code 14')
    """

    service: str = ""
    authority: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.service, str):
            raise ConfigError("service", self.service, "must be a string")
        if self.authority is not None and (not isinstance(self.authority, str) or not _visible(self.authority)):
            raise ConfigError("authority", self.authority, "must have visible characters only, or be None")

    def judge(self, serving: int = Serving.UNKNOWN, code: int = 0) -> Verdict:
        """Judge an answer: what the server says, if the call's gRPC status `code` is 0.

        An unknown service is a NOT_FOUND (5) of the call, a server without the health service an UNIMPLEMENTED (12).

        Raises
        ------
        ConfigError : a number is none of the protocol's.
        """
        check_integer("serving", serving, low=0, high=len(Serving) - 1)
        if check_integer("code", code, low=0, high=16):
            return Verdict(False, f"grpc code {code}")
        return PASSED if serving == Serving.SERVING else Verdict(False, Serving(serving).name)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> GrpcCheck:
        """The check `to_dict` described."""
        return from_dict(cls, data)


Check: TypeAlias = TcpCheck | HttpCheck | GrpcCheck
CHECKS: dict[str, Any] = {kind.__name__: kind for kind in (TcpCheck, HttpCheck, GrpcCheck)}


def check_from_dict(data: Any) -> Check:
    """The check of any kind that its `to_dict` described; ConfigError for anything else.

    Examples
    --------
    >>> check_from_dict({"type": "GrpcCheck", "service": "cart"})
    GrpcCheck(service='cart', authority=None)
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str) or data["type"] not in CHECKS:
        raise ConfigError("check", data, f"must be the description of one of {', '.join(CHECKS)}")
    made: Check = CHECKS[data["type"]].from_dict(data)
    return made


def _check_bytes(name: str, value: object) -> None:
    if not isinstance(value, (bytes, bytearray)):
        raise ConfigError(name, value, "must be bytes")


def _lowered(headers: object) -> set[str]:
    if isinstance(headers, (str, bytes)) or not isinstance(headers, Iterable):
        raise ConfigError("headers", headers, "must be the names of headers")
    names = set()
    for name in headers:
        if not isinstance(name, str) or not name:
            raise ConfigError("headers", name, "must be the name of a header")
        names.add(name.lower())
    return names


def _unhex(name: str) -> Any:
    def convert(value: object) -> bytes:
        try:
            return bytes.fromhex(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ConfigError(name, value, "must be bytes in hexadecimal") from None

    return convert


def _visible(text: str) -> bool:
    return all("!" <= c <= "~" for c in text)


def _ranges(name: str, value: Any) -> Ranges:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigError(name, value, "must be a collection of statuses and ranges")
    made = []
    for entry in value:
        pair = (entry, entry) if isinstance(entry, int) else entry
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigError(name, entry, "must be a status or a pair of them")
        low, high = (check_integer(name, status, low=LEAST, high=MOST) for status in pair)
        if high < low:
            raise ConfigError(name, entry, "must end where it begins, or later")
        made.append((low, high))
    return tuple(made)


def _within(status: int, ranges: Ranges) -> bool:
    return any(low <= status <= high for low, high in ranges)
