"""Every state that a world can come to, every move out of each once, and who can be well again from where.

A world is something real that cannot be copied, so it is walked: on as long as there is a move it has not tried, then
by the shortest way known to a state that has one left, and only if there is none nearby anew from the beginning. That
a way leads to where it led before is checked whenever one is walked again.

Members are told apart by nothing but what is known of each. Two states that differ only in the names of members count
as one (`fold=True`): in a state members go by their *place* in its key, moves by the place of whom they befall, and
a tried move says for each place where its member stands afterwards. How many states there are if names count is the sum
of the arrangements, and a search without folding finds as many.

A world has `actions()`, each (name, id or None, *what is said); `do(action)`, `check()`; `facts()`, what is known in
all and of each id, hashable; `stage(id)`; and `good`, the (name, *said) of good news.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from math import factorial, prod

NEARBY = 1000  # states looked at for one with moves left, before the walk begins anew


@dataclass
class Known:
    """What is known of a state."""

    parent: tuple | None  # the state and the move by which it was found
    stages: list  # by place
    untried: list
    arrangements: int
    tried: dict = field(default_factory=dict)  # move: where to, and the new place of each place


class Search:
    """All states of the worlds that `make` makes; `limit` is the most there may be."""

    def __init__(self, make, limit=None, fold=True):
        self.make, self.limit, self.fold = make, limit, fold
        self.numbers, self.states, self.facts, self.open = {}, [], {}, deque()
        self.begin()
        while self.open:
            if not self.states[self.at].untried:
                self.approach()
            self.attempt(self.states[self.at].untried.pop())
            while self.open and not self.states[self.open[0]].untried:
                self.open.popleft()

    @property
    def edges(self):
        return sum(len(state.tried) for state in self.states)

    @property
    def unfolded(self):
        """How many states there are if names count."""
        return sum(state.arrangements for state in self.states)

    def begin(self):
        self.world = self.make()
        self.at, self.order = self.number(None)

    def number(self, parent):
        """Which state the world is in, and whose place is which."""
        common, each = self.world.facts()
        of = {id: self.facts.setdefault(facts, len(self.facts)) for id, facts in each.items()}
        order = sorted(of, key=of.__getitem__) if self.fold else list(of)
        key = (common, *(of[id] for id in order))
        if key not in self.numbers:
            self.numbers[key] = len(self.states)
            self.open.append(len(self.states))
            moves = [(name, None if id is None else order.index(id), *said) for name, id, *said in self.world.actions()]
            alike = prod(map(factorial, Counter(key[1:]).values())) if self.fold else factorial(len(order))
            stages = [self.world.stage(id) for id in order]
            self.states.append(Known(parent, stages, moves, factorial(len(order)) // alike))
            assert self.limit is None or len(self.states) <= self.limit, "larger than it should be: what has no bound?"
        return self.numbers[key], order

    def attempt(self, move):
        """A move for the first time."""
        before, order = self.at, self.order
        self.world.do(named(move, order))
        self.world.check()
        self.at, self.order = self.number((before, move))
        self.states[before].tried[move] = self.at, tuple(self.order.index(id) for id in order)

    def walk(self, moves):
        """Moves that have been tried."""
        for move in moves:
            self.world.do(named(move, self.order))
            to, places = self.states[self.at].tried[move]
            order = dict(zip(places, self.order, strict=True))
            self.at, self.order = to, [order[place] for place in range(len(order))]
        at, self.order = self.number(None)
        assert at == self.at, "states that count as one are not"

    def approach(self):
        """To a state that has moves left."""
        came, queue = {self.at: None}, deque([self.at])
        while queue and len(came) < NEARBY:
            at = queue.popleft()
            for move, (to, _) in self.states[at].tried.items():
                if to in came:
                    continue
                came[to] = at, move
                if self.states[to].untried:
                    return self.walk(back(came, to))
                queue.append(to)
        to = self.open[0]
        self.begin()
        return self.walk(self.way(to))

    def way(self, to):
        """The moves by which a state was found."""
        return back({n: state.parent for n, state in enumerate(self.states)}, to)

    def stuck(self, well, gone):
        """The states, and places in them, from which good news does not lead to the stage `well`; `gone` are let be."""
        everybody = [(n, p, stage) for n, state in enumerate(self.states) for p, stage in enumerate(state.stages)]
        before, saved = {}, {(n, p) for n, p, stage in everybody if stage is well}
        for n, state in enumerate(self.states):
            for (name, place, *said), (to, places) in state.tried.items():
                if (name, *said) in self.world.good:
                    for p in range(len(places)) if place is None else (place,):
                        before.setdefault((to, places[p]), []).append((n, p))
        queue = deque(saved)
        while queue:
            for place in before.get(queue.popleft(), ()):
                if place not in saved:
                    saved.add(place)
                    queue.append(place)
        return [(self.way(n), p) for n, p, stage in everybody if stage is not gone and (n, p) not in saved]


def named(move, order):
    """A move by place as an action by id."""
    name, place, *said = move
    return (name, None if place is None else order[place], *said)


def back(came, to):
    moves = []
    while came[to] is not None:
        to, move = came[to]
        moves.append(move)
    return moves[::-1]
