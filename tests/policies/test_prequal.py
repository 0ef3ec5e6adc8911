"""Prequal: the paper's formulas exactly, the pool against a plain model, a server that fails at once."""

import copy
import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lbalgo as lb
from benchmarks.reporting import lost
from lbalgo import Outcome
from lbalgo.policies.prequal import Prequal
from lbalgo.policies.probe_pool import PRIOR, Probe, ProbePool, hot_above, reuse_budget

GOOD, BAD = Outcome.SUCCESS, Outcome.SERVER_ERROR


def holding(probes, quantile=0.7, **more):
    """A picker over as many backends as probes, all of them probed in order at 0."""
    picker = Prequal(quantile=quantile, **more).build([f"b{i}" for i in range(len(probes))])
    for row, probe in enumerate(probes):
        if probe is not None:
            picker.load.reported(row, Probe(*probe), 0.0)
    return picker


def order(picker):
    return [picker.backends.index(backend) for backend in picker.walk()]


@pytest.mark.parametrize(
    ("probes", "remove", "reuse"),
    [(3, 1, 2 / 1.52), (1, 0.25, 2 / 0.59), (0.5, 0.25, 2 / 0.17), (0.25, 0.25, math.inf), (3, 3, math.inf), (9, 0, 1)],
)
def test_the_reuse_budget_of_the_paper(probes, remove, reuse):
    """The paper's table for 16 places and 100 replicas: 1.32, 3.39, 11.76, no bound; never below 1."""
    assert reuse_budget(probes, remove, 16, 100) == pytest.approx(reuse, rel=1e-12)


@pytest.mark.parametrize("backends", [1, 2, 16, 24])
def test_a_pool_with_room_for_nearly_all_is_used_without_bound(backends):
    assert reuse_budget(3, 1, 16, backends) == math.inf


@pytest.mark.parametrize(
    ("quantile", "probes", "wanted"),
    [
        # (requests in flight, latency); the line is the sorted load at floor(q * 3)
        (0.7, [(5, 0.1), (1, 0.4), (2, 0.3), (3, 0.2)], [3, 2, 1, 0]),  # the line is 3: all but b0 are cold
        (0.0, [(5, 0.1), (1, 0.4), (2, 0.3), (3, 0.2)], [1, 2, 3, 0]),  # least load alone
        (1.0, [(5, 0.1), (1, 0.4), (2, 0.3), (3, 0.2)], [0, 3, 2, 1]),  # least latency alone
        (0.5, [(0, 9.0), (0, 1.0), (0, 2.0), (7, 0.0)], [1, 2, 0, 3]),  # all but one idle: the fastest of the idle
        (0.7, [(4, 0.2), (4, 0.2), (4, 0.1), (9, 0.0)], [2, None, None, 3]),  # a tie is anybody's
        (0.0, [(1, 0.5), (1, 0.2), (8, 0.1), (8, 0.3)], [1, 0, 2, 3]),  # of the hot the least load, then the faster
    ],
)
def test_hot_and_cold(quantile, probes, wanted):
    seen = order(holding(probes, quantile))
    assert all(w is None or w == s for w, s in zip(wanted, seen, strict=True)), seen


def test_those_tied_share():
    picker = holding([(4, 0.2)] * 3 + [(9, 0.0)])
    counts = Counter(picker.pick().id for _ in range(3000))
    assert stats.chisquare([counts[f"b{i}"] for i in range(3)]).pvalue > 1e-4 and not counts["b3"]


def test_one_probe_is_not_enough():
    """Alone it is no choice: the request goes anywhere, by weight."""
    picker = holding([(0, 0.0), None, None, None])
    counts = Counter(picker.pick().id for _ in range(4000))
    assert stats.chisquare([counts[f"b{i}"] for i in range(4)]).pvalue > 1e-4
    picker = Prequal().build({"a": 3.0, "b": 1.0})
    share = sum(picker.pick().id == "a" for _ in range(4000))
    assert stats.binomtest(share, 4000, 0.75).pvalue > 1e-4


def test_weights_and_factors_divide():
    """Twice the weight carries twice the requests; a backend that warms up looks slow and full."""
    picker = Prequal(quantile=0.0).build({"a": 2.0, "b": 1.0})
    for row, rif in enumerate((2, 1)):
        picker.load.reported(row, Probe(rif, 0.1), 0.0)
    assert picker.pick().id == "a"  # 3/2 < 2/1
    view = lb.View.of(["a", "b"], factors={"a": 0.1})
    picker = Prequal(quantile=1.0).build(view)
    for row, latency in enumerate((0.1, 0.5)):
        picker.load.reported(row, Probe(0, latency), 0.0)
    assert picker.pick().id == "b"


def test_a_request_counts_at_once():
    picker = holding([(0, 0.5), (0, 0.5), (9, 0.5)], quantile=0.0, remove=0.0)
    sent = []
    for _ in range(2):
        sent.append(picker.backends.index(picker.pick()))
        picker.load.started(sent[-1], 1.0, 0.0)
    assert sorted(sent) == [0, 1] and [picker.load.at(row) for row in range(3)] == [1.0, 1.0, 9.0]


def test_uses_are_counted_and_rounded_to_the_mean():
    """2 / 1.52 uses: of 76 probes 24 serve twice, 52 once, so that 100 requests are served."""
    picker = Prequal(remove=1.0).build([f"b{i}" for i in range(100)])
    served = 0
    for _ in range(76):
        picker.load.reported(7, Probe(0, 0.1), 0.0)
        uses = picker.load.held[7].left
        assert uses in (1.0, 2.0)
        served += uses
    assert served == 100
    pool = Prequal(probes=1.0, remove=0.0, delta=1.0).start()
    pool.backends = 32  # (1 + 1) / (1/2) = 4 uses
    pool.reported(0, Probe(0, 0.1), 0.0)
    for left in (3, 2, 1):
        pool.started(0, 1.0, 0.0)
        assert pool.held[0].left == left
    pool.started(0, 1.0, 0.0)
    assert 0 not in pool.held


def test_the_oldest_and_the_worst_go_in_turn():
    picker = holding([(1, 0.9), (2, 0.1), (7, 0.2), (3, 0.3), (5, 0.4)], quantile=0.5)
    gone = []
    for _ in range(4):
        before = set(picker.load.held)
        picker.load.started(99, 1.0, 0.0)
        gone += before - set(picker.load.held)
    assert gone == [0, 2, 1, 4]  # oldest; hot of most requests; oldest; of (3, 5) the hot one


def test_where_none_is_hot_the_slowest_is_the_worst():
    picker = holding([(1, 0.9), (1, 0.1), (1, 0.8), (1, 0.3)])
    for _ in range(2):
        picker.load.started(99, 1.0, 0.0)
    assert sorted(picker.load.held) == [1, 3]


def test_parts_of_removals_and_probes_add_up():
    policy = Prequal(probes=0.75, remove=0.25)
    picker = policy.build([f"b{i}" for i in range(100)])
    for row in range(10):
        picker.load.reported(row, Probe(1, 0.1), 0.0)
    asked = []
    for _ in range(4):
        picker.load.started(99, 1.0, 0.0)
        asked.append(len(policy.to_probe(picker)))
    assert (asked, len(picker.load.held)) == ([0, 1, 1, 1], 9)


def test_age_and_places():
    picker = Prequal(pool=2, age=1.0).build(list("abc"))
    load = picker.load
    for row, now in ((0, 0.0), (1, 0.5), (0, 1.0)):  # the newer answer replaces the older
        load.reported(row, Probe(row, 0.1), now)
    assert list(load.held) == [1, 0]
    load.reported(2, Probe(2, 0.1), 1.25)
    assert list(load.held) == [0, 2], "the oldest makes room"
    load.advance(2.0)
    assert list(load.held) == [0, 2], "one second old is not older than a second"
    load.advance(2.0 + 2**-40)
    assert list(load.held) == [2]
    load.reported(1, Probe(1, 0.1), 0.0)
    assert load.held[1].came == load.latest, "what comes late counts now"


@pytest.mark.parametrize(
    ("failures", "out"), [(2, 10 * math.log(1.6)), (3, 10 * math.log(2.4)), (100, 10 * math.log(80))]
)
def test_how_long_one_is_averse(failures, out):
    """f of f failures are out until f e^(-t/tau) / (f e^(-t/tau) + 5) = 0.2: t = tau ln(0.8 f)."""
    pool = Prequal().start()
    for _ in range(failures):
        pool.started(0, 1.0, 0.0)
        pool.finished(0, BAD, 0.0, 0.0)
    assert out == pytest.approx(10 * math.log(failures * 0.8 / (0.2 * PRIOR)))
    pool.advance(out * 0.999)
    assert pool.averse(0)
    pool.advance(out * 1.001)
    assert not pool.averse(0)


def test_one_failure_and_cancellations_are_no_verdict():
    pool = Prequal().start()
    for outcome in [BAD, *[Outcome.CANCELLED] * 50]:
        pool.started(0, 1.0, 0.0)
        pool.finished(0, outcome, None, 0.0)
    assert not pool.averse(0)
    pool.started(0, 1.0, 0.0)
    pool.finished(0, Outcome.TIMEOUT, None, 0.0)
    assert pool.averse(0)


def failed(picker, rows):
    for row in rows:
        for _ in range(3):
            picker.load.started(row, 1.0, 0.0)
            picker.load.finished(row, BAD, 0.0, 0.0)


def test_the_averse_come_last_and_are_not_lost():
    picker = holding([(0, 0.0), (3, 0.5), (4, 0.4), None], remove=0.0)
    failed(picker, [0])
    assert order(picker) == [1, 2, 3, 0]
    failed(picker, [1])  # one probe is left that counts: the choice is random among those that do
    seen = {tuple(sorted(order(picker)[:2])) for _ in range(20)}
    assert seen == {(2, 3)}
    failed(picker, [2, 3])
    heads = Counter()
    for _ in range(200):
        heads[picker.pick().id] += 1
    assert len(heads) == 4, "where all fail, all are tried"


@pytest.mark.parametrize(("aversion", "low", "high"), [(1.0, 0.25, 0.5), (0.2, 0.0, 0.03)])
def test_a_server_that_fails_at_once(aversion, low, high):
    """The sinkhole: idle and fast, it draws a third of all requests, unless errors count. (Round robin: a tenth.)"""
    share = lost(Prequal(aversion=aversion, age=10.0), 20_000)
    assert low < share < high, share


def test_whom_to_probe_is_uniform_and_without_replacement():
    """Every ordered triple of 5 is equally likely: 60 of them, chi-square at 1e-4."""
    policy = Prequal()
    picker, counts = policy.build(list("abcde")), Counter()
    for _ in range(6000):
        picker.pick()
        picker.load.started(0, 1.0, 0.0)
        chosen = tuple(backend.id for backend in policy.to_probe(picker))
        assert len(set(chosen)) == 3
        counts[chosen] += 1
    assert len(counts) == 60 and stats.chisquare([*counts.values()]).pvalue > 1e-4


def test_only_the_eligible_are_probed_and_no_more_than_there_are():
    policy = Prequal(probes=8.0)
    view = lb.View.of({"a": 1, "b": 0, "c": 1, "d": 1}, states={"c": lb.State.DRAINING})
    picker = policy.build(view)
    picker.load.started(0, 1.0, 0.0)
    assert sorted(b.id for b in policy.to_probe(picker)) == ["a", "d"]
    assert sorted(b.id for b in policy.to_probe(picker)) == ["a", "d"] and picker.load.owed == 4.0
    with pytest.raises(lb.ConfigError):
        lb.policies.prequal.Prequal().to_probe(picker)


def test_in_a_balancer():
    """Reports go to the pool, requests are counted, members come and go with what is known of them."""
    clock = [0.0]
    policy = Prequal()
    balancer = lb.Balancer(policy, ["a", "b", "c"], clock=lambda: clock[0], seed=1)
    for id, rif in (("a", 5), ("b", 1), ("c", 2)):
        balancer.report(id, Probe(rif, 0.1))
    with balancer.acquire() as lease:
        assert lease.backend.id == "b"
    assert {b.id for b in policy.to_probe(balancer.picker)} == {"a", "b", "c"}
    pool = balancer.picker.load
    balancer.update(["b", "c", "d"])
    assert balancer.picker.load is pool and sorted(pool.held) == [1, 2], "a's probe was the oldest, and went"
    clock[0] = 2.0
    balancer.acquire().done()
    assert not pool.held
    with pytest.raises(lb.ConfigError):
        balancer.report("b", 7)
    with pytest.raises(lb.UnknownBackend):
        balancer.report("a", Probe(1, 0.1))


def test_a_row_given_away_is_forgotten():
    pool = Prequal().start()
    failed(type("P", (), {"load": pool}), [3])
    pool.reported(3, Probe(1, 0.1), 0.0)
    pool.restart(3)
    assert not pool.averse(3) and not pool.held and pool.at(3) == 0.0


class Model:
    """The same pool, by lists and written down once more."""

    def __init__(self, spec, backends):
        self.spec, self.backends, self.now = spec, backends, 0.0
        self.probes, self.credit, self.carry, self.turn, self.answers = [], 0.0, 0.0, "oldest", {}

    def expire(self):
        self.probes = [p for p in self.probes if self.now - p["came"] <= self.spec.age]

    def report(self, row, rif, latency):
        share = 1 - self.spec.pool / self.backends
        denominator = share * self.spec.probes - self.spec.remove
        uses = math.inf
        if denominator > 0:
            self.carry += max(1.0, (1 + self.spec.delta) / denominator)
            uses, self.carry = math.floor(self.carry), self.carry - math.floor(self.carry)
        self.probes = [p for p in self.probes if p["row"] != row][-(self.spec.pool - 1) :]
        self.probes.append({"row": row, "rif": rif, "latency": latency, "came": self.now, "uses": uses})

    def start(self, row):
        for p in self.probes:
            if p["row"] == row:
                p["rif"] += 1
                p["uses"] -= 1
        self.probes = [p for p in self.probes if p["uses"] > 0]
        self.credit += self.spec.remove
        while self.credit >= 1:
            self.credit -= 1
            if not self.probes:
                continue
            worst = self.probes[0]
            if self.turn == "worst":
                loads = sorted(p["rif"] for p in self.probes)
                line = loads[math.floor(self.spec.quantile * (len(loads) - 1))]
                hot = [p for p in self.probes if p["rif"] > line]
                worst = max(hot, key=lambda p: p["rif"]) if hot else max(self.probes, key=lambda p: p["latency"])
            self.probes.remove(worst)
            self.turn = "worst" if self.turn == "oldest" else "oldest"

    def finish(self, row, outcome):
        if outcome is not Outcome.CANCELLED:
            self.answers.setdefault(row, []).append((outcome is not GOOD, self.now))

    def averse(self, row):
        weights = [(bad, math.exp((when - self.now) / self.spec.tau)) for bad, when in self.answers.get(row, [])]
        bad, total = sum(w for b, w in weights if b), sum(w for _, w in weights)
        return bad / (total + PRIOR) - self.spec.aversion

    def head(self):
        """Who may be picked, as a set of rows."""
        liked = [p for p in self.probes if self.averse(p["row"]) <= 0]
        if len(liked) < 2:
            return {r for r in range(self.backends) if self.averse(r) <= 0} or set(range(self.backends))
        loads = sorted(p["rif"] for p in liked)
        line = loads[math.floor(self.spec.quantile * (len(loads) - 1))]
        cold = [(p["latency"], p["rif"]) for p in liked if p["rif"] <= line]
        return {p["row"] for p in liked if p["rif"] <= line and (p["latency"], p["rif"]) == min(cold)}


STEP = st.one_of(
    st.tuples(st.just("report"), st.integers(0, 5), st.integers(0, 4), st.sampled_from([0.0, 0.1, 0.2, 0.5])),
    st.tuples(st.just("start"), st.integers(0, 5)),
    st.tuples(st.just("finish"), st.integers(0, 5), st.sampled_from([GOOD, BAD, BAD, Outcome.CANCELLED])),
    st.tuples(st.just("wait"), st.sampled_from([0.25, 0.5, 1.0, 3.0])),
)
SPECS = st.builds(
    Prequal,
    probes=st.sampled_from([0.5, 1.0, 3.0]),
    pool=st.integers(2, 5),
    remove=st.sampled_from([0.0, 0.25, 1.0, 1.5]),
    quantile=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    aversion=st.sampled_from([0.1, 0.2, 0.5]),
    tau=st.sampled_from([1.0, 10.0]),
)


@given(SPECS, st.lists(STEP, max_size=40))
def test_the_pool_is_the_models(spec, steps):
    picker = spec.build([f"b{i}" for i in range(6)])
    pool, model, flying = picker.load, Model(spec, 6), Counter()
    for what, *rest in steps:
        if what == "report":
            pool.reported(rest[0], Probe(*rest[1:]), model.now)
            model.report(*rest)
        elif what == "start":
            pool.started(rest[0], 1.0, model.now)
            model.start(rest[0])
            flying[rest[0]] += 1
        elif what == "finish" and flying[rest[0]]:
            pool.finished(rest[0], rest[1], 0.1, model.now)
            model.finish(*rest)
            flying[rest[0]] -= 1
        elif what == "wait":
            model.now += rest[0]
            pool.advance(model.now)
        model.expire()
        seen = [(row, p.rif, p.latency, p.came, p.left) for row, p in pool.held.items()]
        wanted = [(p["row"], p["rif"], p["latency"], p["came"], p["uses"]) for p in model.probes]
        assert seen == wanted
        picker.check_invariants()
        margins = [model.averse(row) for row in range(6)]
        if all(abs(margin) > 1e-9 for margin in margins):  # else rounding decides
            assert [pool.averse(row) for row in range(6)] == [margin > 0 for margin in margins]
            assert int(picker.pick().id[1:]) in model.head()


@given(SPECS, st.lists(STEP, max_size=30), st.integers(0, 2**64 - 1))
def test_a_recorded_stream_of_tickets_gives_the_same_picks(spec, steps, seed):
    """Cursor states and the pool are all that decides: played again, in another picker, backwards."""
    picker, records, flying = spec.build([f"b{i}" for i in range(6)]), [], Counter()
    picker.reseed(seed)
    for at, (what, *rest) in enumerate(steps):
        if what == "report":
            picker.load.reported(rest[0], Probe(*rest[1:]), at / 8)
        elif what == "start":
            picker.load.started(rest[0], 1.0, at / 8)
            flying[rest[0]] += 1
        elif what == "finish" and flying[rest[0]]:
            picker.load.finished(rest[0], rest[1], 0.1, at / 8)
            flying[rest[0]] -= 1
        state, pool = picker.cursor.state, copy.deepcopy(picker.load)
        records.append((state, pool, picker.pick().id, [b.id for b in spec.to_probe(picker)]))
    replay = spec.build(picker.view)
    for state, pool, picked, probed in reversed(records):
        replay.load = pool
        replay.reseed(state)
        assert (replay.pick().id, [b.id for b in spec.to_probe(replay)]) == (picked, probed)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.floats(0.0, 1.0))
def test_how_many_can_be_hot(loads, quantile):
    """At least the part `quantile` of the probes is cold, and the line is one of the loads."""
    line = hot_above(loads, quantile)
    assert line in loads
    assert sum(load <= line for load in loads) >= math.floor(quantile * (len(loads) - 1)) + 1
    assert sum(load < line for load in loads) <= math.floor(quantile * (len(loads) - 1))


def test_snapshots_keep_what_was_learned_of_errors():
    pool = Prequal().start()
    failed(type("P", (), {"load": pool}), [0, 0, 5])
    pool.reported(1, Probe(1, 0.1), 4.0)
    kept = json.loads(json.dumps(pool.snapshot()))
    other = Prequal().start()
    other.restore(kept, 1000.0)
    assert other.snapshot() == pool.snapshot() and not other.held
    other.advance(1000.0 + 10 * math.log(4.8) - 4.0 - 0.01)
    assert other.averse(0) and not other.averse(1)
    other.advance(1000.0 + 10 * math.log(4.8) - 4.0 + 0.01)
    assert not other.averse(0)
    for bad in (
        {},
        None,
        {"type": "Prequal"},
        {"type": "Prequal", "answers": 7},
        {"type": "Prequal", "answers": [[1]]},
    ):
        with pytest.raises(lb.ConfigError):
            other.restore(bad, 0.0)
    for row in ([-1, 0, 0], [0, 2, 1], [0, math.nan, 1], [0, -1, 1], ["0", 1, 1]):
        with pytest.raises(lb.ConfigError):
            other.restore({"type": "Prequal", "answers": [row]}, 0.0)
    assert other.snapshot()["answers"], "nothing was changed by what was refused"


def test_plain_data():
    policy = Prequal(probes=0.5, pool=8, quantile=0.84)
    assert Prequal.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert repr(policy.start()) == f"{policy!r}.start()" and isinstance(policy.start(), ProbePool)
