"""Envoy's MAGLEV: the paper's table, with a turn rule of its own for weights.

The dialect, rule by rule:

- Hosts take their turns in the order of their key's bytes, so that listing order does not matter. Hosts of one key are
  ordered by their address in Envoy's memory, which nobody can reproduce; here they keep list order.
- offset = XXH64(key) mod T, skip = XXH64(key, seed 1) mod (T - 1) + 1.
- In round r = 1, 2, … a host of weight w takes a turn if r * w is not below its target, a sum of the greatest weight
  for each turn it had; both are doubles that round. So every host, however light, has a turn in the first round:
  Adams' method of apportionment, which favours the light.
- One host alone makes no table: it is always chosen, and Envoy's gauges say 1 entry.
- More hosts than positions: those that come last in the order get none.
- The position of a request is its hash mod T; a retry's is that of hash xor (2**64 - attempt).
- `table_size` 1 passes Envoy's validation and crashes it (a remainder by 0); it is refused here.

Costs: build O(T log T) probes expected; pick O(1); memory a byte a position, ceil(log2 N) bits beyond 256 hosts.
Whether Envoy's own table is compact is a matter of its memory alone. Source: Eisenbud et al., NSDI 2016, 3.4; Envoy
1.40 documentation, Maglev; `MaglevLbConfig`; replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import MaglevTable, Structure, TicketPicker, maglev_fill, rounds
from lbalgo.compat.envoy.bounded_load import BoundedPicker, check_balance_factor
from lbalgo.compat.envoy.composite import PriorityPicker, explain_key
from lbalgo.compat.envoy.hashed import hash_picker, hash_tables
from lbalgo.compat.envoy.host import Host, Locality
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC, check_settings, locality_from
from lbalgo.compat.envoy.normalized import Normalized
from lbalgo.compat.structures import hashes_of, salts_of, structure_check, structure_content, structure_shares
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps
from lbalgo.spec import check_bool, check_integer, from_dict, is_prime, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

TABLE_SIZE = 65537  # Envoy's default
LARGEST = 5000011  # the largest table Envoy accepts
SKIP_SEED = 1  # of the hash that makes skips


@dataclass(frozen=True)
class Maglev:
    """Envoy's Maglev balancer.

    Parameters
    ----------
    table_size : number of positions, a prime from 2 to 5000011.
    use_hostname_for_hashing : whether the hostname stands for the address in a host's key.
    hash_balance_factor : percent of the mean load a host may have, >= 100; None does not bound it.
    locality_weighted_lb_config : whether locality weights count.
    overprovisioning_factor, healthy_panic_threshold, weighted_priority_health : see `priority_load`.
    local_locality : where the proxy runs, whose locality comes first; None if unknown.
    ready_hash : whether keys are ready request hashes, ints, not to be hashed again (see `RequestHash`).

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; 1, which crashes Envoy; by `build`, a weight is no
        whole number from 1 to 2**32 - 1.

    What `build` returns is a `TicketPicker` on the native table if one priority has all traffic and load is not
    bounded, else a `PriorityPicker` or a `BoundedPicker`. Factors of signals are not looked at (Envoy's slow start does
    not reach hash balancers); states are, and rebuild the table.

    Costs: build O(T log T), pick O(1), memory 2 T bytes; disruption a little more than minimal (0.2 to 0.5 % excess at
    65537).
    Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.maglev.v3`; replayed.

    Examples
    --------
    >>> picker = Maglev(1021).build({f"127.0.0.1:{21000 + i}": i + 1 for i in range(3)})
    >>> picker.pick("key-0").id, (picker.shares() * 1021).round().astype(int).tolist()
    ('127.0.0.1:21002', [171, 341, 509])
    """

    table_size: int = TABLE_SIZE
    use_hostname_for_hashing: bool = False
    hash_balance_factor: int | None = None
    locality_weighted_lb_config: bool = False
    overprovisioning_factor: int = OVERPROVISIONING
    healthy_panic_threshold: float = PANIC
    weighted_priority_health: bool = False
    local_locality: Locality | None = None
    ready_hash: bool = False

    def __post_init__(self) -> None:
        check_integer("table_size", self.table_size, low=2, high=LARGEST)
        if not is_prime(self.table_size):
            raise ConfigError("table_size", self.table_size, "must be prime")
        check_bool("use_hostname_for_hashing", self.use_hostname_for_hashing)
        check_balance_factor(self.hash_balance_factor)
        check_settings(self)
        check_bool("ready_hash", self.ready_hash)

    @overload
    def build(
        self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None
    ) -> TicketPicker[Endpoint[Any]] | PriorityPicker[Endpoint[Any]] | BoundedPicker[Endpoint[Any]]: ...
    @overload
    def build(
        self, view: Pool[B], *, previous: Picker[B] | None = None
    ) -> TicketPicker[B] | PriorityPicker[B] | BoundedPicker[B]: ...
    def build(
        self, view: Pool[Any], *, previous: Picker[Any] | None = None
    ) -> TicketPicker[Any] | PriorityPicker[Any] | BoundedPicker[Any]:
        """A picker for this view; tables whose hosts are the previous picker's are taken over."""
        return hash_picker(self, view_of(view), previous)

    def tables(self, view: Pool[Any]) -> tuple[Structure, ...]:
        """The table of every priority, whether it has traffic or not; an empty `Structure` where it has no host.

        Examples
        --------
        >>> [table.size for table in Maglev(7).tables(["a:1", "b:1"])], Maglev(7).tables(["a:1"])[0].size
        ([7], 1)
        """
        return hash_tables(self, view_of(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Maglev:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"local_locality": locality_from})

    def explain_key(self, data: bytes) -> Steps:
        """The request hash of a key."""
        return explain_key(self, data)

    _shares = structure_shares
    _content = structure_content
    _check = structure_check

    def _plan(self, n: Normalized) -> tuple[Any, Any]:
        return n.slots, None

    def _structure(self, view: View[Any], hosts: Sequence[Host], n: Normalized, plan: Any) -> Structure:
        salts = salts_of(view)
        if len(n) == 1:
            return MaglevTable(n.slots, salts)
        keys = [hosts[slot].key(use_hostname=self.use_hostname_for_hashing) for slot in n.slots.tolist()]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        size, names = self.table_size, [keys[i] for i in order]
        offset = hashes_of(names) % np.uint64(size)
        skip = hashes_of(names, SKIP_SEED) % np.uint64(size - 1) + np.uint64(1)
        turns = rounds(n.weights[order], size)
        table = np.asarray(maglev_fill(turns, offset.astype(np.uint32), skip.astype(np.uint32), size))
        return MaglevTable(n.slots[order][table], salts)
