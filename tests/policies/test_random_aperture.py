"""Random aperture: the band's exact widths, the mean's law, and who is within."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import Outcome, RandomAperture, View
from lbalgo.testing import FakeClock

IDS = [f"b{i}" for i in range(40)]


def settle(load, total, now, seconds=400):
    """`total` requests in flight all the time, in row 0; each second one begins as one ends."""
    while load.total != total:
        load.started(0, 1.0, now) if load.total < total else load.finished(0, Outcome.SUCCESS, None, now)
    for _ in range(seconds):
        now += 1.0
        load.started(0, 1.0, now)
        load.finished(0, Outcome.SUCCESS, 1.0, now)
    return now


@pytest.mark.parametrize(("low", "high", "total"), [(0.875, 1.125, 10), (0.5, 2.0, 30), (0.9, 1.2, 1), (3.0, 4.0, 17)])
def test_the_width_settles_within_the_band_from_either_side(low, high, total):
    """From below at the least width whose share is below `high`, from above at the greatest with more than `low`."""
    load = RandomAperture(low=low, high=high, smooth=1.0).start()
    now = settle(load, total, 0.0)
    below = next(w for w in range(1, 1000) if total / w < high)
    assert load.width == below
    now = settle(load, 10 * total, now)
    assert load.width > below
    settle(load, total, now)
    assert load.width == max(1, *(w for w in range(1, 1000) if total / w > low))


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.booleans()), max_size=60),
    st.floats(0.1, 100.0),
)
def test_the_mean_is_that_of_what_was_in_flight(steps, smooth):
    """Of a step function under exp(-age / smooth): each stretch adds its count times its part of the weight."""
    load, now, stretches = RandomAperture(smooth=smooth).start(), 0.0, []
    load.advance(0.0)
    for wait, begins in steps:
        stretches.append((now, now + wait, load.total))
        now += wait
        if begins or not load.total:
            load.started(3, 1.0, now)
        else:
            load.finished(3, Outcome.SUCCESS, None, now)
    parts = [n * (math.exp((end - now) / smooth) - math.exp((begin - now) / smooth)) for begin, end, n in stretches]
    assert load.mean == pytest.approx(math.fsum(parts), rel=1e-9, abs=1e-12)
    load.check_invariants()


def test_it_moves_by_one_at_each_event_within_its_bounds():
    load = RandomAperture(smooth=1e-3, least=2, most=5).start()
    widths = [load.width]
    for at in range(100):
        load.started(at, 1.0, float(at))
        widths.append(load.width)
    for at in range(100):
        load.finished(at, Outcome.SUCCESS, 1.0, 100.0 + at)
        widths.append(load.width)
    assert min(widths) == widths[0] == widths[-1] == 2
    assert max(widths) == 5
    assert all(abs(a - b) <= 1 for a, b in itertools.pairwise(widths))


def test_nobody_beyond_the_aperture_is_used_unless_all_within_are_excluded():
    picker = RandomAperture(client=5).build(IDS)
    picker.load.width = 4
    within = {picker.pick().id for _ in range(400)}  # each is missed with chance (1 - 2 / 4) ** 400
    assert len(within) == 4
    order = [backend.id for backend in RandomAperture(client=5, least=1).build(IDS).walk()]
    assert within == set(order[:4]) or within == {backend.id for backend in list(picker.walk())[:4]}
    assert picker.pick(exclude=within).id == order[4]
    assert len(list(picker.walk())) == len(IDS)


def test_apertures_are_nested_and_clients_differ():
    def band(client, width, ids=IDS, states=None):
        picker = RandomAperture(client=client).build(View.of(ids, states=states or {}))
        picker.load.width = width
        return {backend.id for backend in list(picker.walk())[:width]}

    for width in range(1, 12):
        assert band(1, width) < band(1, width + 1)
    assert len({frozenset(band(client, 3)) for client in range(30)}) > 25  # of 9880 triples; no two equal: 95 %
    gone = sorted(band(1, 6))[0]
    rest = band(1, 6) - {gone}
    assert rest < band(1, 6, [id for id in IDS if id != gone])
    assert rest < band(1, 6, states={gone: lb.State.UNHEALTHY})


def test_within_it_the_less_loaded_of_two_is_picked():
    picker = RandomAperture(least=2).build(["a", "b"])
    picker.load.started(0, 1.0, 0.0)
    assert {picker.pick().id for _ in range(20)} == {"b"}
    heavy = RandomAperture(least=2).build({"a": 3.0, "b": 1.0})
    heavy.load.started(0, 1.0, 0.0)
    assert {heavy.pick().id for _ in range(20)} == {"a"}  # 2 / 3 < 1 / 1


def test_it_continues_through_rebuilds_and_processes():
    policy = RandomAperture(smooth=2.0)
    picker = policy.build(IDS)
    now = settle(picker.load, 12, 0.0)
    after = policy.build(IDS[1:], previous=picker)
    assert after.load is picker.load
    fresh = policy.start()
    fresh.restore(picker.load.snapshot(), now)
    assert (fresh.width, fresh.mean, fresh.total) == (picker.load.width, picker.load.mean, 0)
    with pytest.raises(lb.ConfigError) as error:
        RandomAperture(most=3).start().restore(picker.load.snapshot(), now)
    assert error.value.parameter == "state['width']"


def test_under_a_balancer_a_quiet_client_keeps_to_few_and_a_busy_one_does_not():
    clock = FakeClock()
    balancer = lb.Balancer(RandomAperture(smooth=1.0), IDS, clock=clock, seed=1)
    for _ in range(300):
        with balancer.acquire():
            clock.advance(0.01)
    assert balancer.picker.load.width == 1
    for _ in range(50):
        leases = [balancer.acquire() for _ in range(20)]
        clock.advance(1.0)
        for lease in leases:
            lease.done()
    assert 17 <= balancer.picker.load.width <= 23  # 20 / 1.125, 20 / 0.875
