"""What Envoy's subset and override host balancers look at besides the key: drawn, written as configuration, and told.

Each configuration has a few routes that want different metadata; a request takes one of them.
"""

from __future__ import annotations

import random
from typing import Any

from lbalgo.compat import envoy
from tests.live.client import get
from tests.live.drawing import Config

KINDS = ("subset", "override")
ROUTES = 6  # of a configuration with subsets
DEST = "x-dest"
_VALUES: dict[str, list[Any]] = {
    "stage": ["prod", "test", "dev"],
    "version": ["1", "2", 3],
    "canary": [True, False],
    "zone": ["a", "b", ["a", "c"], []],
}
_POLICIES = "type.googleapis.com/envoy.extensions.load_balancing_policies"


def draw(rng: random.Random, config: Config) -> None:
    """Adds to a configuration with keys what its kind has more."""
    if config["kind"] == "override":
        count = len(config["hosts"])
        config["named"] = [_named(rng, count) for _ in config["keys"]]
        return
    for host in config["hosts"]:
        host["labels"] = {name: rng.choice(values) for name, values in _VALUES.items() if rng.random() < 0.75}
    config["subset"] = _settings(rng)
    if "locality_weights" in config and rng.random() < 0.7:
        config["subset"] |= {"locality_weight_aware": True, "scale_locality_weight": rng.random() < 0.5}
    config["routes"] = [_wanted(rng, config) for _ in range(ROUTES)]
    config["by"] = [rng.randrange(ROUTES) for _ in config["keys"]]


def _named(rng: random.Random, count: int) -> list[int | str]:
    """The hosts a request names, by index; others are no hosts."""
    if rng.random() < 0.3:
        return []
    return [rng.choice([rng.randrange(count), rng.randrange(count), "127.0.0.1:9"]) for _ in range(rng.randint(1, 3))]


def _settings(rng: random.Random) -> dict[str, Any]:
    fallbacks = ["NO_FALLBACK", "ANY_ENDPOINT", "DEFAULT_SUBSET"]
    made: dict[str, Any] = {
        "fallback_policy": rng.choice(fallbacks),
        "default_subset": {"stage": rng.choice(_VALUES["stage"])},
        "subset_selectors": [],
    }
    drawn = {tuple(sorted(rng.sample(sorted(_VALUES), rng.randint(1, 3)))) for _ in range(rng.randint(1, 4))}
    for names in sorted(drawn):  # the order of a set differs from run to run
        selector: dict[str, Any] = {"keys": list(names)}
        fallback = rng.choice(["NOT_DEFINED", *fallbacks, *(["KEYS_SUBSET"] if len(names) > 1 else [])])
        if fallback != "NOT_DEFINED":
            selector["fallback_policy"] = fallback
        if fallback == "KEYS_SUBSET":
            selector["fallback_keys_subset"] = rng.sample(names, rng.randint(1, len(names) - 1))
        if rng.random() < 0.2:
            selector["single_host_per_subset"] = True
        made["subset_selectors"].append(selector)
    made["subset_selectors"].sort(key=lambda selector: rng.random())
    made |= {word: True for word in ("list_as_any", "panic_mode_any", "allow_redundant_keys") if rng.random() < 0.3}
    return made


def _wanted(rng: random.Random, config: Config) -> dict[str, Any]:
    """The metadata a route wants: mostly of a selector's keys, with values that some host may have."""
    keys = rng.choice(config["subset"]["subset_selectors"])["keys"]
    names = keys if rng.random() < 0.8 else rng.sample(sorted(_VALUES), rng.randint(1, 3))
    return {name: rng.choice([v for v in _VALUES[name] if not isinstance(v, list)] + ["c"]) for name in names}


def wrapped(config: Config, inside: dict[str, Any]) -> dict[str, Any]:
    """The extension around the one that balances; that one itself for other kinds."""
    within = {"policies": [{"typed_extension_config": inside}]}
    if config["kind"] == "subset":
        body = {"@type": f"{_POLICIES}.subset.v3.Subset", **config["subset"], "subset_lb_policy": within}
        return {"name": "envoy.load_balancing_policies.subset", "typed_config": body}
    if config["kind"] == "override":
        body = {"@type": f"{_POLICIES}.override_host.v3.OverrideHost", "fallback_policy": within}
        body["override_host_sources"] = [{"header": DEST}]
        return {"name": "envoy.load_balancing_policies.override_host", "typed_config": body}
    return inside


def routes(config: Config, prefix: str, action: dict[str, Any]) -> list[dict[str, Any]]:
    """The routes to a cluster: one, or one for each metadata wanted."""
    if config["kind"] != "subset":
        return [{"match": {"prefix": f"{prefix}/"}, "route": action}]
    return [
        {
            "match": {"prefix": f"{prefix}/{number}/"},
            "route": {**action, "metadata_match": {"filter_metadata": {"envoy.lb": wanted}}},
        }
        for number, wanted in enumerate(config["routes"])
    ]


def requests(config: Config, prefix: str) -> list[bytes]:
    """The requests in order, as sent."""
    if config["kind"] == "subset":
        return [
            get(f"{prefix}/{number}/x", [("x-key", key)])
            for number, key in zip(config["by"], config["keys"], strict=True)
        ]
    named = [", ".join(_addresses(config, some)) for some in config["named"]]
    return [
        get(f"{prefix}/x", [("x-key", key), *([(DEST, names)] if names else [])])
        for names, key in zip(named, config["keys"], strict=True)
    ]


def _addresses(config: Config, named: list[int | str]) -> list[str]:
    return [config["addresses"][name] if isinstance(name, int) else name for name in named]


def contexts(config: Config) -> list[envoy.SelectionContext]:
    """What `lbalgo` is told of each request."""
    if config["kind"] == "subset":
        wanted = [config["routes"][number] for number in config["by"]]
        return [envoy.SelectionContext(w, key=key) for w, key in zip(wanted, config["keys"], strict=True)]
    headers = [{DEST: ",".join(_addresses(config, named))} if named else {} for named in config["named"]]
    return [envoy.SelectionContext(headers=h, key=key) for h, key in zip(headers, config["keys"], strict=True)]


def policy(config: Config, inside: Any) -> Any:
    """The policy that `lbalgo` has for it, around the one that balances."""
    if config["kind"] == "override":
        return envoy.OverrideHost(inside, (envoy.OverrideHostSource(DEST),))
    if config["kind"] != "subset":
        return inside
    given = dict(config["subset"])
    selectors = tuple(
        envoy.SubsetSelector(
            tuple(selector["keys"]),
            envoy.SubsetFallback[selector.get("fallback_policy", "NOT_DEFINED")],
            tuple(selector.get("fallback_keys_subset", ())),
            selector.get("single_host_per_subset", False),
        )
        for selector in given.pop("subset_selectors")
    )
    fallback, subset = envoy.SubsetFallback[given.pop("fallback_policy")], given.pop("default_subset")
    return envoy.Subset(inside, selectors, fallback, subset, **given)
