"""Thundering herds: instants of their own, and how many arrive at once, counted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.herd import peak, refresh, rejoin, spread_for

CLIENTS = [f"client-{k}" for k in range(6000)]
ALPHA = 1e-6


def fullest(n, share):
    """The least c such that some window beginning at an arrival holds more than c of n with chance below ALPHA."""
    tail, c = 0.0, n
    while c > 0:
        log = math.lgamma(n) - math.lgamma(c) - math.lgamma(n - c + 1)
        tail += math.exp(log + (c - 1) * math.log(share) + (n - c) * math.log1p(-share))
        if n * tail >= ALPHA:
            return c
        c -= 1
    return c


@given(st.lists(st.integers(0, 200).map(lambda k: k / 8), max_size=40), st.integers(1, 30).map(lambda k: k / 8))
def test_the_peak_is_what_looking_at_every_window_finds(instants, window):
    assert peak(instants, window) == max(
        (sum(begin <= other < begin + window for other in instants) for begin in instants), default=0
    )


def test_everybody_at_once():
    assert peak([100.0] * 6000) == 6000
    assert peak([100.0 + rejoin(id, 0.0) for id in CLIENTS]) == 6000


@pytest.mark.parametrize("event", range(5))
def test_a_spread_rejoin_has_no_peak_beyond_chance(event):
    """6000 over 30 s are 200 a second in the mean; the fullest of all windows has more, as the binomial law allows."""
    spread = spread_for(len(CLIENTS), 200.0)
    found = peak(rejoin(id, spread, event) for id in CLIENTS)
    assert 200 < found <= fullest(6000, 1 / 30) < 300


def test_the_next_event_has_another_order():
    one, two = (sorted(CLIENTS, key=lambda id, e=e: rejoin(id, 30.0, e)) for e in (0, 1))
    assert len(set(one[:600]) & set(two[:600])) < 120  # 60 in the mean, standard deviation 7


@pytest.mark.parametrize("jitter", [0.0, 0.1, 1.0])
def test_delays_do_not_add_up(jitter):
    late = [refresh(id, k, 30.0, jitter) - refresh(id, 0, 30.0) - 30.0 * k for id in CLIENTS[:50] for k in (1, 7, 900)]
    assert all(-1e-9 <= seconds <= 30.0 * jitter + 1e-9 for seconds in late)
    assert max(late) >= 0.9 * 30.0 * jitter  # 150 draws: 0.9 ** 150 is 1.4e-7


def test_a_common_beginning_stays_together_and_a_phase_does_not():
    together = [7.0 + 30.0 * k for _ in CLIENTS for k in range(3)]
    assert peak(together) == 6000
    assert peak(refresh(id, k, 30.0) for id in CLIENTS for k in range(3)) <= fullest(6000, 1 / 30)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda x=x: rejoin(x, 1.0), "id") for x in ("", None, 7, "\ud800")),
        *((lambda x=x: rejoin("a", x), "spread") for x in (-1.0, math.nan, math.inf, "1")),
        *((lambda x=x: rejoin("a", 1.0, x), "event") for x in (-1, 1.0, True)),
        *((lambda x=x: rejoin("a", 1.0, 0, x), "seed") for x in (-1, 2**64, 1.0)),
        *((lambda x=x: refresh("a", x, 1.0), "k") for x in (-1, 1.0, None)),
        *((lambda x=x: refresh("a", 0, x), "period") for x in (0.0, -1.0, math.nan)),
        *((lambda x=x: refresh("a", 0, 1.0, x), "jitter") for x in (-0.1, 1.1, math.nan)),
        *((lambda x=x: spread_for(x, 1.0), "clients") for x in (-1, 1.5)),
        *((lambda x=x: spread_for(1, x), "rate") for x in (0.0, -1.0, math.nan)),
        *((lambda x=x: peak(x), "instants") for x in ("12", 7, [math.nan], ["a"])),
        *((lambda x=x: peak([], x), "window") for x in (0.0, -1.0, math.nan)),
    ],
)
def test_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
