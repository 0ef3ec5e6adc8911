"""Envoy's hash balancers: hash_picks, hash_policy_retry, bounded_load, eds_changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo import NoBackend, Outcome, State, View
from lbalgo.active import MaglevTable, Ring
from lbalgo.compat import envoy
from tests.golden.systems import Replayed, Strange, count_mismatches, kind_of

NOBODY = "!"
STATES = {
    None: State.HEALTHY,
    "HEALTHY": State.HEALTHY,
    "UNKNOWN": State.HEALTHY,
    "DEGRADED": State.DEGRADED,
    "UNHEALTHY": State.UNHEALTHY,
    "TIMEOUT": State.UNHEALTHY,
    "DRAINING": State.DRAINING,
}
HOST = {"addr", "weight", "hash_key", "hostname", "health", "prio", "loc"}
CLUSTER = {
    "policy",
    "hosts",
    "table",
    "min_ring",
    "max_ring",
    "fn",
    "use_hostname",
    "panic",
    "overprov",
    "weighted_priority_health",
    "locality_weighted",
    "localities",
}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """Each configuration of a file; which kind it is shows in its fields."""
    kinds = {
        "hash_picks": _hash_picks,
        "hash_policy_retry": _policy_retry,
        "bounded_load": _bounded,
        "eds_changes": _eds,
    }
    kind = stem if stem in kinds else kind_of(data)
    if kind not in kinds:
        raise Strange(f"{stem!r} holds {sorted(data)}")
    return kinds[kind](data)


def known(what: str, given: Any, fields: set[str]) -> None:
    """Refuses fields nobody has thought of."""
    if set(given) - fields:
        raise Strange(f"{what}: {sorted(set(given) - fields)}")


def cluster(name: str, cfg: Any) -> tuple[Any, View[envoy.Host]]:
    """Policy and view of a configuration whose hosts are given in full."""
    places = cfg.get("localities") or {}
    hosts, states = [], {}
    for h in cfg["hosts"]:
        known(name, h, HOST)
        if h.get("health") not in STATES:
            raise Strange(f"{name}: health {h['health']!r}")
        loc = h.get("loc")
        if loc is not None and not isinstance(loc, str):
            raise Strange(f"{name}: locality {loc!r}")
        if isinstance(places, dict):
            weight = places.get(loc, 0)
        else:
            raise Strange(f"{name}: localities {places!r}")
        own = h.get("hash_key")  # of another type than string it is metadata like any other
        hosts.append(
            envoy.Host(
                h["addr"],
                h.get("weight") or 1,
                hash_key=own if isinstance(own, str) else None,
                metadata={} if own is None or isinstance(own, str) else {"hash_key": own},
                hostname=h.get("hostname") or "",
                priority=h.get("prio") or 0,
                locality=("", loc or "", ""),
                locality_weight=weight or 0,
            )
        )
        states[h["addr"]] = STATES[h.get("health")]
    return policy_of(name, cfg), View.of(hosts, states=states)


def policy_of(name: str, cfg: Any) -> Any:
    """RingHash or Maglev as configured; None is Envoy's default."""
    shared = {
        "use_hostname_for_hashing": cfg.get("use_hostname"),
        "healthy_panic_threshold": cfg.get("panic"),
        "overprovisioning_factor": cfg.get("overprov"),
        "weighted_priority_health": cfg.get("weighted_priority_health"),
        "locality_weighted_lb_config": cfg.get("locality_weighted"),
        "hash_balance_factor": cfg.get("balance"),
    }
    if cfg["policy"] == "maglev":
        if cfg.get("fn") is not None or cfg.get("min_ring") is not None or cfg.get("max_ring") is not None:
            raise Strange(f"{name}: a Maglev table with ring parameters")
        return envoy.Maglev(**_given(shared, table_size=cfg.get("table")))
    if cfg["policy"] == "ring_hash":
        if cfg.get("table") is not None:
            raise Strange(f"{name}: a ring with a table size")
        function = cfg.get("fn")
        if function is not None and function not in envoy.HashFunction.__members__:
            raise Strange(f"{name}: hash function {function!r}")
        return envoy.RingHash(
            **_given(
                shared,
                minimum_ring_size=cfg.get("min_ring"),
                maximum_ring_size=cfg.get("max_ring"),
                hash_function=None if function is None else envoy.HashFunction[function],
            ),
            libcxx_sort=True,
        )
    raise Strange(f"{name}: policy {cfg['policy']!r}")


def _given(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {k: v for part in (*parts, more) for k, v in part.items() if v is not None}


def pick_of(picker: Any, key: Any) -> str | None:
    """The id picked; None where Envoy answers that there is no healthy upstream."""
    try:
        found: str = picker.pick(key).id
    except NoBackend:
        return None
    return found


def letters(alphabet: str, picker: Any, keys: Any, ids: dict[str, int]) -> str:
    """One character for each key."""
    found = [pick_of(picker, key) for key in keys]
    return "".join(NOBODY if i is None else alphabet[ids[i]] for i in found)


def _hash_picks(data: Any) -> Iterator[Replayed]:
    known("hash_picks", data, {"alphabet", "cfg", "keys", "meta", "note"})
    for name, cfg in data["cfg"].items():
        known(name, cfg, CLUSTER | {"picks", "tables", "stats", "note"})
        policy, view = cluster(name, cfg)
        picker = policy.build(view)
        ids = {i: slot for slot, i in enumerate(view.ids)}
        got = letters(data["alphabet"], picker, data["keys"], ids)
        wrong, checked = count_mismatches(cfg["picks"], got), len(cfg["picks"])
        for mine, theirs in _tables(name, cfg, policy, view) + _stats(name, cfg, policy, view):
            checked += 1
            wrong += mine != theirs
        yield Replayed(name, checked, wrong)


def _sha(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tables(name: str, cfg: Any, policy: Any, view: View[envoy.Host]) -> list[tuple[Any, Any]]:
    """Facts about the tables, mine and the captured."""
    facts: list[tuple[Any, Any]] = []
    made = [t for t in policy.tables(view) if isinstance(t, Ring) or (isinstance(t, MaglevTable) and t.size > 1)]
    if cfg.get("tables") is None:
        return facts
    given = [t for t in cfg["tables"] if t["size"]]  # a priority without hosts has an empty one, or none
    facts.append((len(made), len(given)))
    for table, wanted in zip(made, given, strict=False):
        known(name, wanted, {"first", "sha256", "ring_sha256", "gen_sha256", "size"})
        facts.append((table.size, wanted["size"]))
        if isinstance(table, MaglevTable):
            if "ring_sha256" in wanted or "gen_sha256" in wanted:
                raise Strange(f"{name}: a ring's digest of a table")
            slots = [view.ids[s] for s in np.asarray(table.table()).tolist()]
            facts.append((slots[: len(wanted["first"])], wanted["first"]))
            facts.append((_sha(slots), wanted["sha256"]))
            continue
        owners = np.asarray(table.owners()).tolist()
        points = [int(p) for p in np.asarray(table.points(), dtype=np.uint64)]
        keys = [h.key(use_hostname=policy.use_hostname_for_hashing).decode() for h in view.backends]
        ring = [(keys[o], p) for o, p in zip(owners, points, strict=True)]
        facts.append(([list(e) for e in ring[: len(wanted["first"])]], [list(e) for e in wanted["first"]]))
        facts.append((_sha([f"{p}\t{k}" for k, p in ring]), wanted["ring_sha256"]))
        if "gen_sha256" in wanted:
            facts.append((_sha(_generated(policy, view, table, keys)), wanted["gen_sha256"]))
    return facts


def _generated(policy: Any, view: View[envoy.Host], table: Any, keys: list[str]) -> list[str]:
    """The points in the order in which they were made, numbers found again from how many each host has."""
    counts = np.bincount(np.asarray(table.owners()), minlength=len(view))
    order = range(len(view))
    if policy.locality_weighted_lb_config:
        sets = envoy.host_sets(view.backends, view.states.tolist(), policy.local_locality)
        order = [slot for s in sets for place in s.localities for slot in place.hosts]
    lines = []
    for slot in order:
        for k in range(int(counts[slot])):
            text = f"{keys[slot]}_{k}"
            lines.append(f"{text}\t{policy.hash_function.digest(text.encode())}")
    return lines


def _stats(name: str, cfg: Any, policy: Any, view: View[envoy.Host]) -> list[tuple[Any, Any]]:
    """Envoy's gauges: sizes are the last priority's, memberships the cluster's."""
    stats = cfg.get("stats") or {}
    states = view.states.tolist()
    mine: dict[str, Any] = {
        "membership_total": len(view),
        "membership_healthy": states.count(State.HEALTHY),
        "membership_degraded": states.count(State.DEGRADED),
        "membership_excluded": states.count(State.DRAINING),
    }
    table: Any = policy.tables(view)[-1]
    if isinstance(table, (Ring, MaglevTable)):
        owners = np.asarray(table.owners() if isinstance(table, Ring) else table.table())
        hosts = _in_table(policy, view)
        counts = np.bincount(owners, minlength=len(view))[hosts]
        kind = "hashes" if isinstance(table, Ring) else "entries"
        mine |= {f"min_{kind}_per_host": int(counts.min()), f"max_{kind}_per_host": int(counts.max())}
        if isinstance(table, Ring):
            mine["size"] = table.size
    else:
        empty = ("min_hashes_per_host", "max_hashes_per_host", "min_entries_per_host", "max_entries_per_host", "size")
        mine |= dict.fromkeys(empty, 0)
    known(name, stats, set(mine))
    return [(mine[field], value) for field, value in stats.items()]


def _in_table(policy: Any, view: View[envoy.Host]) -> list[int]:
    """The hosts of the last priority's table, those that got nothing included."""
    hosts, states = view.backends, view.states.tolist()
    sets = envoy.host_sets(hosts, states, policy.local_locality)
    load = envoy.priority_load(
        sets,
        hosts,
        overprovisioning_factor=policy.overprovisioning_factor,
        healthy_panic_threshold=policy.healthy_panic_threshold,
        weighted_priority_health=policy.weighted_priority_health,
    )
    last = sets[-1]
    return list(last.hosts if load.panic[-1] else last.healthy)


def _policy_retry(data: Any) -> Iterator[Replayed]:
    known("hash_policy_retry", data, {"alphabet", "clusters", "policy", "retry", "meta", "note"})
    built = {}
    for name, cfg in data["clusters"].items():
        known(name, cfg, CLUSTER)
        policy, view = cluster(name, cfg)
        built[name] = policy.build(view), {i: slot for slot, i in enumerate(view.ids)}
    for name, cfg in data.get("policy", {}).items():
        known(name, cfg, {"policies", "rows", "cluster", "note"})
        picker, ids = built[cfg.get("cluster", "hp_mg")]
        request_hash = envoy.RequestHash.from_config(cfg["policies"])
        wrong = 0
        for headers, path, wanted in cfg["rows"]:
            request = envoy.Request(headers=headers, path=path, source_ip="127.0.0.1")
            h = request_hash.hash(request)
            if h is None:
                raise Strange(f"{name}: a request without a hash goes anywhere")
            wrong += ids[picker.backends[picker.slot(h)].id] != wanted
        yield Replayed(f"policy {name}", len(cfg["rows"]), wrong)
    for name, cfg in data.get("retry", {}).items():
        known(name, cfg, {"key_format", "max_attempts", "predicate", "seqs", "cluster", "note"})
        where = cfg.get("cluster", name.rpartition("/")[2])
        if where not in built:
            raise Strange(f"{name}: cluster {where!r}")
        picker, ids = built[where]
        retry = envoy.RetryPolicy(
            **_given(host_selection_retry_max_attempts=cfg.get("max_attempts")),
            previous_hosts=bool(cfg.get("predicate")),
        )
        wrong = total = 0
        for i, seq in enumerate(cfg["seqs"]):
            h = int(picker.tickets([cfg["key_format"] % i])[0])
            tried: list[str] = []
            for _ in seq:
                tried.append(retry.choose(picker, h, tried).id)
            wrong += count_mismatches(seq, [ids[t] for t in tried])
            total += len(seq)
        yield Replayed(f"retry {name}", total, wrong)


def _bounded(data: Any) -> Iterator[Replayed]:
    known("bounded_load", data, {"alphabet", "cfg", "meta", "note"})
    for name, cfg in data["cfg"].items():
        known(name, cfg, CLUSTER | {"balance", "ops", "note"})
        policy, view = cluster(name, cfg)
        picker = policy.build(view)
        ids = {i: slot for slot, i in enumerate(view.ids)}
        started: list[int | None] = []
        decisions = wrong = 0
        for op in cfg["ops"]:
            if op[0] == "+":
                found = pick_of(picker, op[1])
                slot = None if found is None else ids[found]
                decisions += 1
                wrong += slot != (None if op[2] == NOBODY else op[2])
                started.append(slot)
                if slot is not None:
                    picker.load.started(int(picker.rows[slot]), 1.0, 0.0)
            elif op[0] == "-":
                row = started[op[1]]
                if row is not None:
                    picker.load.finished(int(picker.rows[row]), Outcome.SUCCESS, None, 0.0)
            else:
                raise Strange(f"{name}: {op!r}")
        yield Replayed(name, decisions, wrong)


def _eds(data: Any) -> Iterator[Replayed]:
    known("eds_changes", data, {"alphabet", "cfg", "keys", "meta", "note"})
    keys = data.get("keys") or [*(f"key-{i}" for i in range(800)), *map(str, range(200))]  # hash_picks' first
    for name, cfg in data["cfg"].items():
        fields = {"policy", "phases", "ring_hash_lb_config", "maglev_lb_config", "witness", "note"}
        known(name, cfg, fields)
        policy = _eds_policy(name, cfg)
        decisions = wrong = 0
        picker = None
        for phase in cfg["phases"]:
            known(name, phase, {"hosts", "picks", "note"})
            hosts = [envoy.Host(f"127.0.0.1:{21000 + port}", weight or 1) for port, weight, _ in phase["hosts"]]
            if any(health not in STATES for *_, health in phase["hosts"]):
                raise Strange(f"{name}: health in {phase['hosts']!r}")
            states = {h.id: STATES[health] for h, (*_, health) in zip(hosts, phase["hosts"], strict=True)}
            picker = policy.build(View.of(hosts, states=states), previous=picker)
            ids = {h.id: port for h, (port, *_) in zip(hosts, phase["hosts"], strict=True)}
            asked = keys[: len(phase["picks"])] if cfg["policy"] != "round_robin" else [None] * len(phase["picks"])
            if len(asked) != len(phase["picks"]):
                raise Strange(f"{name}: {len(phase['picks'])} picks")
            wrong += count_mismatches(phase["picks"], letters(data["alphabet"], picker, asked, ids))
            decisions += len(phase["picks"])
        yield Replayed(name, decisions, wrong)


def _eds_policy(name: str, cfg: Any) -> Any:
    if cfg["policy"] == "maglev":
        given = cfg.get("maglev_lb_config") or {}
        known(name, given, {"table_size"})
        return envoy.Maglev(**_given(given))
    if cfg["policy"] == "ring_hash":
        given = dict(cfg.get("ring_hash_lb_config") or {})
        known(name, given, {"minimum_ring_size", "maximum_ring_size", "hash_function"})
        if "hash_function" in given:
            given["hash_function"] = envoy.HashFunction[given["hash_function"]]
        return envoy.RingHash(**given, libcxx_sort=True)
    if cfg["policy"] == "round_robin":
        return envoy.RoundRobin(edf_start=cfg["witness"])
    raise Strange(f"{name}: policy {cfg['policy']!r}")
