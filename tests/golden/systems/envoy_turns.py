"""Envoy's balancers without a key: round_robin, least_request, slow_start, zone_aware, orca_weights, load_split.

Where the real program drew at random and nothing pins the draws, counts are compared with the exact law of the decision
and so are counts of our own picks: an entry is a mismatch if it is further from its law than Bernstein's inequality
allows with a probability of `ALPHA` for the whole configuration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from lbalgo import NoBackend, Outcome, State, View
from lbalgo.compat import envoy
from tests.golden.systems import Replayed, Strange, count_mismatches, kind_of

ALPHA = 1e-6  # chance that a correct program fails a configuration
SEED = 20_240_229  # of our own draws
BOOK = {"health_by_priority", "n", "no_host", "picks", "policy"}  # of load_split: what is not a setting
POINTS = 0.015  # of slow start: share of a bin, and what half a pick is of it
STATES = {"h": State.HEALTHY, "u": State.UNHEALTHY, "d": State.DEGRADED, "x": State.DRAINING}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """Each configuration of a file; which kind it is shows in its name or its fields."""
    kinds = {
        "round_robin": _round_robin,
        "least_request": _least_request,
        "slow_start": _slow_start,
        "zone_aware": _zone_aware,
        "orca_weights": _orca,
        "load_split": _load_split,
    }
    kind = stem if stem in kinds else kind_of(data)
    if kind not in kinds:
        raise Strange(f"{stem!r} holds {sorted(data)}")
    return kinds[kind](data)


def known(what: str, given: Any, fields: set[str]) -> None:
    """Refuses fields nobody has thought of."""
    if unknown := set(given) - fields - {"meta", "note"}:
        raise Strange(f"{what}: {sorted(unknown)}")


def plain(value: Any) -> Any:
    """A value as JSON has it: wrapped, or a duration."""
    if isinstance(value, dict) and set(value) == {"value"}:
        value = value["value"]
    if isinstance(value, str) and value.endswith("s") and value[:-1].replace(".", "", 1).isdigit():
        return float(value[:-1])
    return value


def allowed(n: int, p: float, entries: int) -> float:
    """How far a binomial count may be from n p: beyond, the chance is below ALPHA / entries (Bernstein)."""
    if p in (0.0, 1.0):
        return 0.0
    log = math.log(2.0 * entries / ALPHA)
    return log / 3.0 + math.sqrt(log * log / 9.0 + 2.0 * log * n * p * (1.0 - p))


def beyond(counts: Sequence[int], law: Sequence[float], n: int) -> int:
    """Entries further from the law than allowed."""
    far = sum(abs(c - n * p) > allowed(n, p, len(law)) + 1e-9 * n for c, p in zip(counts, law, strict=True))
    return far + (sum(counts) != n)


def counted(picker: Any, n: int, ids: Sequence[str]) -> list[int]:
    """How often each id is picked."""
    counts = dict.fromkeys(ids, 0)
    for _ in range(n):
        counts[picker.pick().id] += 1
    return list(counts.values())


def place(name: str) -> envoy.Locality:
    """A locality known by one name."""
    return ("", name, "")


def _round_robin(data: Any) -> Iterator[Replayed]:
    known("round_robin", data, {"cfg"})
    for name, cfg in data["cfg"].items():
        known(name, cfg, {"weights", "runs", "locality", "locality_weights"})
        weights, by_locality = cfg["weights"], cfg.get("locality_weights") or {}
        names = cfg.get("locality") or [""] * len(weights)
        hosts = [
            envoy.Host(str(i), weight, locality=place(where), locality_weight=by_locality.get(where, 0))
            for i, (weight, where) in enumerate(zip(weights, names, strict=True))
        ]
        decisions = wrong = 0
        for run in cfg["runs"]:
            known(name, run, {"picks", "rr_offset", "witness", "locality_witness", "mismatch"})
            offset, starts = run.get("rr_offset", 0), dict[str, Any]()
            if isinstance(offset, dict):
                starts["locality_starts"] = tuple(offset[where] for where in sorted(set(names)))
            else:
                starts["start"] = offset
            policy = envoy.RoundRobin(
                locality_weighted_lb_config=bool(by_locality),
                edf_start=run.get("witness"),
                locality_start=run.get("locality_witness"),
                **starts,
            )
            picker = policy.build(hosts)
            wrong += count_mismatches(run["picks"], [int(picker.pick().id) for _ in run["picks"]])
            decisions += len(run["picks"])
        yield Replayed(name, decisions, wrong)


def _least_request(data: Any) -> Iterator[Replayed]:
    known("least_request", data, {"edf", "stat"})
    for name, cfg in data.get("edf", {}).items():
        known(name, cfg, {"bias", "ops", "weights", "witness_picks"})
        yield Replayed(name, *_least_request_edf(cfg))
    for name, cfg in data.get("stat", {}).items():
        known(name, cfg, {"active", "n", "params", "picks"})
        yield Replayed(name, *_least_request_stat(name, cfg))


def _least_request_edf(cfg: Any) -> tuple[int, int]:
    policy = envoy.LeastRequest(active_request_bias=cfg.get("bias", 1.0), edf_start=cfg["witness_picks"])
    picker = policy.build([envoy.Host(str(i), weight) for i, weight in enumerate(cfg["weights"])])
    sent: list[int] = []
    decisions = wrong = 0
    for op in cfg["ops"]:
        if op < 0:
            picker.load.finished(sent[-op - 1], Outcome.SUCCESS, None, 0.0)
            continue
        host = int(picker.pick().id)
        decisions += 1
        wrong += host != op
        picker.load.started(op, 1.0, 0.0)  # the host that really has it, so that one mismatch does not make others
        sent.append(op)
    return decisions, wrong


def _least_request_stat(name: str, cfg: Any) -> tuple[int, int]:
    given = {field: plain(value) for field, value in cfg["params"].items()}
    known(name, given, {"choice_count", "selection_method", "enable_full_scan", "active_request_bias"})
    if "selection_method" in given:
        given["selection_method"] = envoy.SelectionMethod[given["selection_method"]]
    if isinstance(given.get("active_request_bias"), dict):
        given["active_request_bias"] = given["active_request_bias"]["default_value"]
    policy, active = envoy.LeastRequest(**given), cfg["active"]
    full = policy.enable_full_scan or policy.selection_method is envoy.SelectionMethod.FULL_SCAN
    law = envoy.choice_law(active, policy.choice_count, full_scan=full)
    picker = policy.build([str(i) for i in range(cfg["n"])])
    picker.reseed(SEED)
    for row, busy in enumerate(active):
        for _ in range(busy):
            picker.load.started(row, 1.0, 0.0)
    n = sum(cfg["picks"])
    ours = counted(picker, n, [str(i) for i in range(cfg["n"])])
    return 2 * len(law), beyond(cfg["picks"], law, n) + beyond(ours, law, n)


def _slow_start(data: Any) -> Iterator[Replayed]:
    known("slow_start", data, {"cfg"})
    for name, cfg in data["cfg"].items():
        known(name, cfg, {"aggression", "bins_100ms", "min_weight_percent", "old_hosts", "policy", "window_ms"})
        slow = envoy.SlowStartConfig(cfg["window_ms"] / 1000, cfg["aggression"], cfg["min_weight_percent"])
        kinds = {"ROUND_ROBIN": envoy.RoundRobin, "LEAST_REQUEST": envoy.LeastRequest}
        if cfg["policy"] not in kinds:
            raise Strange(f"{name}: policy {cfg['policy']!r}")
        wrong = 0
        for theirs, ours, (low, high, total) in zip(
            cfg["bins_100ms"], *_warm_up(kinds[cfg["policy"]], slow, cfg), strict=True
        ):
            slack = POINTS * total + 1.0  # 1.5 points, and that a pick is whole
            wrong += not low * total - slack <= theirs[1] <= high * total + slack
            wrong += not low * total - slack <= ours <= high * total + slack
        yield Replayed(name, 2 * len(cfg["bins_100ms"]), wrong)


def _warm_up(kind: Any, slow: envoy.SlowStartConfig, cfg: Any) -> tuple[list[int], list[tuple[float, float, int]]]:
    """Our own picks of the new host in each bin, and the least and greatest share of the law in it."""
    old = [str(i) for i in range(cfg["old_hosts"])]
    picker = kind(slow_start_config=slow, edf_start=SEED).build(old)
    picker.load.advance(0.0)
    began = 10.0 + 2 * slow.slow_start_window
    picker.load.advance(began)
    picker = kind(slow_start_config=slow, edf_start=SEED).build([*old, "new"], previous=picker)
    ours, bounds = [], []
    for k, (total, _) in enumerate(cfg["bins_100ms"]):
        count = 0
        for i in range(total):
            picker.load.advance(began + k / 10 + i / total / 10)
            count += picker.pick().id == "new"
        ours.append(count)
        first, last = (slow.factor(100 * (k + step)) for step in (0, 1))
        bounds.append((first / (len(old) + first), last / (len(old) + last), total))
    return ours, bounds


def _zone_aware(data: Any) -> Iterator[Replayed]:
    known("zone_aware", data, {"cfg", "cfg2", "cfg2_note", "local", "node_zone"})
    own = place(data["node_zone"])
    callers = tuple(envoy.Callers(place(zone), hosts, unhealthy) for zone, hosts, unhealthy in data["local"])
    for group in ("cfg", "cfg2"):
        for name, cfg in data.get(group, {}).items():
            known(name, cfg, {"by_zone", "n", "stats", "upstream", "params"})
            hosts, states = _upstream(cfg["upstream"], weighted=group == "cfg2")
            config = envoy.ZoneAwareLbConfig(**_zone_params(name, cfg.get("params", {})))
            policy = envoy.Random(zone_aware_lb_config=config, local_cluster=callers, local_locality=own)
            yield Replayed(name, *_zones(name, cfg, policy, hosts, states))


def _upstream(rows: Any, *, weighted: bool) -> tuple[list[envoy.Host], dict[str, State]]:
    hosts, states = list[envoy.Host](), dict[str, State]()
    for zone, count, third in rows:
        for i in range(count):
            hosts.append(envoy.Host(f"{zone}{i}", third if weighted else 1, locality=place(zone)))
            if not weighted and i < third:
                states[hosts[-1].id] = State.UNHEALTHY
    return hosts, states


def _zone_params(name: str, given: Any) -> dict[str, Any]:
    values = {field: plain(value) for field, value in given.items()}
    fields = {"routing_enabled", "min_cluster_size", "fail_traffic_on_panic", "force_local_zone", "locality_basis"}
    known(name, values, fields)
    if "force_local_zone" in values:
        inner = {field: plain(value) for field, value in values["force_local_zone"].items()}
        known(name, inner, {"min_size"})
        values["force_local_zone"] = envoy.ForceLocalZone(**inner)
    if "locality_basis" in values:
        values["locality_basis"] = envoy.LocalityBasis[values["locality_basis"]]
    return values


def _zones(name: str, cfg: Any, policy: envoy.Random, hosts: list[envoy.Host], states: Any) -> tuple[int, int]:
    """Picks by zone against the law, theirs and ours; then what the counters say of them."""
    view = View.of(hosts, states=states)
    (p0,) = envoy.host_sets(hosts, view.states.tolist(), policy.local_locality)
    load = envoy.priority_load((p0,), hosts)
    routing = envoy.zone_routing(p0, hosts, policy.local_cluster, policy.local_locality, policy.zone_aware_lb_config)
    zones = [row[0] for row in cfg["upstream"]]
    if unknown := set(cfg["by_zone"]) - set(zones):
        raise Strange(f"{name}: zones {sorted(unknown)}")
    able = p0.hosts if load.panic[0] else p0.healthy
    flat = {zone: sum(hosts[slot].locality == place(zone) for slot in able) / len(able) for zone in zones}
    law, part = dict(flat), 1.0
    if routing is not None and not load.panic[0] and not routing.fleet_in_panic:
        shares = dict(zip((p.locality[1] for p in p0.localities), routing.shares(), strict=True))
        part = int(policy.zone_aware_lb_config.routing_enabled) / 100  # type: ignore[union-attr]
        law = {zone: part * shares[zone] + (1 - part) * flat[zone] for zone in zones}
    n = cfg["n"]
    picker = policy.build(view)
    picker.reseed(SEED)
    by_host = counted(picker, n, [h.id for h in hosts])
    ours = [sum(c for c, h in zip(by_host, hosts, strict=True) if h.locality == place(zone)) for zone in zones]
    theirs = [cfg["by_zone"].get(zone, 0) for zone in zones]
    wrong = beyond(theirs, list(law.values()), n) + beyond(ours, list(law.values()), n)
    stats, local = cfg.get("stats", {}), cfg["by_zone"].get(policy.local_locality[1], 0)  # type: ignore[index]
    expected = {
        "lb_zone_routing_sampled": local,
        "lb_zone_routing_cross_zone": n - local,
        "lb_zone_routing_all_directly": n if routing is not None and routing.direct else 0,
        "lb_zone_cluster_too_small": stats.get("lb_zone_cluster_too_small", 0) if routing is None else 0,
        "lb_local_cluster_not_ok": stats.get("lb_local_cluster_not_ok", 0) if routing is None else 0,
        "lb_zone_number_differs": stats.get("lb_zone_number_differs", 0),
        "lb_recalculate_zone_structures": stats.get("lb_recalculate_zone_structures", 0),
    }
    known(name, stats, set(expected))
    if part < 1.0:  # some picks do not look at zones, and may be local all the same
        wrong += sum(count > max(expected[stat], 0) for stat, count in stats.items())
    else:
        wrong += sum(count != expected[stat] for stat, count in stats.items())
    return 2 * len(zones) + len(stats), wrong


def _orca(data: Any) -> Iterator[Replayed]:
    known("orca_weights", data, {"cases"})
    for i, case in enumerate(data["cases"]):
        name = f"case {i}"
        known(name, case, {"params", "picks_300", "reports", "weights"})
        given = {field: plain(value) for field, value in case["params"].items()}
        fields = {"error_utilization_penalty", "metric_names_for_computing_utilization", "blackout_period"}
        known(name, given, fields | {"weight_expiration_period", "weight_update_period", "enable_oob_load_report"})
        given.pop("enable_oob_load_report", None)  # by which way reports come
        reports = [None if text is None else report_of(name, text) for text in case["reports"]]
        least, weights = math.inf, list[int]()
        for start in (0, *(envoy_start(k) for k in range(64))):  # P is unknown: one has to fit within 1
            policy = envoy.ClientSideWeightedRoundRobin(**given, edf_start=start)
            picker = policy.build([str(k) for k in range(len(reports))])
            for second in range(int(policy.blackout_period + policy.weight_update_period) + 2):
                picker.load.advance(float(second))
                for row, report in enumerate(reports):
                    if report is not None:
                        picker.load.reported(row, report, float(second))
            weights = list(picker.load.weights)
            counts = counted(picker, 300, [str(k) for k in range(len(reports))])
            far = sum(abs(a - b) > 1 for a, b in zip(counts, case["picks_300"], strict=True))
            least = min(least, far)
            if far == 0:
                break
        yield Replayed(name, 2 * len(reports), count_mismatches(case["weights"], weights) + int(least))


def envoy_start(k: int) -> int:
    """The k-th starting point to try."""
    return (k + 1) * 6_700_417 % 429_496_729


def report_of(name: str, text: str) -> envoy.OrcaLoadReport:
    """A report in the text form of its HTTP header."""
    values: dict[str, Any] = {}
    for part in text.split(","):
        metric, _, number = part.partition("=")
        kind, dot, inner = metric.strip().partition(".")
        if dot:
            values.setdefault(kind, {})[inner] = float(number)
        else:
            values[kind] = float(number)
    fields = {"cpu_utilization", "mem_utilization", "application_utilization", "rps_fractional", "eps"}
    known(name, values, fields | {"utilization", "named_metrics", "request_cost"})
    return envoy.OrcaLoadReport(**values)


def _load_split(data: Any) -> Iterator[Replayed]:
    known("load_split", data, {"cfg"})
    kinds = {"round_robin": envoy.RoundRobin, "random": envoy.Random, "least_request": envoy.LeastRequest}
    for name, cfg in data["cfg"].items():
        settings = {"healthy_panic_threshold", "overprovisioning_factor", "weighted_priority_health"}
        known(name, cfg, BOOK | settings)
        policy = cfg["policy"].lower()
        if policy not in kinds:
            raise Strange(f"{name}: policy {policy!r}")
        codes = "".join(cfg["health_by_priority"])
        if set(codes) - set(STATES):
            raise Strange(f"{name}: health {codes!r}")
        priorities = [p for p, level in enumerate(cfg["health_by_priority"]) for _ in level]
        hosts = [envoy.Host(str(i), priority=p) for i, p in enumerate(priorities)]
        given = {field: plain(cfg[field]) for field in sorted(set(cfg) - BOOK)}
        picker = kinds[policy](**given).build(
            View.of(hosts, states={h.id: STATES[c] for h, c in zip(hosts, codes, strict=True)})
        )
        yield Replayed(name, *_split(cfg, policy, picker, hosts))


def _split(cfg: Any, policy: str, picker: Any, hosts: list[envoy.Host]) -> tuple[int, int]:
    """Picks by host against the law, theirs and ours; round robin also deals evenly within a source."""
    law, groups = split_law(picker.load, policy)
    n, served = cfg["n"], sum(cfg["picks"])
    wrong = int(served + cfg["no_host"] != n)
    picker.reseed(SEED)
    ours, refused = [0] * len(hosts), 0
    for _ in range(n):
        try:
            ours[int(picker.pick().id)] += 1
        except NoBackend:
            refused += 1
    for counts, nobody in ((cfg["picks"], cfg["no_host"]), (ours, refused)):
        wrong += beyond([*counts, nobody], [*law, round(1.0 - sum(law), 9)], n)
        for group in groups if policy == "round_robin" else ():
            dealt = [counts[slot] for slot in group]
            wrong += max(dealt) - min(dealt) > 1
    return 2 * (len(hosts) + 1), wrong


def split_law(machine: Any, policy: str) -> tuple[list[float], list[tuple[int, ...]]]:
    """The chance of each host, and the sources that have traffic."""
    law, groups = [0.0] * len(machine.hosts), list[tuple[int, ...]]()
    ends = [*accumulate((*machine.load.healthy, *machine.load.degraded))]
    for i, (end, load) in enumerate(zip(ends, (*machine.load.healthy, *machine.load.degraded), strict=True)):
        level = machine.sets[i % len(machine.sets)]
        group = level.degraded if i >= len(machine.sets) else level.healthy
        if machine.load.panic[i % len(machine.sets)]:
            group = level.hosts
        if not load or not group:
            continue
        groups.append(group)
        if policy != "random":
            for slot in group:
                law[slot] += load / 100 / len(group)
            continue
        whole = math.lcm(100, len(group))  # the word's remainders by 100 and by the number of hosts go together
        for word in range(whole):
            if end - load <= word % 100 < end:
                law[group[word % len(group)]] += 1 / whole
    return law, groups
