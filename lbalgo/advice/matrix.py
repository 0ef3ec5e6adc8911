"""The decision matrix: which algorithm for which workload, as rows of data; the first row that holds decides.

Its thresholds, and where they come from:

- EVEN: up to this squared coefficient of variation round robin is as good as anything that counts (simulated).
- AGES: choice must narrow as the loads one sees grow old, or all run to whoever looked idle; the full scan is worse
  than two choices from half a service time on, three choices than two from three, and two choices than turns from
  ten (simulated, at 90 % load; at less load sooner).
- SCAN: backends up to which looking at all of them is cheap; a full scan is O(N) a request.
- SMALL: backends up to which rendezvous hashing, O(N) a lookup, costs no more than a table.
- BLIND: requests in flight for each balancer, below which its own counts say little: a full scan and two choices of
  them are then equally good, and not much better than turns (simulated).
- HOT: a key above this many times the fair share needs a bound; the factor of bounded loads.

What is said to be simulated is held by `tests/advice/test_recommend.py`: over a grid of workloads no other policy that
keeps keys as well has a mean clearly below that of the recommended one.

`ADDITIONS` come on top of the algorithm, all that hold.

Costs: O(rows). Sources: Mitzenmacher, "How useful is old information?", IEEE TPDS 11 (2000); Mirrokni, Thorup,
Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018; the pages of the algorithms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lbalgo.advice.workload import Affinity, Workload
from lbalgo.measure.maglev_law import maglev_size_for
from lbalgo.policies.bounded_load import BoundedLoad
from lbalgo.policies.jump import Jump
from lbalgo.policies.least_loaded import LeastConnections
from lbalgo.policies.maglev import TABLE_SIZE, Maglev
from lbalgo.policies.power_of_two import PowerOfTwo
from lbalgo.policies.prequal import Prequal
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import RingHash
from lbalgo.policies.round_robin import RoundRobin, WeightedRoundRobin

EVEN = 0.05
AGES = (0.5, 3.0, 10.0)  # mean service times, from which three choices, two, and none
SCAN = 256
SMALL = 32
HOT = 1.25
BLIND = 0.5
SEEING = "half a request or more in flight for each balancer"
POINTS = 1000  # of a ring, for shares within about 3 %
MOST_POINTS = 8_388_608  # of a whole ring; its default


@dataclass(frozen=True)
class Row:
    """One row: when it holds, in words and as a function; what it recommends; why."""

    when: str
    holds: Callable[[Workload], bool]
    what: str
    policy: Callable[[Workload], Any]
    because: str


@dataclass(frozen=True)
class Addition:
    """What comes on top: when, what, why."""

    when: str
    holds: Callable[[Workload], bool]
    what: str
    because: str


def _turns(w: Workload) -> Any:
    return WeightedRoundRobin() if w.weights else RoundRobin()


def _table(w: Workload) -> Maglev:
    """A table with which a leaver moves at most half as much again as it must, and shares are within 1 %."""
    size = maglev_size_for(w.backends, 0.5 / w.backends)
    return Maglev(max(TABLE_SIZE, min(size, 4_194_301)))


def _keyed(w: Workload) -> Any:
    return Rendezvous() if w.backends <= SMALL else _table(w)


def _shard(w: Workload) -> bool:
    return w.affinity is Affinity.SHARD


def _cache(w: Workload) -> bool:
    return w.affinity is Affinity.CACHE


MATRIX: tuple[Row, ...] = (
    Row(
        "one backend",
        lambda w: w.backends == 1,
        "`RoundRobin`",
        lambda w: RoundRobin(),
        "there is nothing to choose",
    ),
    Row(
        "shards with numbers, equal weights, only the last comes and goes",
        lambda w: _shard(w) and w.numbered and not w.weights,
        "`Jump`",
        lambda w: Jump(),
        "no memory, exact shares, and only what must move moves",
    ),
    Row(
        f"shards, up to {SMALL} backends",
        lambda w: _shard(w) and w.backends <= SMALL,
        "`Rendezvous`",
        lambda w: Rendezvous(),
        "moving a key moves its data, and only what must move moves; exact weights, and nothing to build",
    ),
    Row(
        "shards",
        _shard,
        f"`RingHash(points={POINTS})`",
        lambda w: RingHash(points=min(POINTS, max(1, MOST_POINTS // w.backends))),
        "moving a key moves its data, and only what must move moves; a lookup costs the same in any pool",
    ),
    Row(
        f"cache, and a key with more than {HOT:g} times the fair share",
        lambda w: _cache(w) and w.hot > HOT,
        f"`BoundedLoad` over `Rendezvous` (up to {SMALL} backends) or `Maglev`",
        lambda w: BoundedLoad(_keyed(w), HOT),
        "the hottest key alone overloads its backend; what does not fit there goes on, to the same next one",
    ),
    Row(
        f"cache, up to {SMALL} backends",
        lambda w: _cache(w) and w.backends <= SMALL,
        "`Rendezvous`",
        lambda w: Rendezvous(),
        "every key stays where it is cached; exact weights, and a lookup of so few costs what a table does",
    ),
    Row(
        "cache",
        _cache,
        "`Maglev`",
        _table,
        "every key stays where it is cached, shares are even, and a lookup costs the same in any pool",
    ),
    Row(
        f"requests that take the same time (variance up to {EVEN:g}), {SEEING}",
        lambda w: w.variance <= EVEN and w.in_flight >= BLIND,
        "`RoundRobin`, or `WeightedRoundRobin` for unequal weights",
        _turns,
        "turns space equal requests as evenly as can be, and nothing has to be counted",
    ),
    Row(
        "backends answer probes, less than half a request in flight for each balancer",
        lambda w: w.probes and w.in_flight < BLIND,
        "`Prequal`",
        lambda w: Prequal(),
        "a balancer that sees next to nothing has to ask; answers are used for the requests after",
    ),
    Row(
        f"loads older than {AGES[2]:g} service times",
        lambda w: w.age >= AGES[2],
        "`RoundRobin`, or `WeightedRoundRobin` for unequal weights",
        _turns,
        "loads so old say nothing of now, and acting on them sends all to whoever was idle then",
    ),
    Row(
        f"loads older than {AGES[1]:g} service times",
        lambda w: w.age >= AGES[1],
        "`PowerOfTwo`",
        lambda w: PowerOfTwo(),
        "the older the loads, the narrower the choice: of two, one is only half wrong",
    ),
    Row(
        f"loads older than {AGES[0]:g} service times",
        lambda w: w.age >= AGES[0],
        "`PowerOfTwo(choices=3)`",
        lambda w: PowerOfTwo(choices=3),
        "a full scan of old loads sends all to one; three choices have most of its gain and not its herd",
    ),
    Row(
        f"up to {SCAN} backends, {SEEING}",
        lambda w: w.backends <= SCAN and w.in_flight >= BLIND,
        "`LeastConnections`",
        lambda w: LeastConnections(),
        "the balancer sees what it needs to see, and looking at all backends is cheap",
    ),
    Row(
        "all others",
        lambda w: True,
        "`PowerOfTwo`",
        lambda w: PowerOfTwo(),
        "most of the gain of looking at all, at a constant cost, and no herd when many choose at once",
    ),
)

ADDITIONS: tuple[Addition, ...] = (
    Addition(
        "sessions",
        lambda w: w.affinity is Affinity.SESSION,
        f"`Sticky(secrets, spill={HOT:g})`",
        "the policy chooses once, the cookie remembers; spill keeps a few busy sessions from filling one backend",
    ),
    Addition(
        "keys that clients can choose, where the key decides",
        lambda w: w.keyed and w.strangers,
        "`hasher=SipHash(secret)`",
        "who can compute the hash can aim all requests at one backend",
    ),
    Addition(
        f"shards, and a key with more than {HOT:g} times the fair share",
        lambda w: _shard(w) and w.hot > HOT,
        "`HotKeySpread`, if the data has copies",
        "no hash spreads one key; several backends for it do",
    ),
    Addition(
        "no probes, the key does not decide, less than half a request in flight for each balancer",
        lambda w: not w.keyed and w.backends > 1 and w.in_flight < BLIND and not w.probes,
        "probes (`Prequal`), loads that backends report, or fewer balancers with more traffic each",
        "each balancer's own counts are nearly always 0: they say little about the backends",
    ),
    Addition(
        "more than one backend, and a policy that looks at loads",
        lambda w: w.backends > 1 and (_counts(w) or (_cache(w) and w.hot > HOT)),
        "`OutlierEjection`",
        "who fails at once has nobody in flight, looks idle, and gets more than its share",
    ),
)


def _counts(w: Workload) -> bool:
    return isinstance(row_for(w).policy(w), (LeastConnections, PowerOfTwo))  # Prequal has an aversion of its own


def row_for(workload: Workload) -> Row:
    """The row that decides."""
    return next(row for row in MATRIX if row.holds(workload))


def additions_for(workload: Workload) -> tuple[Addition, ...]:
    """All that comes on top."""
    return tuple(addition for addition in ADDITIONS if addition.holds(workload))
