"""nginx's newer methods as policies, by description only: `LeastTime`, `Sticky`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload

from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.nginx.failures import NEXT_UPSTREAM, check_words, failures_of
from lbalgo.compat.nginx.methods import ByTime, sticky
from lbalgo.compat.nginx.upstream import Upstream
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

METRICS = ("header", "last_byte")


@dataclass(frozen=True)
class LeastTime:
    """``least_time`` of nginx 1.31: least response time times requests under way; described only, not replayed.

    Parameters
    ----------
    metric : ``"header"`` or ``"last_byte"``: which time the caller reports as latency.
    inflight : take how long the requests under way have been going into account, where that is more.
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, a weight is no integer from 1.

    A key is accepted and ignored. A request's latency counts if it succeeded; with `inflight` the time of what is under
    way is its mean age.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build and pick O(N), memory O(N); disruption does not apply.
    Source: nginx documentation, ngx_http_upstream_module, "least_time"; described only.

    Examples
    --------
    >>> from lbalgo import Balancer
    >>> from lbalgo.testing import FakeClock
    >>> balancer = Balancer(LeastTime(), ["a", "b"], clock=FakeClock())
    >>> for latency in (0.300, 0.010):
    ...     balancer.acquire().done(latency=latency)
    >>> [balancer.acquire().backend.id for _ in range(4)]
    ['b', 'b', 'b', 'b']
    """

    metric: str = "header"
    inflight: bool = False
    proxy_next_upstream: tuple[str, ...] = NEXT_UPSTREAM

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ConfigError("metric", self.metric, f"must be one of {', '.join(METRICS)}")
        check_bool("inflight", self.inflight)
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
    def from_dict(cls, data: Mapping[str, object]) -> LeastTime:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Upstream:
        return Upstream(ByTime(self.inflight), failures_of(self.proxy_next_upstream))


@dataclass(frozen=True)
class Sticky:
    """Round robin with ``sticky`` sessions of nginx 1.29.6; described only, not replayed.

    Parameters
    ----------
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a word is none of nginx's; at build, a weight is no integer from 1.

    The key is the session: `session_of` a server. An unknown one, and that of a peer that is not able, takes the next
    turn. Making, keeping and learning of sessions (cookie, route, learn) are the caller's.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build O(N), pick O(N), memory O(N); disruption: a session stays with its peer for as long as that is able.
    Source: nginx documentation, ngx_http_upstream_module, "sticky"; described only.

    Examples
    --------
    >>> from lbalgo.compat.nginx import session_of
    >>> picker = Sticky().build(["a", "b", "c"])
    >>> [picker.pick(key).id for key in (session_of("b"), session_of("b"), None, b"unknown")]
    ['b', 'b', 'a', 'c']
    """

    takes_key: ClassVar[bool] = True
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
    def from_dict(cls, data: Mapping[str, object]) -> Sticky:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Upstream:
        return Upstream(sticky, failures_of(self.proxy_next_upstream))
