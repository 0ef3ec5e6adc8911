"""Heavy hitters: the most frequent keys of a stream, by name, in bounded memory and with an error that is known.

Space-Saving keeps m keys with a count each. A key that is kept is counted; one that is not takes the place of the least
and goes on from its count, which is therefore the most by which its own can be wrong. With n the sum of all weights:

    true <= count <= true + error,   error <= floor,   floor <= (n - f_1 - … - f_j) / (m - j) for every j < m

where floor bounds the weight of any key that is not kept and f_1 >= f_2 >= … are the true weights of the heaviest. So a
key with more than n / m is kept, always; and on a skewed stream the error is far below n / m, because the heavy keys
do not count. Integer weights are exact.

With a half-life weights fade: a request of `half_life` seconds ago counts one half. All counts fade alike, which
changes neither their order nor the law; so they are kept in units of a past instant, in which new weights grow instead.

Two sketches merge into one for both streams: counts add up (a key that one of them does not keep may have had its floor
there), and what does not fit raises the floor. The law holds with n the sum of both, floor <= n / m.

Costs: add O(1) for a key that is kept, O(log m) amortised else; memory m keys of any length, about 300 bytes each.
Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005;
the law for skewed streams: Berinde, Indyk, Cormode, Strauss, "Space-optimal heavy hitters with strong error bounds",
PODS 2009; the merge: Agarwal et al., "Mergeable summaries", PODS 2012; fading: Cormode et al., "Forward decay",
ICDE 2009.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import LIMIT, check_integer, check_real, check_time
from lbalgo.types import Key
from lbalgo.written_keys import raw_key, read_key, written_key

CAPACITY = 1024  # no key of more than 0.1 % of the requests is missed
RESCALE = 32.0  # half-lives after which the unit is renewed; 2**32 in a double leaves 20 bits below a request


@dataclass(frozen=True, slots=True)
class HeavyHitter:
    """A key, the most it can have weighed, and by how much that may be too high.

    Examples
    --------
    >>> HeavyHitter("a", 5, 1).least
    4
    """

    key: Key
    count: float
    error: float

    @property
    def least(self) -> float:
        """What the key has weighed at least."""
        return self.count - self.error


class HeavyHitters:
    """A Space-Saving sketch: which keys are requested most, and how often, within a known error.

    Parameters
    ----------
    capacity : number m of keys kept, from 1 to 2**24.
    half_life : seconds after which a request counts one half; None to count for ever.

    Raises
    ------
    ConfigError : a parameter is out of range.

    Not for several threads at a time. Reading changes nothing. A str key and its UTF-8 bytes are one key, shown as it
    first came.

    Costs: `add` O(1), or O(log m) amortised for a key that is not kept; memory m keys and about 300 bytes for each.
    Source: Metwally, Agrawal, El Abbadi, ICDT 2005; Agarwal et al., PODS 2012, for `merge`.

    Examples
    --------
    >>> sketch = HeavyHitters(capacity=2)
    >>> for key in "abacaaba":
    ...     sketch.add(key)
    >>> sketch.total, sketch.top(1)
    (8, [HeavyHitter(key='a', count=5, error=0)])
    >>> [hot.key for hot in sketch.above(0.5)]
    ['a']
    """

    def __init__(self, capacity: int = CAPACITY, half_life: float | None = None) -> None:
        self.capacity = check_integer("capacity", capacity, low=1, high=2**24)
        if half_life is not None:
            half_life = check_real("half_life", half_life, low=0.0, open_low=True)
        self.half_life = half_life
        self._clear()

    def _clear(self) -> None:
        self._kept: dict[bytes, list[Any]] = {}  # bytes of the key: count, error, the key as it came
        self._heap: list[tuple[float, int, bytes]] = []  # a count that was, order of coming, key: one of each kept
        self._came = 0
        self._total: float = 0
        self._floor: float = 0  # since the last merge: what a key that is not kept may have weighed
        self._unit = 1.0  # what one request weighs now, where counts fade
        self._origin: float | None = None  # the instant at which it weighed 1
        self._now: float | None = None

    def add(self, key: Key, weight: float = 1, *, now: float | None = None) -> None:
        """Counts a request, or `weight` of them.

        Parameters
        ----------
        key : as for `hash_key`.
        weight : > 0 and at most 2**53.
        now : seconds; needed, and looked at, only with a half-life. An earlier instant counts as the latest seen.

        Raises
        ------
        ConfigError : weight or now are invalid, or the key is; TypeError : it is no key.
        """
        name = raw_key(key)
        if type(weight) is not int or not 0 < weight <= LIMIT:
            weight = check_real("weight", weight, low=0.0, high=LIMIT, open_low=True)
        if self.half_life is not None:
            self._pass(check_time("now", now))
            weight *= self._unit
        self._total += weight
        entry = self._kept.get(name)
        if entry is not None:
            entry[0] += weight
            return
        self._came += 1
        if len(self._kept) < self.capacity:
            error = self._floor
            heapq.heappush(self._heap, (error + weight, self._came, name))
        else:
            error, _, least = self._least()
            del self._kept[least]
            heapq.heapreplace(self._heap, (error + weight, self._came, name))
        self._kept[name] = [error + weight, error, bytes(key) if isinstance(key, (bytearray, memoryview)) else key]

    def _least(self) -> tuple[float, int, bytes]:
        """The heap's head when it is true to the counts, which since then may only have grown."""
        while True:
            count, came, name = self._heap[0]
            current = self._kept[name][0]
            if current == count:
                return self._heap[0]
            heapq.heapreplace(self._heap, (current, came, name))

    def _pass(self, now: float) -> None:
        """Lets time go by; a unit grown too large is renewed."""
        if self._origin is None or self._now is None:
            self._origin = self._now = now
        if self.half_life is None or now <= self._now:
            return
        self._now = now
        grown = (now - self._origin) / self.half_life
        if grown > RESCALE:
            self._scale(2.0**-grown)
            self._origin, grown = now, 0.0
        self._unit = 2.0**grown

    def _scale(self, by: float) -> None:
        for entry in self._kept.values():
            entry[0], entry[1] = entry[0] * by, entry[1] * by
        self._total, self._floor = self._total * by, self._floor * by
        self._heap = [(self._kept[name][0], came, name) for _, came, name in self._heap]
        heapq.heapify(self._heap)

    def advance(self, now: float) -> None:
        """Lets counts fade until `now`; an earlier instant changes nothing."""
        self._pass(check_time("now", now))

    @property
    def total(self) -> float:
        """Sum n of all weights, faded."""
        return self._total / self._unit if self.half_life is not None else self._total

    @property
    def floor(self) -> float:
        """The most a key that is not kept can have weighed; at most total / capacity. Cost: O(m)."""
        if len(self._kept) < self.capacity:
            floor = self._floor
        else:
            floor = min(entry[0] for entry in self._kept.values())
        return floor / self._unit if self.half_life is not None else floor

    def get(self, key: Key) -> HeavyHitter | None:
        """What is known of a key that is kept; None of one that is not, which has weighed at most `floor`."""
        entry = self._kept.get(raw_key(key))
        return None if entry is None else self._shown(entry)

    def _shown(self, entry: list[Any]) -> HeavyHitter:
        count, error, key = entry
        if self.half_life is not None:
            count, error = count / self._unit, error / self._unit
        return HeavyHitter(key, count, error)

    def share(self, key: Key) -> float:
        """The most that a key that is kept can have of the total; 0 of one that is not."""
        entry = self._kept.get(raw_key(key))
        return 0.0 if entry is None else entry[0] / self._total

    def top(self, n: int | None = None) -> list[HeavyHitter]:
        """The n keys of the greatest counts, greatest first, or all that are kept."""
        order = sorted(self._kept.items(), key=lambda item: (-item[1][0], item[0]))
        return [self._shown(entry) for _, entry in order[: None if n is None else check_integer("n", n, low=0)]]

    def above(self, share: float) -> list[HeavyHitter]:
        """Every key that may have more than this share of the total, greatest count first: none that has is missing.

        Raises
        ------
        ConfigError : share is not in [1 / capacity, 1]: keys of less may have been dropped.
        """
        least = check_real("share", share, low=1.0 / self.capacity, high=1.0) * self.total
        return [hot for hot in self.top() if hot.count > least]

    def merge(self, other: HeavyHitters) -> None:
        """Takes in what another sketch has counted, which stays as it is; both then stand at the later instant.

        Raises
        ------
        ConfigError : `other` is no sketch of the same capacity and half-life.
        """
        if not isinstance(other, HeavyHitters) or (other.capacity, other.half_life) != (self.capacity, self.half_life):
            raise ConfigError("other", other, f"must be like {self!r}")
        if self.half_life is not None and other._now is not None:
            self._pass(other._now)
        ratio = 1.0
        if self.half_life is not None and other._origin is not None and self._origin is not None:
            ratio = 2.0 ** ((other._origin - self._origin) / self.half_life)
        faded = self.half_life is not None
        theirs = {k: [e[0] * ratio, e[1] * ratio, e[2]] if faded else list(e) for k, e in other._kept.items()}
        their_floor = other._bound() * ratio if faded else other._bound()
        mine, my_floor = self._kept, self._bound()
        both: dict[bytes, list[Any]] = {}
        for name in [*mine, *(k for k in theirs if k not in mine)]:
            a, b = mine.get(name), theirs.get(name)
            count = (my_floor if a is None else a[0]) + (their_floor if b is None else b[0])
            error = (my_floor if a is None else a[1]) + (their_floor if b is None else b[1])
            both[name] = [count, error, (a or b)[2]]  # type: ignore[index]
        floor = my_floor + their_floor
        if len(both) >= self.capacity:
            floor = max(floor, heapq.nlargest(self.capacity, (e[0] for e in both.values()))[-1])
        self._total += other._total * ratio if faded else other._total
        self._set(both, floor)

    def _bound(self) -> float:
        full = len(self._kept) >= self.capacity
        return min(entry[0] for entry in self._kept.values()) if full else self._floor

    def _set(self, entries: dict[bytes, list[Any]], floor: float) -> None:
        """Keeps whoever is above the floor: fewer than the capacity, since the floor is the last count that fits."""
        self._kept = {name: entry for name, entry in entries.items() if entry[0] > floor}
        self._floor = floor
        self._heap = [(entry[0], place, name) for place, (name, entry) in enumerate(self._kept.items())]
        self._came = len(self._heap)
        heapq.heapify(self._heap)

    def snapshot(self) -> dict[str, Any]:
        """The state as plain data: counts as of the latest instant, no instants."""
        bound = self.floor if len(self._kept) < self.capacity else 0
        order = [self._kept[name] for _, _, name in sorted(self._heap, key=lambda place: place[1])]  # ties go by coming
        keys = [[*written_key(hot.key), hot.count, hot.error] for hot in map(self._shown, order)]
        return {"type": "HeavyHitters", "total": self.total, "floor": bound, "keys": keys}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot, as if it had been taken at `now`.

        Raises
        ------
        ConfigError : the state is none of this capacity; nothing has changed then.
        """
        now = check_time("now", now)
        if not isinstance(state, Mapping) or set(state) != {"type", "total", "floor", "keys"}:
            raise ConfigError("state", state, "must be a snapshot of a HeavyHitters")
        if state["type"] != "HeavyHitters":
            raise ConfigError("state['type']", state["type"], "must be 'HeavyHitters'")
        total, floor = (_weight(f"state[{name!r}]", state[name]) for name in ("total", "floor"))
        rows = state["keys"]
        if not isinstance(rows, (list, tuple)) or len(rows) > self.capacity:
            raise ConfigError("state['keys']", rows, f"must be at most {self.capacity} keys")
        kept: dict[bytes, list[Any]] = {}
        for row in rows:
            if not isinstance(row, (list, tuple)) or len(row) != 4:
                raise ConfigError("state['keys']", row, "must be kind, key, count and error")
            key = read_key(row[0], row[1])
            count, error = _weight("state['keys']", row[2]), _weight("state['keys']", row[3])
            if error > count or count < floor or raw_key(key) in kept:
                raise ConfigError("state['keys']", row, "must be kept once, with floor and error at most its count")
            kept[raw_key(key)] = [count, error, key]
        if floor * self.capacity > total * (1 + 1e-9):
            raise ConfigError("state['floor']", floor, "must be at most total / capacity")
        self._clear()
        self._total = total
        self._pass(now)
        self._set(kept, -1)
        self._floor = floor

    def check_invariants(self) -> None:
        """Raises AssertionError where the sketch contradicts its law."""
        assert len(self._heap) == len(self._kept) <= self.capacity, "one place in the heap for each key"
        assert {name for *_, name in self._heap} == set(self._kept), "the heap holds the keys kept"
        assert all(count <= self._kept[name][0] for count, _, name in self._heap), "counts only grow"
        counts = [entry[0] for entry in self._kept.values()]
        free = (self.capacity - len(counts)) * self._floor
        assert sum(counts) + free <= self._total * (1 + 1e-9), "floor and counts are of the total"
        assert all(0 <= entry[1] <= entry[0] for entry in self._kept.values()), "an error is part of the count"

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"HeavyHitters(capacity={self.capacity}" + (
            f", half_life={self.half_life!r})" if self.half_life else ")"
        )


def _weight(name: str, value: Any) -> float:
    """A sum of weights, >= 0; an int stays one."""
    checked = check_real(name, value, low=0.0)
    return value if isinstance(value, int) else checked
