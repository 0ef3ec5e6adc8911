"""Cassandra-style virtual nodes: a ring of tokens, many to a node, and replicas at the next nodes along the ring.

Each node has `num_tokens` positions on the ring; a key belongs to the first token at or after its own, and its replicas
are the next distinct nodes from there, of other racks first. `balancer.picker.replicas(key)` names them.

Few random tokens make uneven shares (16 spread by 25 % of the mean, 256 by 6 %). Cassandra 2 drew 256; since 3 it can
choose tokens so that shares come out even, for which 16 are enough, but which depends on who joined when. Here they are
drawn.

Costs: those of `RingHash` and `TopK`.
Source: Apache Cassandra, conf/cassandra.yaml; its documentation, Dynamo.
"""

from __future__ import annotations

from lbalgo.policies.ring_hash import RingHash
from lbalgo.policies.top_k import TopK
from lbalgo.presets.preset import Preset, Source

NUM_TOKENS = 16
REPLICAS = 3
YAML, DYNAMO = "Apache Cassandra, conf/cassandra.yaml", "Apache Cassandra, documentation, Dynamo"


def cassandra(num_tokens: int = NUM_TOKENS, *, replicas: int = REPLICAS) -> Preset:
    """A token ring with virtual nodes and replicas spread over racks (`zone` of the backends).

    Parameters
    ----------
    num_tokens : tokens of a node of weight 1, >= 1.
    replicas : the replication factor, >= 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: those of `RingHash` and `TopK`.
    Source: Apache Cassandra, conf/cassandra.yaml.

    Examples
    --------
    >>> balancer = cassandra().balancer(["a", "b", "c", "d"], seed=0)
    >>> len({node.id for node in balancer.picker.replicas("user-17")})
    3
    """
    return Preset(
        "Cassandra-style vnodes",
        TopK(RingHash(num_tokens), replicas),
        sources=(
            Source("RingHash.points", YAML, "num_tokens"),
            Source("TopK.k", YAML, "allocate_tokens_for_local_replication_factor"),
            Source("RingHash.lookup", DYNAMO, "Consistent Hashing using a Token Ring: ranges (t1, t2]"),
            Source("TopK.spread", DYNAMO, "NetworkTopologyStrategy: replicas from different racks"),
        ),
        unconfirmed=(
            "In which order nodes of racks that have a replica already follow: the stable sort by zone is ours.",
            "What is done when few nodes are up: the panic threshold of 50 % is ours.",
        ),
        differs=(
            "Tokens are chosen for even shares there; here they are drawn, so that shares spread by chance.",
            "Keys are hashed by XXH64, not by Cassandra's variant of Murmur3: who owns a key is another matter there.",
        ),
    )
