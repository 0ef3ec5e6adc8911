"""`KeyedContract` and `MinimalContract`: what policies by key promise, and what the minimally disruptive ones add."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from lbalgo.endpoint import Endpoint
from lbalgo.testing import pickers
from lbalgo.testing import strategies as some
from lbalgo.testing.laws import law
from lbalgo.testing.policies import TicketContract
from lbalgo.types import State, TicketDecided
from lbalgo.view import View


class KeyedContract(TicketContract):
    """What every policy by key promises: one order of preference a key, which signals disturb only where they must."""

    keyed = True

    @law
    def test_walk_starts_with_the_pick(self, data: st.DataObject) -> None:
        """A key's `walk` starts with its `pick`."""
        view = self.view(data)
        pickers.walks_start_with_the_pick(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_a_retry_takes_the_next_of_the_walk(self, data: st.DataObject) -> None:
        """`pick(key, exclude=E)` is the first of `walk(key)` that is not in E."""
        view = self.view(data)
        pickers.retries_follow_the_walk(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_a_key_has_one_form(self, data: st.DataObject) -> None:
        """A str key is its UTF-8 form, an int its 8 bytes, little-endian; a key of another type is a TypeError."""
        view = self.view(data)
        pickers.key_forms_agree(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_without_a_key_requests_are_spread(self, data: st.DataObject) -> None:
        """Without a key a request goes to anybody, as often as keys do: who owns every fourth key or more is served."""
        view = self.view(data, max_size=min(self.max_size, 33))
        picker = self.policy.build(view)
        owners = self.mapping(view, picker, range(512))
        heavy = {name for name in set(owners) if owners.count(name) >= 128}
        missed = heavy - set(self.served(view, picker, 256))  # of a share of 1/10 or more: by chance once in 10**11
        assert not missed, f"{sorted(missed)} own every fourth key, but got none of 256 requests without one"

    @law
    def test_listing_order_is_irrelevant(self, data: st.DataObject) -> None:
        """The order in which backends are listed changes neither a pick nor a walk nor the fingerprint."""
        view, keys = self.view(data), self.keys(data)
        order = data.draw(st.permutations(range(len(view))) if len(view) < 9 else st.just(range(len(view))[::-1]))
        moved = View.of(
            [view.backends[k] for k in order],
            factors=dict(zip(view.ids, view.factors.tolist(), strict=True)),
            states=dict(zip(view.ids, map(State, view.states.tolist()), strict=True)),
            panic_below=view.panic_below,
        )
        mine, other = self.policy.build(view), self.policy.build(moved)
        for key in keys[:6]:
            first, second = ([b.id for b in p.walk(key)] for p in (mine, other))
            assert first == second, f"walk({key!r}) is {first[:9]}, with the pool in another order {second[:9]}"
        assert self.mapping(view, mine, keys) == self.mapping(view, other, keys), "keys move"
        if isinstance(mine, TicketDecided):
            assert mine.fingerprint() == other.fingerprint(), "the fingerprint is another one"

    @law
    def test_signals_move_only_what_fell_or_rose(self, data: st.DataObject) -> None:
        """When signals change, the old owner of a key that moves has fallen or its new owner has risen: in r, a
        factor's ratio to the largest of the pool, or in eligibility."""
        before = self.view(data, min_size=1)
        after = some.with_signals(
            before.backends,
            data.draw(st.lists(some.factors(), min_size=1, max_size=5), label="factors after"),
            data.draw(st.lists(some.states(), min_size=1, max_size=5), label="states after"),
            panic_below=before.panic_below,
        )
        if not self.eligible(before) or not self.eligible(after):
            return
        old = self.policy.build(before)
        new = self.policy.build(after, previous=old)
        fallen, risen = self._moved(before, after), self._moved(after, before)
        for key in self.keys(data):
            a, b = old.pick(key).id, new.pick(key).id
            assert a == b or a in fallen or b in risen, f"{key!r} moved from {a!r} to {b!r}: neither fell nor rose"

    @law
    def test_keys_only_return_while_signals_rise(self, data: st.DataObject) -> None:
        """While r only rises a key moves only to a backend that rose, and when all signals are gone it is where it was
        before them."""
        worst = self.view(data, min_size=1, panic_below=st.just(0.0), factor=some.factors().filter(lambda f: f < 1))
        calm = View.of(worst.backends, panic_below=0.0)
        anchor = data.draw(st.sampled_from(worst.ids), label="the backend without signals")
        factors, states = worst.factors.copy(), worst.states.copy()
        factors[worst.ids.index(anchor)], states[worst.ids.index(anchor)] = 1.0, State.HEALTHY
        if anchor not in self.eligible(calm):
            return
        plain, keys = self.policy.build(calm), self.keys(data)
        picker, view = plain, calm
        for share in (1.0, 0.6, 0.3, 0.0):
            sick = np.arange(len(worst)) < share * len(worst)
            step = View(calm.backends, calm.weights, factors**share, np.where(sick, states, 0), panic_below=0.0)
            risen, owners = self._moved(step, view), self.mapping(view, picker, keys)
            picker, rising, view = self.policy.build(step, previous=picker), share < 1.0, step
            for key, a, b in zip(keys, owners, self.mapping(view, picker, keys), strict=True):
                assert not rising or a == b or b in risen, f"{key!r} moved from {a!r} to {b!r}, which did not rise"
        left = [
            k
            for k, a, b in zip(keys, self.mapping(calm, plain, keys), self.mapping(calm, picker, keys), strict=True)
            if a != b
        ]
        assert not left, f"signals are gone, but {left!r} did not return"

    @law
    def test_a_picker_outlives_its_successor(self, data: st.DataObject) -> None:
        """A picker is a snapshot: building the next one from it does not change what it decides."""
        view, keys = self.view(data), self.keys(data)
        picker = self.policy.build(view)
        before = self.mapping(view, picker, keys)
        self.policy.build(self.altered(data, view), previous=picker)
        assert self.mapping(view, picker, keys) == before, "keys moved in the old picker"

    def _moved(self, first: View[Any], second: View[Any]) -> frozenset[str]:
        """Ids whose r or eligibility is lower in the second view than in the first."""
        r = [v.factors / v.factors.max() for v in (first, second)]
        lower = r[1] < r[0]
        fallen = frozenset(i for i, low in zip(first.ids, lower.tolist(), strict=True) if low)
        return fallen | (self.eligible(first) - self.eligible(second))


class MinimalContract(KeyedContract):
    """What ring, rendezvous and the jump family add: only what must move does, key by key, without tolerance.

    Attributes
    ----------
    joiners : strategy of the weight of who joins or leaves; `weights` if None.
    """

    joiners: st.SearchStrategy[float] | None = None

    @law
    def test_a_join_moves_keys_only_to_the_joiner(self, data: st.DataObject) -> None:
        """When a backend joins, a key stays where it is or moves to the one that joined."""
        small, large, joined = self._grown(data)
        old = self.policy.build(small)
        new = self.policy.build(large, previous=old)
        for key in self.keys(data) if self.eligible(small) else ():
            a, b = old.pick(key).id, new.pick(key).id
            assert b in (a, joined), f"{joined!r} joined and {key!r} moved from {a!r} to {b!r}"

    @law
    def test_a_leave_moves_only_the_leavers_keys(self, data: st.DataObject) -> None:
        """When a backend leaves, no key moves but those it owned."""
        small, large, left = self._grown(data)
        old = self.policy.build(large)
        new = self.policy.build(small, previous=old)
        for key in self.keys(data) if self.eligible(small) else ():
            a, b = old.pick(key).id, new.pick(key).id
            assert a in (b, left), f"{left!r} left and {key!r} moved from {a!r} to {b!r}"

    @law
    def test_a_weight_moves_keys_only_to_or_from_its_backend(self, data: st.DataObject) -> None:
        """When one weight rises keys move only to its backend, when it falls only from it."""
        before = self.view(data, min_size=1, state=st.just(State.HEALTHY), factor=st.just(1.0))
        slot = data.draw(st.integers(0, len(before) - 1), label="slot")
        weights = before.weights.copy()
        weights[slot] = data.draw(self.weights, label="new weight")
        after = View(before.backends, weights, before.factors, before.states)
        if not self.eligible(before) or not self.eligible(after):
            return
        old = self.policy.build(before)
        new = self.policy.build(after, previous=old)
        change, name = weights[slot] - before.weights[slot], before.ids[slot]
        for key in self.keys(data):
            a, b = old.pick(key).id, new.pick(key).id
            fair = a == b or (b == name and change > 0) or (a == name and change < 0)
            assert fair, f"the weight of {name!r} changed by {change} and {key!r} moved from {a!r} to {b!r}"

    def _grown(self, data: st.DataObject) -> tuple[View[Any], View[Any], str]:
        small = data.draw(some.pools(self.weights, max_size=self.max_size), label="pool")
        name = data.draw(some.ids().filter(lambda i: all(i != b.id for b in small)), label="who joins or leaves")
        place = len(small) if self.ordered else data.draw(st.integers(0, len(small)), label="place in the list")
        weight = self.weights if self.joiners is None else self.joiners
        one: Endpoint[None] = Endpoint(name, data.draw(weight, label="its weight"))
        return View.of(small), View.of([*small[:place], one, *small[place:]]), name
