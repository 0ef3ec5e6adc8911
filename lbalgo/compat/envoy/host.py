"""`Host`: what Envoy knows of one endpoint, and how any other backend is read as one.

Health is not a field: it comes with the view. HEALTHY, DEGRADED and UNHEALTHY mean what they say; DRAINING is Envoy's
DRAINING health status, which counts as unhealthy and is left out of every percentage (*excluded*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer
from lbalgo.view import View

Locality: TypeAlias = tuple[str, str, str]  # region, zone, sub_zone
NOWHERE: Locality = ("", "", "")
WEIGHTS = 2**32 - 1  # weights are unsigned 32-bit integers


@dataclass(frozen=True, slots=True)
class Host:
    """An endpoint of an Envoy cluster: frozen, hashable, picklable.

    Parameters
    ----------
    id : the address as Envoy writes it: ``"10.0.0.1:80"``, ``"[::1]:80"``, or the path of a Unix socket.
    weight : `load_balancing_weight`, an integer from 1 to 2**32 - 1.
    hash_key : metadata `envoy.lb.hash_key`; if None, the entry of that name in `metadata`, if that is a string.
    hostname : of the endpoint; hashed instead of the address where `use_hostname_for_hashing` is set.
    priority : 0 is preferred; 0 to 128.
    locality : region, zone and sub-zone.
    locality_weight : `load_balancing_weight` of the locality this endpoint is listed in; 0 if it has none.
    metadata : the `envoy.lb` metadata, a mapping or pairs; kept as sorted pairs, lists and mappings inside as tuples.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: Envoy 1.40, `config.endpoint.v3` (LbEndpoint, LocalityLbEndpoints).

    Examples
    --------
    >>> Host("10.0.0.1:80", metadata={"canary": True}).canary
    True
    >>> Host("10.0.0.1:80", 3, hostname="a.example").key(use_hostname=True)
    b'a.example'
    """

    id: str
    weight: int = 1
    hash_key: str | None = None
    hostname: str = ""
    priority: int = 0
    locality: Locality = NOWHERE
    locality_weight: int = 0
    metadata: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=1, high=WEIGHTS)
        if self.hash_key is not None and not isinstance(self.hash_key, str):
            raise ConfigError("hash_key", self.hash_key, "must be a string or None")
        if not isinstance(self.hostname, str):
            raise ConfigError("hostname", self.hostname, "must be a string")
        check_integer("priority", self.priority, low=0, high=128)
        check_locality("locality", self.locality)
        check_integer("locality_weight", self.locality_weight, low=0, high=WEIGHTS)
        if not isinstance(self.metadata, tuple) or self.metadata != frozen_metadata(self.metadata):
            object.__setattr__(self, "metadata", frozen_metadata(self.metadata))

    @property
    def canary(self) -> bool:
        """Whether the metadata entry `canary` is true."""
        return self.labels.get("canary") is True

    @property
    def labels(self) -> dict[str, Any]:
        """The metadata as a new dictionary."""
        return dict(self.metadata)

    def key(self, *, use_hostname: bool = False) -> bytes:
        """What hash balancers hash of this host: hash key, else hostname if wanted, else address; the first not empty.

        A metadata entry `hash_key` that is no string is passed over, as Envoy does.
        """
        named = self.labels.get("hash_key") if self.hash_key is None and self.metadata else self.hash_key
        if isinstance(named, str) and named:
            return named.encode()
        return (self.hostname if use_hostname else self.id).encode()


def check_locality(name: str, value: object) -> Locality:
    """A locality: three strings."""
    if not isinstance(value, tuple) or len(value) != 3 or not all(isinstance(part, str) for part in value):
        raise ConfigError(name, value, "must be three strings: region, zone, sub-zone")
    return value


def frozen_metadata(metadata: object) -> tuple[tuple[str, Any], ...]:
    """Sorted pairs of a mapping or of pairs whose first parts are strings; what is inside becomes hashable.

    Raises
    ------
    ConfigError : it is no mapping and no pairs, a name is no string or occurs twice, or a value is no plain data.

    Examples
    --------
    >>> frozen_metadata({"stage": "prod", "ports": [80, 443]})
    (('ports', (80, 443)), ('stage', 'prod'))
    """
    if isinstance(metadata, Mapping):
        pairs = list(metadata.items())
    elif isinstance(metadata, (tuple, list)) and all(isinstance(p, (tuple, list)) and len(p) == 2 for p in metadata):
        pairs = [(p[0], p[1]) for p in metadata]
    else:
        raise ConfigError("metadata", metadata, "must be a mapping, or pairs of name and value")
    if not all(isinstance(name, str) for name, _ in pairs) or len({name for name, _ in pairs}) != len(pairs):
        raise ConfigError("metadata", metadata, "must have strings for names, each once")
    return tuple(sorted(((name, _frozen(value)) for name, value in pairs), key=lambda pair: pair[0]))


def _frozen(value: object) -> Any:
    if isinstance(value, Mapping):
        return frozen_metadata(value)
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(v) for v in value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ConfigError("metadata", value, "must be plain data")


def host_of(backend: Any, weight: float | None = None) -> Host:
    """`backend` as a `Host`: its own fields where it has them, Envoy's defaults otherwise.

    Parameters
    ----------
    backend : any backend. A `zone` (as an `Endpoint` has) is the zone of a locality without region.
    weight : the weight to use instead of the backend's.

    Raises
    ------
    ConfigError : the weight is no whole number from 1 to 2**32 - 1, or another field is invalid.

    Examples
    --------
    >>> from lbalgo import Endpoint
    >>> host_of(Endpoint("10.0.0.1:80", 2.0, zone="b")).locality
    ('', 'b', '')
    """
    given = backend.weight if weight is None else weight
    whole = given == given and abs(given) <= WEIGHTS and int(given) == given
    if not whole or not 1 <= given <= WEIGHTS:
        raise ConfigError(f"weights[{backend.id!r}]", given, f"must be a whole number from 1 to {WEIGHTS}")
    if isinstance(backend, Host) and backend.weight == given:
        return backend
    zone = getattr(backend, "zone", None)
    return Host(
        backend.id,
        int(given),
        hash_key=getattr(backend, "hash_key", None),
        hostname=getattr(backend, "hostname", ""),
        priority=getattr(backend, "priority", 0),
        locality=getattr(backend, "locality", NOWHERE if zone is None else ("", zone, "")),
        locality_weight=getattr(backend, "locality_weight", 0),
        metadata=getattr(backend, "metadata", ()),
    )


def hash_keys(hosts: Sequence[Host], slots: Sequence[int], use_hostname: bool) -> list[bytes] | list[str]:
    """`Host.key` of these slots; as text where the addresses are hashed.

    Examples
    --------
    >>> hash_keys([Host("a:1"), Host("b:1", hash_key="x")], (1, 0), False)
    [b'x', b'a:1']
    """
    chosen = [hosts[slot] for slot in slots]
    if use_hostname or any([h.hash_key or h.metadata for h in chosen]):  # noqa: C419 - a list is faster
        return [h.key(use_hostname=use_hostname) for h in chosen]
    return [h.id for h in chosen]


def hosts_of(view: View[Any]) -> tuple[Host, ...]:
    """A `Host` for each slot of the view, with the view's weights.

    Raises
    ------
    ConfigError : as `host_of`.

    Examples
    --------
    >>> [h.weight for h in hosts_of(View.of({"10.0.0.1:80": 2, "10.0.0.2:80": 1}))]
    [2, 1]
    """
    given: tuple[Any, ...] = view.backends
    if {type(b) for b in given} == {Host} and [b.weight for b in given] == view.weights.tolist():
        return given
    return tuple(host_of(b, w) for b, w in zip(view.backends, view.weights.tolist(), strict=True))
