"""What pylibmc's behaviours come to: a dict in any order, applied in an order of its own.

pylibmc sets hash, ketama_hash, ketama, ketama_weighted and distribution, in this order, before it adds servers. Each
may undo what an earlier one did: ketama_weighted makes the key hash md5 whatever hash says, and a distribution after it
may leave that hash behind on another kind of ring. ketama_hash changes nothing.

Source: pylibmc documentation, "Behaviors"; what results was captured with the decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.compat.memcached.libmemcached import Libmemcached, LibmemcachedDistribution, LibmemcachedHash, Version
from lbalgo.errors import ConfigError

UNREAD = frozenset(  # behaviours that do not decide which server gets a key
    {
        "no_block",
        "tcp_nodelay",
        "tcp_keepalive",
        "cache_lookups",
        "support_cas",
        "buffer_requests",
        "verify_keys",
        "connect_timeout",
        "retry_timeout",
        "dead_timeout",
        "receive_timeout",
        "send_timeout",
        "rcv_timeout",
        "snd_timeout",
        "num_replicas",
        "failure_limit",
        "_poll_timeout",
        "_socket_send_size",
        "_socket_recv_size",
        "_io_bytes_watermark",
        "_io_key_prefetch",
        "_io_msg_watermark",
        "pickle_protocol",
        "ketama_hash",
    }
)
FLAGS = {
    "remove_failed": "auto_eject_hosts",
    "auto_eject": "auto_eject_hosts",
    "_auto_eject_hosts": "auto_eject_hosts",
    "_sort_hosts": "sort_hosts",
    "_hash_with_prefix_key": "hash_with_prefix_key",
}


def pylibmc(behaviors: Mapping[str, Any], version: Version = Version.V1_0_16) -> Libmemcached:
    """The client that `pylibmc.Client(servers, behaviors=behaviors)` is.

    Parameters
    ----------
    behaviors : as pylibmc takes them: hash and distribution by name ("consistent ketama", or with underscores), flags
        as truth values.
    version : of the library pylibmc is linked to; its wheels carry 1.0.16.

    Raises
    ------
    ConfigError : a behaviour, or the value of one, is unknown or refused.

    Cost: O(1). Source: pylibmc, "Behaviors".

    Examples
    --------
    >>> pylibmc({"ketama_weighted": True, "hash": "fnv1a_64"}).hash
    <LibmemcachedHash.MD5: 'md5'>
    """
    if not isinstance(behaviors, Mapping):
        raise ConfigError("behaviors", behaviors, "must be a mapping")
    hash, distribution, weighted = LibmemcachedHash.DEFAULT, LibmemcachedDistribution.MODULA, False
    flags: dict[str, Any] = {}
    for name, value in behaviors.items():
        if name in FLAGS:
            flags[FLAGS[name]] = flags.get(FLAGS[name], False) or bool(value)
        elif name not in UNREAD and name not in ("hash", "ketama", "ketama_weighted", "distribution"):
            raise ConfigError(f"behaviors[{name!r}]", value, "is no behavior that is known")
    if "hash" in behaviors:
        hash = _named(LibmemcachedHash, "hash", behaviors["hash"])
    for name in ("ketama", "ketama_weighted"):
        if name not in behaviors:
            continue
        if name == "ketama_weighted" and behaviors[name]:
            hash, distribution, weighted = LibmemcachedHash.MD5, LibmemcachedDistribution.CONSISTENT_WEIGHTED, True
        elif name == "ketama_weighted" or behaviors[name]:  # ketama_weighted off turns ketama on
            distribution, weighted = LibmemcachedDistribution.CONSISTENT_KETAMA, False
        else:
            distribution = LibmemcachedDistribution.MODULA
    if "distribution" in behaviors:
        distribution = _named(LibmemcachedDistribution, "distribution", behaviors["distribution"])
        if distribution is LibmemcachedDistribution.CONSISTENT_WEIGHTED:
            weighted = True
        elif distribution in (LibmemcachedDistribution.CONSISTENT, LibmemcachedDistribution.CONSISTENT_KETAMA):
            weighted = False
    return Libmemcached(hash, distribution, weighted, version=version, **flags)


def _named(kind: Any, name: str, value: Any) -> Any:
    for member in kind:
        if value in (member, member.value, member.value.replace(" ", "_")):
            return member
    raise ConfigError(f"behaviors[{name!r}]", value, f"must be one of {', '.join(m.value for m in kind)}")
