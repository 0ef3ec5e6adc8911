"""The simulated comparison: what is recommended beside what else one could have taken, on the same requests.

Every policy sees the same arrivals, works and keys; `Prequal`'s probes are answered at once. Times are in mean service
times. Large pools are simulated at a smaller scale, at which each balancer has as many requests in flight as in the
large one, which is what decides.

Costs: about a microsecond a request and policy, some hundredths of a second in all.
Source: `lbalgo.sim`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from lbalgo.advice.measured import measured
from lbalgo.advice.workload import Workload
from lbalgo.policies.bounded_load import BoundedLoad
from lbalgo.policies.least_loaded import LeastConnections
from lbalgo.policies.maglev import Maglev
from lbalgo.policies.power_of_two import PowerOfTwo
from lbalgo.policies.prequal import Prequal
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import RingHash
from lbalgo.policies.round_robin import RoundRobin, WeightedRoundRobin
from lbalgo.policies.weighted_random import Random
from lbalgo.sim.arrivals import Poisson
from lbalgo.sim.distributions import Constant, LogNormal
from lbalgo.sim.keys import HotKey, KeySequence, UniformKeys
from lbalgo.sim.running import run
from lbalgo.sim.scenario import Board, Scenario
from lbalgo.sim.servers import Servers
from lbalgo.sim.telling import Probes
from lbalgo.sim.traces import InOrder, Recorded, Trace
from lbalgo.spec import check_integer, to_dict

REQUESTS, PROBING = 50_000, 20_000  # simulated by default; fewer with probes, of which each costs some microseconds
SERVICE = 0.1  # seconds that a request takes in the mean: what the defaults of Prequal's probes are made for
WARMUP = 0.1  # of the run is not measured
MOST_BACKENDS, MOST_BALANCERS = 100, 500  # that are simulated
KEYS = 10_000


@dataclass(frozen=True)
class Trial:
    """What one policy came to.

    Parameters
    ----------
    policy : as it shows itself.
    recommended : whether it is the recommended one.
    mean, p99 : time in the system, in mean service times.
    imbalance : most requests that a backend received, over the mean.
    kept : fraction of the requests with a known key that went where its last one went; None without keys.
    """

    policy: str
    recommended: bool
    mean: float
    p99: float
    imbalance: float
    kept: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


def scaled(workload: Workload) -> tuple[int, int]:
    """The backends and balancers that are simulated.

    Examples
    --------
    >>> scaled(Workload(backends=20, balancers=3)), scaled(Workload(backends=1000, balancers=50))
    ((20, 3), (100, 5))
    """
    backends = min(workload.backends, MOST_BACKENDS)
    balancers = round(workload.balancers * backends / workload.backends)
    return backends, min(max(balancers, 1), MOST_BALANCERS)


def scenario(workload: Workload, policy: Any, trace: Trace | None, requests: int, seed: int) -> Scenario:
    """What is simulated; a trace gives arrivals and, if it has them, costs and keys, at the pace of the load."""
    backends, balancers = scaled(workload)
    servers = [Servers(backends)]
    if workload.weights and backends > 1:  # a half of them twice as fast, which is what weights are for
        slow = backends // 2
        servers = [Servers(slow, "slow"), Servers(backends - slow, "fast", speed=2.0, weight=2.0)]
    rate = workload.load * sum(group.count * group.speed for group in servers) / SERVICE
    count = requests if trace is None else len(trace.times)
    duration = count / rate
    arrivals: Any = Poisson(rate)
    if trace is not None:
        pace = measured(trace).rate / rate
        arrivals = Recorded(tuple(time * pace for time in trace.times))
    service: Any = Constant(SERVICE)
    if trace is not None and trace.costs is not None:
        mean = math.fsum(trace.costs) / count
        service = InOrder(tuple(SERVICE * cost / mean for cost in trace.costs))
    elif workload.variance > 0.0:
        service = LogNormal(SERVICE, math.sqrt(math.log1p(workload.variance)))
    keys: Any = None
    if workload.keyed and trace is not None and trace.keys is not None:
        keys = KeySequence(trace.keys)
    elif workload.keyed:
        keys = UniformKeys(KEYS)
        if workload.hot_share:
            keys = HotKey(keys, 0, workload.hot_share, 0.0, duration)
    return Scenario(
        policy=policy,
        servers=tuple(servers),
        arrivals=arrivals,
        duration=duration,
        warmup=WARMUP * duration,
        service=service,
        clients=balancers,
        keys=keys,
        board=Board(workload.age * SERVICE)
        if workload.age and isinstance(policy, (LeastConnections, PowerOfTwo))
        else None,
        probes=Probes() if isinstance(policy, Prequal) else None,
        seed=seed,
    )


def rivals(workload: Workload) -> tuple[Any, ...]:
    """What else one could have taken: with keys, the other ways to map them, and one that does without."""
    if not workload.keyed:
        turns = WeightedRoundRobin() if workload.weights else RoundRobin()
        return turns, Random(), PowerOfTwo(), LeastConnections()
    return RingHash(), Rendezvous(), Maglev(), BoundedLoad(Rendezvous()), PowerOfTwo()


def trials(
    workload: Workload, recommended: Any, *, trace: Trace | None = None, requests: int | None = None, seed: int = 0
) -> tuple[Trial, ...]:
    """The comparison, the recommended policy first.

    Parameters
    ----------
    workload : what is simulated.
    recommended : the policy that is compared with its rivals.
    trace : arrivals, and costs if it has them, in place of drawn ones.
    requests : how many are simulated, without a trace; >= 1000; None: 50 000, with probes 20 000.
    seed : of all that is drawn.

    Raises
    ------
    ConfigError : a parameter is invalid.

    Costs: about a microsecond a request and policy.
    Source: `lbalgo.sim`.
    """
    if requests is None:
        requests = PROBING if isinstance(recommended, Prequal) else REQUESTS
    check_integer("requests", requests, low=1000, high=10_000_000)
    check_integer("seed", seed, low=0, high=2**64 - 1)
    found = []
    for policy in dict.fromkeys((recommended, *rivals(workload))):
        result = run(scenario(workload, policy, trace, requests, seed))
        kept = 1.0 - result.moved / result.repeated if result.repeated else None
        figures = result.mean / SERVICE, result.quantile(0.99) / SERVICE, result.imbalance
        found.append(Trial(shown(policy), policy == recommended, *figures, kept))
    return tuple(found)


def shown(policy: Any) -> str:
    """A policy with what it has that is not a default, in one line.

    Examples
    --------
    >>> shown(BoundedLoad(Maglev(251))), shown(PowerOfTwo())
    ('BoundedLoad(Maglev(table_size=251))', 'PowerOfTwo()')
    """
    told = []
    for field in dataclasses.fields(policy):
        value = getattr(policy, field.name)
        if field.name == "policy":
            told.append(shown(value))
        elif value != field.default:
            told.append(f"{field.name}={value!r}")
    return f"{type(policy).__name__}({', '.join(told)})"
