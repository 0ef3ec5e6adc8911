"""nginx's methods without a key as policies: `RoundRobin`, `LeastConn`, `Random`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.compat.draws import WordDraws
from lbalgo.compat.glibc import GlibcRandom
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.nginx.failures import NEXT_UPSTREAM, check_words, failures_of
from lbalgo.compat.nginx.methods import ByDraw, least_conn, round_robin
from lbalgo.compat.nginx.upstream import Upstream
from lbalgo.endpoint import Endpoint
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class RoundRobin:
    """Smooth weighted round robin, nginx's default method.

    Parameters
    ----------
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a word is none of nginx's; at build, a weight is no integer from 1.

    A key is accepted and ignored. `walk` and `exclude` are a request's tries, with no failure in between.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build and pick O(N), memory O(N); disruption does not apply.
    Source: nginx documentation, ngx_http_upstream_module; replayed against nginx 1.22.1.

    Examples
    --------
    >>> picker = RoundRobin().build({"a": 5, "b": 1, "c": 1})
    >>> " ".join(picker.pick().id for _ in range(7))
    'a a b a c a a'
    """

    proxy_next_upstream: tuple[str, ...] = NEXT_UPSTREAM

    def __post_init__(self) -> None:
        check_words(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Upstream:
        return Upstream(round_robin, failures_of(self.proxy_next_upstream))


@dataclass(frozen=True)
class LeastConn:
    """``least_conn``: fewest requests under way for the weight, ties by smooth weighted round robin.

    Parameters
    ----------
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a word is none of nginx's; at build, a weight is no integer from 1.

    A key is accepted and ignored. The picker's load has to hear of requests (a balancer sees to that).
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build and pick O(N), memory O(N); disruption does not apply.
    Source: nginx documentation, ngx_http_upstream_module, "least_conn"; replayed against nginx 1.22.1.

    Examples
    --------
    >>> from lbalgo import Balancer
    >>> balancer = Balancer(LeastConn(), {"a": 1, "b": 2})
    >>> " ".join(balancer.acquire().backend.id for _ in range(6))
    'b a b b a b'
    """

    proxy_next_upstream: tuple[str, ...] = NEXT_UPSTREAM

    def __post_init__(self) -> None:
        check_words(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LeastConn:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Upstream:
        return Upstream(least_conn, failures_of(self.proxy_next_upstream))


@dataclass(frozen=True)
class Random:
    """``random``, ``random two`` and ``random two least_conn`` (which is what ``two`` means).

    Parameters
    ----------
    two : draw two peers, and use the one with fewer requests under way for its weight.
    srandom : the seed of the C library's `random()`, which nginx draws from; None for lbalgo's own words, which a
        balancer seeds. (A worker of nginx seeds with its process id, the time in seconds and the milliseconds.)
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, a weight is no integer from 1, or a server is a backup.

    A key is accepted and ignored. A request that tries again goes on counting its failed draws, as long as no other
    one is served in between.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build O(N), pick O(log N) a draw, memory O(N); disruption does not apply.
    Source: nginx documentation, ngx_http_upstream_module, "random"; replayed against nginx 1.22.1.

    Examples
    --------
    >>> picker = Random(srandom=1).build({"a": 1, "b": 1, "c": 8})
    >>> " ".join(picker.pick().id for _ in range(8))
    'c c c c c c c c'
    """

    two: bool = False
    srandom: int | None = None
    proxy_next_upstream: tuple[str, ...] = NEXT_UPSTREAM

    def __post_init__(self) -> None:
        check_bool("two", self.two)
        if self.srandom is not None:
            check_integer("srandom", self.srandom, low=0, high=2**32 - 1)
        check_words(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Random:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Upstream:
        method = ByDraw(WordDraws() if self.srandom is None else GlibcRandom(self.srandom), self.two)
        return Upstream(method, failures_of(self.proxy_next_upstream), backups_allowed=False, built=method.built)
