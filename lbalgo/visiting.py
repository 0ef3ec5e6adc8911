"""A request's way past the gates of a balancer: who may refuse it, who chooses for it, and who is told its end.

Two kinds of gate, told apart by what they can do. *Admission gates* decide whether a request goes at all (`admit`,
`started`, `refused`, `finished`). At most one *affinity gate* chooses where it goes, with the picker of the moment
(`pick`): a second would choose again. The order is the same for every request, and nothing is taken before all agree:

1. all admission gates are asked, without a backend; the first refusal ends it, and all are told `refused`;
2. the backends at their limit (`full()` of any gate that has it) are excluded, and the affinity gate, or else the
   picker, chooses;
3. all are told `started`, with the backend; when the lease ends, `finished`, with its outcome and latency.

Whatever fails between 1 and 3, all are told `refused`.

Gates that draw lots (throttles, shedding) take the bits of the request. One that comes without is given some, from a
stream of its own, so that no pick and no lot are of the same bits.

So a gate that refuses by backend says so by `full()`, and a request goes to its next backend rather than nowhere.

Not safe for threads by itself: the balancer holds its lock around all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from lbalgo.errors import ConfigError, NoBackend, NotAdmitted
from lbalgo.excluding import Either
from lbalgo.outside import CLOCK
from lbalgo.reference.hashing import WORD, mix64
from lbalgo.request import Decision, Reason, Request
from lbalgo.types import Outcome

ADMISSION = ("admit", "started", "refused", "finished")
BACKEND_LIMIT = Decision(Reason.BACKEND_LIMIT)
NOBODY: frozenset[str] = frozenset()
STREAM = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, odd: the step of SplitMix64, and what sets our stream apart


class Gatehouse:
    """The gates of one balancer.

    Parameters
    ----------
    gates : admission gates, and at most one affinity gate, in any order; no gate twice.
    clock : the balancer's; one of an affinity gate with sessions has to count from the Unix epoch.

    Raises
    ------
    ConfigError : one of them is no gate, is there twice, or cannot work with the others or the clock.
    """

    __slots__ = ("_drawn", "admission", "affinity", "all", "bounded", "limiting", "sessions")

    def __init__(self, gates: Iterable[Any], clock: Callable[[], float]) -> None:
        if isinstance(gates, (str, bytes)) or not isinstance(gates, Iterable):
            raise ConfigError("gates", gates, "must be a collection of gates")
        self.all = tuple(gates)
        self.affinity: Any = None
        admission = []
        for at, gate in enumerate(self.all):
            name = f"gates[{at}]"
            if any(gate is other for other in self.all[:at]):
                raise ConfigError(name, gate, "is in the list already")
            if is_admission(gate):
                admission.append(gate)
            elif isinstance(gate, type) or not hasattr(gate, "pick") or hasattr(gate, "walk"):
                raise ConfigError(name, gate, f"must be a gate, with {', '.join(ADMISSION)}, or with pick")
            elif self.affinity is not None:
                raise ConfigError(name, gate, "would choose after another gate has: only one of them can")
            else:
                self.affinity = gate
        self.admission = tuple(admission)
        self.limiting = tuple(gate for gate in self.admission if hasattr(gate, "full"))
        self.sessions = bool(getattr(self.affinity, "sessions", False))
        self.bounded = getattr(self.affinity, "spill", None) is not None
        if self.sessions and clock is CLOCK:
            raise ConfigError("clock", clock, f"must count from the Unix epoch, as time.time, for {self.affinity!r}")
        self._drawn = 0

    def reseed(self, seed: int) -> None:
        """The bits that requests are given begin anew, from this seed in [0, 2**64)."""
        self._drawn = mix64(seed ^ STREAM)

    def numbered(self, request: Request) -> Request:
        """The request with bits of its own."""
        if request.bits:
            return request
        self._drawn = (self._drawn + STREAM) & WORD
        return request.numbered(mix64(self._drawn))

    def ask(self, now: float, request: Request, session: Any, budget: Any) -> Visit:
        """A visit that all gates admit, the budget among them if there is one.

        Raises
        ------
        NotAdmitted : one of them refused; all have been told.
        """
        gates = self.admission if budget is None else (*self.admission, budget)
        if not request.bits:
            request = self.numbered(request)
        for gate in gates:
            decision = gate.admit(now, request)
            if decision.reason is not None:
                for other in gates:
                    other.refused(now, request)
                raise NotAdmitted(decision, request)
        return Visit(gates, request, session)

    def choose(
        self, visit: Visit, picker: Any, key: Any, exclude: Container[str], now: float, loads: Callable[[Any], Any]
    ) -> Any:
        """The backend of an admitted visit; `loads` gives what is in flight to each slot, for a gate that bounds it.

        Raises
        ------
        NoBackend : nobody can be chosen.
        """
        full: frozenset[str] = NOBODY
        for limiting in self.limiting:
            full = full | limiting.full() if full else limiting.full()
        barred = (Either(exclude, full) if exclude != () else full) if full else exclude
        gate, request = self.affinity, visit.request
        try:
            if gate is None:
                return picker.pick(key, exclude=barred) if barred != () else picker.pick(key)
            if not self.sessions:
                return gate.pick(picker, key, now=now, exclude=barred)
            spread = loads(picker) if self.bounded else None
            visit.choice = gate.pick(
                picker, visit.session, now=now, key=key, bits=request.bits, exclude=barred, loads=spread
            )
            return visit.choice.backend
        except NoBackend as refusal:
            if full and refusal.reason == "excluded" and any(b.id not in exclude for b in picker.walk(key)):
                raise NotAdmitted(BACKEND_LIMIT, request) from None
            raise

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """What each gate has learned, as plain data, in order."""
        return [{"type": type(gate).__name__, "state": _state(gate, now)} for gate in self.all]

    def restore(self, states: Any, now: float) -> Callable[[], None]:
        """Lets all go on from their snapshots; what it returns takes it back.

        Raises
        ------
        ConfigError : these are not the states of such gates; nothing has changed.
        """
        wanted = [type(gate).__name__ for gate in self.all]
        whole = isinstance(states, list) and all(isinstance(s, Mapping) and set(s) == {"type", "state"} for s in states)
        if not whole or [s["type"] for s in states] != wanted:
            raise ConfigError("state['gates']", states, f"must be the states of {wanted}")
        before = self.snapshot(now)

        def back() -> None:
            self._load(before, now)

        try:
            self._load(states, now)
        except BaseException:
            back()
            raise
        return back

    def _load(self, states: Sequence[Mapping[str, Any]], now: float) -> None:
        for gate, known in zip(self.all, states, strict=True):
            if hasattr(gate, "restore"):
                gate.restore(known["state"], now)
            elif known["state"] is not None:
                raise ConfigError("state['gates']", known, "must be None for a gate that remembers nothing")


class Contextual:
    """A picker whose picks and walks are given a request's context.

    Parameters
    ----------
    picker : one that takes contexts.
    context : of the request.
    """

    __slots__ = ("backends", "context", "picker")

    def __init__(self, picker: Any, context: Any) -> None:
        self.picker, self.context, self.backends = picker, context, picker.backends

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> Any:
        """The picker's pick."""
        return self.picker.pick(key, exclude=exclude, context=self.context)

    def walk(self, key: Any = None) -> Any:
        """The picker's walk."""
        return self.picker.walk(key, context=self.context)


class Visit:
    """One request past the gates: what they were told of it, and what the affinity gate answered.

    Attributes
    ----------
    gates : who hears of its start and its end.
    request : as the gates were asked, with its bits and without a backend.
    sent : the same with its backend, once it has started; else None.
    session : what the client has sent of its session, or None.
    choice : the affinity gate's answer, where it gives more than a backend; else None.
    course : the attempts it is one of, or None.
    delay : seconds to wait before it is sent.
    """

    __slots__ = ("choice", "course", "delay", "gates", "request", "sent", "session")

    def __init__(self, gates: tuple[Any, ...], request: Request, session: Any) -> None:
        self.gates, self.request, self.session = gates, request, session
        self.sent: Request | None = None
        self.choice: Any = None
        self.course: Any = None
        self.delay = 0.0

    def started(self, id: str, now: float) -> None:
        """All gates hear where it goes; if one fails, those before it hear CANCELLED, the others a refusal."""
        self.sent = sent = self.request.to(id)
        told = 0
        try:
            for gate in self.gates:
                gate.started(now, sent)
                told += 1
        except BaseException:
            for gate in self.gates[:told]:
                gate.finished(now, sent, Outcome.CANCELLED, None)
            for gate in self.gates[told:]:
                gate.refused(now, self.request)
            raise

    def refused(self, now: float) -> None:
        """All gates hear that it was not sent, unless it was."""
        if self.sent is None:
            for gate in self.gates:
                gate.refused(now, self.request)

    def finished(self, outcome: Outcome, latency: float | None, now: float) -> None:
        """All gates hear its end, whatever one of them raises; that comes out in the end."""
        failed = None
        for gate in self.gates:
            try:
                gate.finished(now, self.sent, outcome, latency)
            except Exception as error:
                failed = failed or error
        if failed is not None:
            raise failed


def is_admission(gate: Any) -> bool:
    """Whether this can admit and refuse."""
    return not isinstance(gate, type) and all(callable(getattr(gate, name, None)) for name in ADMISSION)


def _state(gate: Any, now: float) -> Any:
    if not hasattr(gate, "restore"):
        return None
    return gate.snapshot(now) if is_admission(gate) else gate.snapshot()
