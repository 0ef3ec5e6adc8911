"""The settings of subsets, read: `lb_subset_config` of a cluster, or the message of the typed extension.

Source: Envoy 1.40, `config.cluster.v3.Cluster.LbSubsetConfig`, `subset.v3.Subset`.
"""

from __future__ import annotations

from typing import Any

from lbalgo.compat.config import Fields
from lbalgo.compat.envoy.policy_config import built
from lbalgo.compat.envoy.scalars import enum_of
from lbalgo.compat.envoy.subset import MetadataFallback, Subset, SubsetFallback, SubsetSelector
from lbalgo.errors import ConfigError

OF_ALL = ("NO_FALLBACK", "ANY_ENDPOINT", "DEFAULT_SUBSET")
OF_SELECTORS = ("NOT_DEFINED", *OF_ALL, "KEYS_SUBSET")
SWITCHES = ("locality_weight_aware", "scale_locality_weight", "panic_mode_any", "list_as_any")


def subset(fields: Fields, policy: Any, given: dict[str, Any]) -> Subset:
    """`policy` within subsets.

    Parameters
    ----------
    given : parameters of `Subset` that only one of the two messages has.

    Raises
    ------
    ConfigError : a field has a wrong type or value.
    """
    fallback = fields.take("metadata_fallback_policy", enum_of(("METADATA_NO_FALLBACK", "FALLBACK_LIST")), None)
    switches = {name: fields.take(name, bool, False) for name in SWITCHES}
    if switches["locality_weight_aware"] and not getattr(policy, "locality_weighted_lb_config", True):
        why = "needs locality_weighted_lb_config"
        raise ConfigError(fields.where("locality_weight_aware"), True, why)
    return built(
        fields,
        Subset,
        policy,
        tuple(_selector(entry) for entry in fields.sections("subset_selectors")),
        SubsetFallback[fields.take("fallback_policy", enum_of(OF_ALL), "NO_FALLBACK")],
        fields.take("default_subset", dict, {}),
        metadata_fallback_policy=MetadataFallback[fallback or "METADATA_NO_FALLBACK"],
        **switches,
        **given,
    )


def _selector(entry: Fields) -> SubsetSelector:
    return built(
        entry,
        SubsetSelector,
        tuple(entry.take_list("keys", str)),
        SubsetFallback[entry.take("fallback_policy", enum_of(OF_SELECTORS), "NOT_DEFINED")],
        tuple(entry.take_list("fallback_keys_subset", str)),
        entry.take("single_host_per_subset", bool, False),
    )
