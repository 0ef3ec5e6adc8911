"""Without time: balls in bins, who is drawn, who wins ties, whom a subset keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import lbalgo as lb
from benchmarks import subsetting
from benchmarks.figure import RUNS, Figure, Origin, sample
from lbalgo.active import Stream
from lbalgo.sim import Poisson, Result, Scenario, Servers


def fullest(n: int) -> float:
    """The mean of the most balls in one of n bins into which n fell at random, exactly.

    The bins' numbers are Poisson of mean 1 given that their sum is n, so P(most <= k) is P(one <= k) ** n times the
    chance that n Poisson numbers, each <= k, add up to n, over that of n free ones. The former is a coefficient of a
    polynomial's power, by its values on 4 n points of the unit circle: what is folded onto n there lies at 5 n.
    """
    free = math.exp(n * math.log(n) - n - math.lgamma(n + 1))  # P(Poisson(n) = n)
    points = np.exp(0.5j * math.pi / n * np.arange(4 * n))
    back = np.tile([1.0, -1.0j, -1.0, 1.0j], n)  # points ** -n
    mean, values, term = 0.0, np.zeros(4 * n, complex), math.exp(-1.0)
    for k in range(n):
        values = values + term * points**k
        term /= k + 1
        above = 1.0 - float((values**n * back).real.mean()) / free
        if above < 1e-9:
            break
        mean += above  # P(most > k)
    return mean


def thrown(choices: tuple[int, ...], bins: int, runs: int) -> list[int]:
    """The most balls in a bin, after each of so many runs with as many balls as bins.

    Each ball looks at as many bins as one of `choices` says, drawn evenly.
    """
    members = [lb.Endpoint(str(i), payload=i) for i in range(bins)]
    pickers: list[Any] = []
    for width in choices:
        pickers.append(lb.PowerOfTwo(width).build(members, previous=pickers[0] if pickers else None))
    for i, picker in enumerate(pickers):
        picker.reseed(bins + i)
    load, rows, picks = pickers[-1].load, pickers[-1].rows.tolist(), [picker.pick for picker in pickers]
    assert all(picker.load is load and picker.rows.tolist() == rows for picker in pickers), "all see the same bins"
    started, restart, coin = load.started, load.restart, np.random.default_rng(bins)
    most = []
    for _ in range(runs):
        held = [0] * bins
        for toss in coin.integers(len(picks), size=bins).tolist():
            bin_ = picks[toss]().payload
            started(rows[bin_], 1.0, 0.0)
            held[bin_] += 1
        most.append(max(held))
        for row in rows:
            restart(row)
    return most


def balls(quick: bool) -> Iterator[Figure]:
    """As many balls as bins: the fullest bin, if each ball looks at one bin, two or three, or by a coin at one or two.

    The second choice changes the order of growth, a third no more: ln n / ln ln n for one, ln ln n / ln d for d. Where
    only half of the balls have it (beta = 1/2), growth is as ln n / beta.

    Source: Azar, Broder, Karlin, Upfal, SIAM J. Comput. 29 (1999), for the orders; Peres, Talwar, Wieder, SODA 2010,
    for the coin; one choice is a law (`fullest`), the others are a simulation in C that shares no code with this, the
    mean of a hundred runs, so good to 2 %.
    """
    known = {  # runs, by a coin, two choices, three
        100: (500, 3.37, 2.54, 2.05),
        1000: (400, 4.46, 3.01, 2.43),
        10_000: (200, 5.38, 3.02, 2.98),
    }
    if not quick:
        known |= {100_000: (160, 6.25, 3.46, 3.00), 1_000_000: (60, 7.00, 3.99, 3.00)}
    for bins, (runs, tossed, *expected) in known.items():
        for choices in (1, 2, 3):
            certain = choices > 1 and bins == 1_000_000  # it is the same in all runs but one of hundreds
            found = thrown((choices,), bins, 10 if certain else runs)
            what = f"balls in {bins} bins, {choices} choice{'s' if choices > 1 else ''}: fullest"
            if choices > 1:
                yield Figure(what, expected[choices - 2], Origin.SIMULATION, found, within=0.02)
            else:
                yield Figure(what, fullest(bins), Origin.LAW, found)
        found = thrown((1, 2), bins, runs)
        yield Figure(f"balls in {bins} bins, 1 or 2 choices: fullest", tossed, Origin.SIMULATION, found, within=0.02)


def half_a_weight(servers: int) -> float:
    """Traffic of a server of weight 1/2 over that of each of the others, of weight 1: half of all pairs it is in."""
    total = servers - 0.5
    light = 0.5 * (0.5 / total + (servers - 1) / total * 0.5 / (total - 1.0))
    return light / ((1.0 - light) / (servers - 1))


def weights(quick: bool) -> Iterator[Figure]:
    """Two distinct servers drawn by weight: one of half the weight gets more than half of what the others get.

    Each wins half of the pairs it is in; drawn second, it no longer competes with the one drawn first.

    Source: closed form (`half_a_weight`); Finagle's weighted two choices publish it to two digits.
    """
    draws = 20_000 if quick else 100_000
    for servers, published in ((3, 0.61), (4, 0.56), (6, 0.53), (10, 0.52)):
        picker = lb.PowerOfTwo().build({str(i): 1.0 if i else 0.5 for i in range(servers)})
        found = []
        for seed in range(RUNS):
            tickets = Stream(seed, servers).words(draws).tolist()
            light = sum(0 in picker.drawn(ticket) for ticket in tickets) / draws / 2.0
            found.append(light / ((1.0 - light) / (servers - 1)))
        what = f"half a weight of {servers}: its traffic over another's"
        yield Figure(what, half_a_weight(servers), Origin.LAW, found)
        yield Figure(what, published, Origin.PUBLISHED, found, within=0.005 / published)


def ranks(quick: bool) -> Iterator[Figure]:
    """Loads that stand, all different: of ten servers the r-th best gets 2 (10 - r) / 90, and the worst nothing at all.

    Source: it wins if the other one drawn is among the 10 - r worse.
    """
    picks = 5000 if quick else 50_000
    picker: Any = lb.PowerOfTwo().build([lb.Endpoint(str(i), payload=i) for i in range(10)])
    for i, row in enumerate(picker.rows.tolist()):
        for _ in range(i):
            picker.load.started(row, 1.0, 0.0)
    counts = []
    for seed in range(RUNS):
        picker.reseed(seed)
        counts.append(np.bincount([picker.pick().payload for _ in range(picks)], minlength=10) / picks)
    for rank in (1, 2, 5, 10):
        found = [float(each[rank - 1]) for each in counts]
        yield Figure(f"loads that stand, rank {rank} of 10: share", 2 * (10 - rank) / 90, Origin.LAW, found)


def ties(quick: bool) -> Iterator[Figure]:
    """Ten servers, one request in flight on the average: if ties go to the first, it gets 1 / (1 + a) of a Erlang.

    Between two requests that the first server takes lies one service of it, in which a requests come on the average,
    and go elsewhere. Ties that are drawn give everybody a tenth.

    Source: renewal argument, as said; it needs somebody to be idle always, which fails once in ten million requests.
    """
    duration = 30_000.0 if quick else 100_000.0

    def first(result: Result) -> float:
        return float(result.received[0] / result.arrived)

    for name, policy, law in (
        ("the first", lb.LeastLoaded(ties=lb.Ties.FIRST), 0.5),
        ("a draw", lb.LeastLoaded(), 0.1),
    ):
        scenario = Scenario(policy, (Servers(10),), Poisson(1.0), duration=duration)
        yield Figure(f"ties to {name}: share of one of ten", law, Origin.LAW, sample(scenario, first))


def subsets(quick: bool) -> Iterator[Figure]:
    """200 clients, 100 backends, 10 for each; one more backend joins: part of the connections that end.

    Shuffling the list of backends, as the book has it, moves more than a third; the least possible is 1 %. There is no
    chance in it but that of one seed for each client, and `python -m benchmarks.subsetting` has the balance beside it.

    Source: *Site Reliability Engineering*, chapter 20, for the shuffle; the figures are of an independent program.
    """
    expected = {"the book's shuffle": 0.374, "RandomSubset": 0.01, "Ringsteady": 0.011, "Rocksteadier": 0.009}
    for name, rule in subsetting.rules(200, 10):
        if name in expected:
            before, after = (subsetting.covers(rule, 200, backends) for backends in (100, 101))
            moved = subsetting.churn(before, after)
            within = 0.02 if name == "the book's shuffle" else 0.1
            yield Figure(f"a backend joins, {name}: moved", expected[name], Origin.SIMULATION, [moved], within=within)
