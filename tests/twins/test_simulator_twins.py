"""The simulator's parts, plain and compiled: a queue is a sorted list, streams are equal, servers share fairly."""

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import active
from lbalgo.reference import event_queue, stations, streams
from tests.both import BUILT, both
from tests.levels import at_every_level

PARTS = [(event_queue.EventQueue, stations.Stations)]  # compiled, they are in one module with the engine
if BUILT:
    from lbalgo.kernels import engine

    PARTS.append((engine.EventQueue, engine.Stations))
QUEUES = [queue for queue, _ in PARTS]
STREAMS = [module.Stream for module in both("streams")]


@pytest.mark.parametrize("kind", QUEUES)
@given(
    steps=st.lists(
        st.floats(0, 10)
        | st.floats(0, 1e-9)
        | st.floats(1e6, 1e12)
        | st.sampled_from([0.0, 1.0, 1.0, 5.0])
        | st.just(None),
        max_size=120,
    )
)
def test_a_queue_is_a_sorted_list(kind, steps):
    """Pushes at these distances from now, pops where there is None, and everything popped in the end."""
    queue, heap, now = kind(), [], 0.0
    for number, step in enumerate([*steps, *[None] * len(steps)]):
        if step is not None:
            queue.push(now + step, number, 7 * number)
            heapq.heappush(heap, (now + step, number))
        elif heap:
            when, what = heap[0]
            assert queue.pop(when)
            assert (queue.when, queue.what, queue.stamp) == (when, what, 7 * what)
            now = when
            heapq.heappop(heap)
        else:
            assert not queue.pop(math.inf)
        assert queue.count == len(heap)
        if heap and heap[0][0] > 0.0:
            assert not queue.pop(math.nextafter(heap[0][0], 0.0))
        queue.check_invariants()


@pytest.mark.parametrize("kind", QUEUES)
def test_a_queue_that_grows_and_shrinks(kind):
    queue, heap, rng, now = kind(), [], np.random.default_rng(1), 0.0
    for number, gap in enumerate(rng.exponential(1.0, 6000)):
        queue.push(now + gap, number, 0)
        heapq.heappush(heap, (now + gap, number))
        if (number // 1500) % 2:
            for _ in range(2):
                if heap:
                    now, what = heapq.heappop(heap)
                    assert queue.pop(now) and queue.what == what
    queue.check_invariants()
    while heap:
        when, what = heapq.heappop(heap)
        assert queue.pop(when) and (queue.when, queue.what) == (when, what)


@given(seed=st.integers(0, 2**64 - 1), purpose=st.integers(0, 2**64 - 1))
def test_streams_have_the_same_bits(seed, purpose):
    streams = [kind(seed, purpose) for kind in STREAMS]
    for name in ("words", "uniforms", "exponentials", "normals"):
        drawn = [getattr(stream, name)(20).tolist() for stream in streams]
        assert all(each == drawn[0] for each in drawn)
    assert len({stream.state for stream in streams}) == 1


def test_exponentials_have_the_same_bits_at_every_level():
    """All there are in a lane and beyond, and from every state: 0, the least words and the greatest."""
    for n in (0, 1, 3, 8, 17, 1000):
        found = at_every_level(lambda n=n: [active.Stream(seed, 1).exponentials(n).tolist() for seed in range(5)])
        assert all(each == found[0] for each in found)
        assert found[0] == [streams.Stream(seed, 1).exponentials(n).tolist() for seed in range(5)]


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_have_their_laws(kind):
    """Mean and variance of 40 000 values, within 4.5 standard errors: alpha = 4e-5 for all six together."""
    n = 40_000
    stream = kind(5, 3)
    for values, mean, variance, fourth in (
        (stream.uniforms(n), 0.5, 1 / 12, 1 / 80),
        (stream.exponentials(n), 1.0, 1.0, 9.0),
        (stream.normals(n), 0.0, 1.0, 3.0),
    ):
        assert abs(values.mean() - mean) < 4.5 * math.sqrt(variance / n)
        assert abs(((values - mean) ** 2).mean() - variance) < 4.5 * math.sqrt((fourth - variance**2) / n)
    assert (stream.exponentials(n) > 0.0).all()


@st.composite
def visits(draw):
    """Jobs with instants of arrival and work, and who is taken away when."""
    n = draw(st.integers(1, 12))
    gaps = draw(st.lists(st.floats(0, 2) | st.just(0.0), min_size=n, max_size=n))
    works = draw(st.lists(st.floats(0.01, 3), min_size=n, max_size=n))
    return list(np.cumsum(gaps)), works, draw(st.integers(1, 3))


@pytest.mark.parametrize(("queues", "rooms"), PARTS)
@given(visit=visits())
def test_sharing_is_fair(queues, rooms, visit):
    """Against the differential equation, step by step: all present have the same rate, none more than one slot."""
    instants, works, slots = visit
    queue = queues()
    place = rooms(queue, [slots], [True], [1.0], [-1])
    ends = {}
    jobs = {}

    def until(limit):
        while queue.pop(limit):
            job = place.shared_end(queue.what >> 3, queue.stamp, queue.when)
            if job >= 0:
                ends[jobs[job]] = queue.when
                place.free(job)

    for number, (instant, work) in enumerate(zip(instants, works, strict=True)):
        until(instant)
        job = place.take()
        jobs[job] = number
        assert place.submit(job, 0, work, instant) == -1
    until(math.inf)
    place.check_invariants()
    assert place.present(0) == 0
    law = shared(instants, works, slots)
    assert [ends[k] for k in range(len(works))] == pytest.approx(law, rel=1e-9, abs=1e-9)


def shared(instants, works, slots):
    left, ends, now, nxt = {}, {}, 0.0, 0
    while left or nxt < len(works):
        rate = min(1.0, slots / len(left)) if left else 0.0
        first = min(left.values()) / rate if left else math.inf
        arrives = instants[nxt] - now if nxt < len(works) else math.inf
        step = min(first, arrives)
        left = {k: rest - step * rate for k, rest in left.items()}
        now += step
        if arrives <= first:
            left[nxt] = works[nxt]
            nxt += 1
        else:
            done = min(left, key=left.get)
            ends[done] = now
            del left[done]
    return [ends[k] for k in range(len(works))]
