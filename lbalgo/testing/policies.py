"""`PolicyContract` and `TicketContract`: what every policy promises, and what those decided by tickets add.

Subclass, name the policy, and let pytest collect the class; cross out a law that does not apply: ``test_name = None``.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import hypothesis
from hypothesis import strategies as st

from lbalgo.testing import pickers
from lbalgo.testing import strategies as some
from lbalgo.testing.laws import GlobalRandomness, law
from lbalgo.types import State
from lbalgo.view import View

_CHILD = """\
import json, pickle, sys
sys.path[:] = json.loads(sys.argv[1])
policy, view, keys = pickle.load(sys.stdin.buffer)
picker = policy.build(view)
answer = getattr(picker, "fingerprint", lambda: None)(), [picker.pick(key).id for key in keys]
sys.stdout.write(json.dumps(answer))
"""


class PolicyContract:
    """What every policy promises. Subclass it and set `policy`; change the rest where the policy needs it.

    Attributes
    ----------
    policy : the specification under test.
    keyed : whether keys decide.
    ordered : whether it counts on the listing order, so that backends join and leave at the end alone (Jump).
    weights : strategy of the weights it takes.
    max_size : size of the largest pool to try.
    settings : Hypothesis settings, or None for those in force.

    Examples
    --------
    >>> from lbalgo import Maglev
    >>> class TestMaglev(PolicyContract):
    ...     policy = Maglev(251)
    ...     keyed = True
    ...     weights = some.weights(1.0, 4.0)
    ...     max_size = 33
    >>> TestMaglev().test_exclude_refuses_one_string()
    """

    policy: Any
    keyed: bool = False
    ordered: bool = False
    weights: st.SearchStrategy[float] = some.weights()
    max_size: int = 1000
    settings: hypothesis.settings | None = None

    def from_dict(self, data: dict[str, Any]) -> Any:
        """The policy that `to_dict` described; override it where a secret or a function has to be supplied."""
        return type(self.policy).from_dict(data)

    def eligible(self, view: View[Any]) -> frozenset[str]:
        """Ids this policy may pick; override it for policies that restrict the view."""
        return frozenset(i for i, able in zip(view.ids, view.eligible.tolist(), strict=True) if able)

    def view(self, data: st.DataObject, **fixed: Any) -> View[Any]:
        """A drawn view that the policy takes."""
        fixed.setdefault("max_size", self.max_size)
        return data.draw(some.views(self.weights, **fixed), label="view")

    def keys(self, data: st.DataObject) -> list[Any]:
        """Keys to try, drawn ones and plain ones; None where keys do not decide."""
        if not self.keyed:
            return [None] * 32
        return [*data.draw(st.lists(some.keys(), max_size=3), label="keys"), *pickers.KEYS]

    def served(self, view: View[Any], picker: Any, count: int = 12) -> list[str]:
        """Ids of the next picks without a key; none where nobody is eligible."""
        return [picker.pick().id for _ in range(count)] if self.eligible(view) else []

    def mapping(self, view: View[Any], picker: Any, keys: Sequence[Any]) -> list[str]:
        """Ids picked for the keys; none where nobody is eligible."""
        return [picker.pick(key).id for key in keys] if self.eligible(view) else []

    @law
    def test_a_pick_is_eligible_and_not_excluded(self, data: st.DataObject) -> None:
        """What is picked is eligible and not excluded, and is one of `backends`."""
        view = self.view(data)
        pickers.picks_are_eligible(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_walk_yields_every_eligible_backend_once(self, data: st.DataObject) -> None:
        """`walk` yields every eligible backend exactly once, and no other."""
        view = self.view(data)
        pickers.walks_are_complete(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_walking_consumes_nothing(self, data: st.DataObject) -> None:
        """`walk` consumes no ticket: it yields the same again, and picks go on as if nobody had walked."""
        view = self.view(data)
        picker, other = self.policy.build(view), self.policy.build(view)
        pickers.walks_consume_nothing(picker, self.eligible(view), self.keys(data))
        assert self.served(view, picker) == self.served(view, other), "picks after a walk are other ones"

    @law
    def test_backends_are_all_of_the_view_in_slot_order(self, data: st.DataObject) -> None:
        """`backends` are all backends of the view, eligible or not, in slot order."""
        view = self.view(data)
        shown = tuple(self.policy.build(view).backends)
        assert shown == view.backends, f"{shown} of {view.backends}"

    @law
    def test_an_empty_pool_builds_and_refuses(self) -> None:
        """An empty pool builds; picking from it raises NoBackend("empty"), walking yields nobody."""
        picker = self.policy.build([])
        pickers.refusals_name_their_reason(picker, frozenset(), [None])
        assert list(picker.walk()) == [], "somebody walks in an empty pool"

    @law
    def test_nobody_eligible_is_refused(self, data: st.DataObject) -> None:
        """Where backends are, but none is eligible, picking raises NoBackend("ineligible")."""
        view = self.view(data, state=st.just(State.DRAINING), min_size=1)
        pickers.refusals_name_their_reason(self.policy.build(view), frozenset(), self.keys(data))

    @law
    def test_everybody_excluded_is_refused(self, data: st.DataObject) -> None:
        """Where all that are eligible are excluded, picking raises NoBackend("excluded")."""
        view = self.view(data)
        if self.eligible(view):
            pickers.refusals_name_their_reason(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_exclude_refuses_one_string(self, data: st.DataObject) -> None:
        """`exclude` refuses a bare string with ConfigError: "ab" would exclude "a" and "b"."""
        view = self.view(data)
        pickers.one_string_is_no_exclusion(self.policy.build(view), self.eligible(view), [None])

    @law
    def test_panic_serves_the_unhealthy_but_never_the_draining(self, data: st.DataObject) -> None:
        """In panic UNHEALTHY backends are picked again; DRAINING ones and those of weight 0 never."""
        sick = st.sampled_from([State.UNHEALTHY, State.UNHEALTHY, State.DRAINING])
        view = self.view(data, state=sick, panic_below=st.just(0.5), max_size=min(self.max_size, 33))
        if not self.eligible(view):
            return
        picker = self.policy.build(view)
        seen = set(self.mapping(view, picker, self.keys(data))) | {b.id for b in picker.walk()}
        assert seen == self.eligible(view), f"served {sorted(seen)} of {sorted(self.eligible(view))}"

    @law
    def test_a_bare_build_is_deterministic(self, data: st.DataObject) -> None:
        """Two pickers built from equal views without `previous` pick alike."""
        view, keys = self.view(data), self.keys(data)
        first, second = (self.policy.build(View.of(view, panic_below=view.panic_below)) for _ in range(2))
        assert self.served(view, first) == self.served(view, second), "without a key they differ"
        assert self.mapping(view, first, keys) == self.mapping(view, second, keys), "by key they differ"

    @law
    def test_a_rebuild_that_changes_nothing_is_invisible(self, data: st.DataObject) -> None:
        """A picker rebuilt from an equal view and its `previous` goes on as the previous one would have."""
        view, keys = self.view(data), self.keys(data)
        stayed, rebuilt = self.policy.build(view), self.policy.build(view)
        for picks in data.draw(st.lists(st.integers(0, 5), max_size=4), label="picks between rebuilds"):
            wanted, seen = self.served(view, stayed, picks), self.served(view, rebuilt, picks)
            assert seen == wanted, f"after a rebuild {seen}, without it {wanted}"
            rebuilt = self.policy.build(View.of(view, panic_below=view.panic_below), previous=rebuilt)
        assert self.served(view, rebuilt) == self.served(view, stayed), "after a rebuild the sequence is another one"
        assert self.mapping(view, rebuilt, keys) == self.mapping(view, stayed, keys), "after a rebuild keys move"

    @law
    def test_no_rebuild_restarts_a_sequence(self, data: st.DataObject) -> None:
        """A rebuild for other signals and back again leaves the sequence where it was."""
        view = self.view(data)
        shaken = some.with_signals(
            view.backends,
            data.draw(st.lists(some.factors(), min_size=1, max_size=3), label="other factors"),
            data.draw(st.lists(some.states(), min_size=1, max_size=3), label="other states"),
        )
        stayed, rebuilt = self.policy.build(view), self.policy.build(view)
        picks = data.draw(st.integers(0, 7), label="picks before")
        assert self.served(view, stayed, picks) == self.served(view, rebuilt, picks), "equal builds differ"
        rebuilt = self.policy.build(view, previous=self.policy.build(shaken, previous=rebuilt))
        wanted, seen = self.served(view, stayed), self.served(view, rebuilt)
        assert seen == wanted, f"after signals came and went {seen}, without them {wanted}"

    @law
    def test_a_policy_builds_from_what_a_beginner_has(self, data: st.DataObject) -> None:
        """Ids, an id-to-weight mapping, own objects and a view of the same pool give the same picks."""
        pool = data.draw(some.pools(self.weights, max_size=min(self.max_size, 33)), label="pool")
        keys, view = self.keys(data), View.of(pool)
        wanted = self.mapping(view, self.policy.build(view), keys)
        forms: list[Any] = [pool, iter(pool), tuple(pool), {b.id: b.weight for b in pool}]
        if all(b.weight == 1.0 for b in pool):
            forms.append([b.id for b in pool])
        for form in forms:
            seen = self.mapping(view, self.policy.build(form), keys)
            assert seen == wanted, f"from {form!r}: {seen}, from the view: {wanted}"

    @law
    def test_a_pickled_policy_and_picker_pick_alike(self, data: st.DataObject) -> None:
        """Pickling keeps what a policy and a picker decide, and where the sequence stands."""
        view, keys = self.view(data), self.keys(data)
        policy = pickle.loads(pickle.dumps(self.policy))
        assert policy == self.policy and hash(policy) == hash(self.policy), f"{policy!r} is not {self.policy!r}"
        picker = self.policy.build(view)
        self.served(view, picker, data.draw(st.integers(0, 5), label="picks before"))
        copy = pickle.loads(pickle.dumps(picker))
        assert self.mapping(view, copy, keys) == self.mapping(view, picker, keys), "the copy differs by key"
        assert self.served(view, copy) == self.served(view, picker), "the copy differs without a key"

    @law
    def test_a_policy_survives_json(self, data: st.DataObject) -> None:
        """`from_dict(to_dict())`, through JSON, is an equal policy and picks alike."""
        policy = self.from_dict(json.loads(json.dumps(self.policy.to_dict())))
        assert policy == self.policy and hash(policy) == hash(self.policy), f"{policy!r} is not {self.policy!r}"
        view, keys = self.view(data), self.keys(data)
        mine, other = self.policy.build(view), policy.build(view)
        assert self.mapping(view, mine, keys) == self.mapping(view, other, keys), "it picks differently"

    @law
    def test_another_process_picks_alike(self) -> None:
        """Another process, whose Python hashes strings differently, picks alike."""
        names = [f"10.0.0.{k}:80" for k in range(11)]
        view = View.of(names, factors={names[3]: 0.5}, states={names[7]: State.UNHEALTHY})
        picker, keys = self.policy.build(view), [*pickers.KEYS] if self.keyed else [None] * 40
        fingerprint = picker.fingerprint() if hasattr(picker, "fingerprint") else None
        wanted = json.loads(json.dumps((fingerprint, self.mapping(view, picker, keys))))
        child = subprocess.run(
            args=[sys.executable, "-c", _CHILD, json.dumps(sys.path)],
            input=pickle.dumps((self.policy, view, keys)),
            env={**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"},
            capture_output=True,
            check=False,
        )
        assert child.returncode == 0, f"the other process failed: {child.stderr.decode()}"
        assert json.loads(child.stdout) == wanted, f"it picks {child.stdout.decode()}, here {json.dumps(wanted)}"

    @law
    def test_nobody_touches_global_randomness(self, data: st.DataObject) -> None:
        """Building and picking neither draw from nor seed a global random generator."""
        view, keys = self.view(data, max_size=min(self.max_size, 33)), self.keys(data)
        with GlobalRandomness():
            picker = self.policy.build(self.policy.build(view).backends)
            picker = self.policy.build(view, previous=picker)
            self.mapping(view, picker, keys)
            self.served(view, picker)
            list(picker.walk())


class TicketContract(PolicyContract):
    """What policies add whose pickers decide by a 64-bit ticket alone: bulk, replay, shares and fingerprints."""

    @law
    def test_bulk_equals_scalar(self, data: st.DataObject) -> None:
        """`pick_many(tickets(keys))` names the slots that `slot` and `pick` name one by one."""
        view = self.view(data)
        pickers.bulk_equals_scalar(self.policy.build(view), self.eligible(view), self.keys(data))

    @law
    def test_shares_are_a_law(self, data: st.DataObject) -> None:
        """`shares` are >= 0, sum to 1 where anybody is eligible, and are 0 for whoever is not."""
        view = self.view(data, max_size=min(self.max_size, 33))
        pickers.shares_are_a_law(self.policy.build(view), self.eligible(view), [])

    @law
    def test_equal_fingerprints_mean_equal_mappings(self, data: st.DataObject) -> None:
        """Pickers with equal fingerprints map every ticket to the same id; equal builds have equal fingerprints."""
        view = self.view(data, max_size=min(self.max_size, 33))
        again = self.policy.build(View.of(view, panic_below=view.panic_below))
        mine = self.policy.build(view)
        assert mine.fingerprint() == again.fingerprint(), "equal builds have different fingerprints"
        assert mine.fingerprint() == pickle.loads(pickle.dumps(mine)).fingerprint(), "a copy has another fingerprint"
        other_view = self.altered(data, view)
        other = self.policy.build(other_view)
        if mine.fingerprint() != other.fingerprint() or not self.eligible(view):
            return
        assert self.eligible(other_view), f"equal fingerprints, but one has nobody to pick: {other_view!r}"
        for ticket in map(int, mine.tickets(self.keys(data))):
            here, there = (picker.backends[picker.slot(ticket)].id for picker in (mine, other))
            assert here == there, f"equal fingerprints, but ticket {ticket} is {here!r} here and {there!r} there"

    def altered(self, data: st.DataObject, view: View[Any]) -> View[Any]:
        """The view with one fact changed, or none, or in another order."""
        order: Sequence[int] = range(len(view))
        if len(view) < 9 and not self.ordered:
            order = data.draw(st.permutations(order), label="order")
        columns = {
            n: dict(zip(view.ids, getattr(view, n).tolist(), strict=True)) for n in ("weights", "factors", "states")
        }
        if len(view):
            touched = data.draw(st.sampled_from(["weights", "factors", "states"]), label="what changes")
            values = {"weights": self.weights, "factors": some.factors(), "states": some.states()}[touched]
            columns[touched][data.draw(st.sampled_from(view.ids), label="whose")] = data.draw(values, label="to what")
        return View.of([view.backends[k] for k in order], **columns, panic_below=view.panic_below)
