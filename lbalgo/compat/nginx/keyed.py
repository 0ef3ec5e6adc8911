"""nginx's methods by key as policies: `IpHash`, `Hash`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload
from zlib import crc32

from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.nginx.failures import NEXT_UPSTREAM, check_words, failures_of
from lbalgo.compat.nginx.hashing import MODULUS, ByPlace, ByPoint, hash_bytes, hash_places, ip_bytes, ip_places
from lbalgo.compat.nginx.upstream import Upstream
from lbalgo.endpoint import Endpoint
from lbalgo.explaining import Steps, counted, hash_step
from lbalgo.spec import check_bool, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class IpHash:
    """``ip_hash``: the client's address decides, of an IPv4 address the first three bytes.

    Parameters
    ----------
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a word is none of nginx's; at build, a weight is no integer from 1, or a server is a backup; at pick,
        a key is neither 4 nor 16 bytes (`address` makes them).

    The 6271 values of the hash reach no peer beyond a total weight of 6271. The decision depends on the peers' listing
    order and, when one of them is not able, on what other requests did before.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build O(N), pick O(N), memory O(N); disruption: any change of weights or members moves most keys.
    Source: nginx documentation, ngx_http_upstream_module, "ip_hash"; replayed against nginx 1.22.1.

    Examples
    --------
    >>> from lbalgo.compat.nginx import address
    >>> picker = IpHash().build(["a", "b", "c"])
    >>> [picker.pick(address(ip)).id for ip in ("192.0.2.1", "192.0.2.200", "192.0.3.1")]
    ['a', 'a', 'b']
    """

    takes_key: ClassVar[bool] = True
    takes_addresses: ClassVar[bool] = True  # keys are the bytes of addresses
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
    def from_dict(cls, data: Mapping[str, object]) -> IpHash:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def explain_key(self, data: bytes) -> Steps:
        """What of the address is hashed, and the hash."""
        part = ip_bytes(data)
        return [("hashed", counted(part)), ("hash", f"{next(ip_places(part))}, below {MODULUS}")]

    def _start(self) -> Upstream:
        method = ByPlace(ip_places, ip_bytes)
        return Upstream(method, failures_of(self.proxy_next_upstream), backups_allowed=False, built=method.built)


@dataclass(frozen=True)
class Hash:
    """``hash key`` and ``hash key consistent``.

    Parameters
    ----------
    consistent : a ring of 160 points for each unit of weight instead of peers laid end to end.
    proxy_next_upstream : words of the directive; failed attempts are local errors and timeouts, and server errors
        (``http_500``), gateway errors (``http_502``, ``http_503``, ``http_504``) and overload (``http_429``) if named.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, a weight is no integer from 1, or a server is a backup.

    A request without a key, or with an empty one, takes the next turn of round robin. When a peer is not able, and
    among the peers of one name on the ring, the decision depends on what other requests did before.
    Factors (slow start) and panic play no part; a backend whose state is UNHEALTHY or DRAINING is ``down``.
    Costs: build O(N), consistent O(T log T) for T points of one CRC-32 each; pick O(N), memory 28 T bytes; disruption:
    any change of weights or members moves most keys; consistent minimal.
    Source: nginx documentation, ngx_http_upstream_module, "hash"; replayed against nginx 1.22.1.

    Examples
    --------
    >>> servers = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
    >>> [Hash().build(servers).pick(key).id[7] for key in ("/", "/a", "/b", "/c")]
    ['3', '2', '3', '2']
    >>> [Hash(consistent=True).build(servers).pick(key).id[7] for key in ("/", "/a", "/b", "/c")]
    ['2', '1', '3', '2']
    """

    takes_key: ClassVar[bool] = True
    consistent: bool = False
    proxy_next_upstream: tuple[str, ...] = NEXT_UPSTREAM

    def __post_init__(self) -> None:
        check_bool("consistent", self.consistent)
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
    def from_dict(cls, data: Mapping[str, object]) -> Hash:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def explain_key(self, data: bytes) -> Steps:
        """The hash; nothing of an empty key, which takes a turn."""
        if not data:
            return []
        place = ("hash", f"{next(hash_places(data))}, which is bits 16 to 30 of 0x{crc32(data):08x}, the CRC-32")
        return [hash_step(crc32(data), "CRC-32") if self.consistent else place]

    def _start(self) -> Upstream:
        method = ByPoint() if self.consistent else ByPlace(hash_places, hash_bytes)
        return Upstream(method, failures_of(self.proxy_next_upstream), backups_allowed=False, built=method.built)
