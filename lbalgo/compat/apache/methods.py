"""The three methods that look for the best worker: they differ in who is better, and whether an account is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.apache.machine import BalancerMachine, Member
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.spec import check_bool, from_dict, to_dict
from lbalgo.types import Picker, Pool
from lbalgo.view import view_of


def higher_status(one: Member, best: Member) -> bool:
    """The greater account; the first of equals stays, since Apache compares with > in order of declaration."""
    return one.lbstatus > best.lbstatus


def less_busy(one: Member, best: Member) -> bool:
    """The fewer in flight, then the greater account; the first of equals stays."""
    return (one.busy, -one.lbstatus) < (best.busy, -best.lbstatus)


def least_traffic(one: Member, best: Member) -> bool:
    """The less traffic for its factor; sent and read are divided separately, as integers, so each loses up to one."""
    mine, its = (m.sent // m.factor + m.read // m.factor for m in (one, best))
    return mine < its


@dataclass(frozen=True)
class ByRequests:
    """lbmethod=byrequests: each worker has its share of requests.

    Parameters
    ----------
    failontimeout : whether a timeout puts a worker into error.
    forcerecovery : whether all are forgiven once all are in error.

    Raises
    ------
    ConfigError : a field is invalid; at build, a load factor outside 1 to 100.

    Backends: `Worker`; ids and endpoints have the defaults, their weight is the load factor. UNHEALTHY is a failed
    health check, DRAINING is draining; DEGRADED counts as healthy. Costs: a pick O(N). Source: mod_lbmethod_byrequests.

    Examples
    --------
    >>> picker = ByRequests().build({"a": 5, "b": 1, "c": 1})
    >>> "".join(picker.pick().id for _ in range(7))
    'aabacaa'
    """

    failontimeout: bool = False
    forcerecovery: bool = True

    def __post_init__(self) -> None:
        _check_flags(self)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the accounts go on."""
        return _built(self, view, previous, higher_status, True)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ByRequests:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class ByBusyness:
    """lbmethod=bybusyness: the worker with the fewest requests in flight; the load factor decides between equals.

    Parameters, errors, backends and costs as `ByRequests`. Source: mod_lbmethod_bybusyness.

    Examples
    --------
    >>> picker = ByBusyness().build({"a": 1, "b": 20})
    >>> picker.pick().id
    'b'
    """

    failontimeout: bool = False
    forcerecovery: bool = True

    def __post_init__(self) -> None:
        _check_flags(self)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the accounts go on."""
        return _built(self, view, previous, less_busy, True)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ByBusyness:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class ByTraffic:
    """lbmethod=bytraffic: the worker with the fewest bytes, sent and read, for its load factor.

    Parameters, errors, backends and costs as `ByRequests`. Bytes are told by `Balancer.report(id, Traffic(...))`, or to
    the picker's load. Source: mod_lbmethod_bytraffic.

    Examples
    --------
    >>> from lbalgo import Balancer
    >>> from lbalgo.compat.apache import Traffic
    >>> balancer = Balancer(ByTraffic(), {"a": 1, "b": 2})
    >>> balancer.report("a", Traffic.of(172, 1177))
    >>> balancer.acquire().backend.id
    'b'
    """

    failontimeout: bool = False
    forcerecovery: bool = True

    def __post_init__(self) -> None:
        _check_flags(self)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the accounts go on."""
        return _built(self, view, previous, least_traffic, False)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ByTraffic:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


def _check_flags(policy: Any) -> None:
    check_bool("failontimeout", policy.failontimeout)
    check_bool("forcerecovery", policy.forcerecovery)


def _built(
    policy: Any, view: Pool[Any], previous: Picker[Any] | None, better: Callable[[Any, Any], bool], accounts: bool
) -> MachinePicker[Any]:
    def start() -> BalancerMachine:
        return BalancerMachine(better, accounts, policy.failontimeout, policy.forcerecovery)

    return machine_picker(policy, view_of(view), previous, start)
