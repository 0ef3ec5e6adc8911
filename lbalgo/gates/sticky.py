"""Sticky sessions over any policy: the first request is the policy's, the next go where the first went.

The memory is with the client: a cookie that names the backend, the session and its times, sealed so that it can be
neither read nor made nor carried to another pool (`lbalgo.gates.sealing`). So a fleet of balancers that share secrets
agrees without a word, a restart forgets nothing, and there is no table to fill. The price: sessions cannot be counted
or ended from here but by time, draining, or a change of secrets. `now` is in seconds of the Unix epoch, since other
machines will read it.

A session is kept by its backend, its *home*, while that is a member and well, or drains or is degraded if so wished.
What happens else is a table, `VERDICTS`, and the reason is told with every choice. Three ways out:

- RENDEZVOUS: the session's next choice in an order of its own, kept as long as home is away. The cookie stays, so the
  session returns when home does. Sessions of a failed backend spread over all others, each to one.
- PICK: a new pick of the policy, which becomes the new home. Nothing returns.
- REFUSE: `NoBackend`; for state that exists nowhere else.

Stickiness is what overloads backends while others idle, since no policy is asked. With `spill` c a home keeps its
requests only while it has room: its load is below ceil(c * (total + 1) * its share of the weight), the rule of
`BoundedLoad`; what does not fit goes the way out for this once.

Costs: a kept request opens one cookie, two HMACs; a new one the pick and a seal; O(N) once for each rebuilt picker,
and O(N log N) then for the first session away from home; `spill` sums N loads a request.
Source: the reasons and ways out of AWS ALB (cookie rewritten), HAProxy (`cookie`, `redispatch`) and KubeAI (cap of
1.25); the seal is ours.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lbalgo.active import mix64
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.excluding import Either
from lbalgo.gates.homes import Homes, Session
from lbalgo.gates.members import Members, Standing, fullness, never
from lbalgo.gates.sealing import Seal
from lbalgo.hashing import hash_key
from lbalgo.spec import check_bool, check_enum, check_id, check_integer, check_real, enum_from_name, from_dict

TTL = 86_400.0  # seconds; ours: a day from the choice of a home
SKEW = 60.0  # seconds that another machine's clock may be ahead; ours
RENEWAL = 0.1  # of `idle`: a cookie is renewed when its last renewal is older; ours


class Fallback(enum.Enum):
    """Where a session goes that cannot go home."""

    RENDEZVOUS = "rendezvous"
    PICK = "pick"
    REFUSE = "refuse"


class Why(enum.Enum):
    """Why a request went where it went."""

    HIT = "hit"
    NEW = "new"  # no cookie
    INVALID = "invalid"  # forged, damaged, or sealed for another pool, context or secret
    EXPIRED = "expired"
    UNKNOWN = "unknown"  # home is no member
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"
    DRAINING = "draining"
    OVERLOADED = "overloaded"
    EXCLUDED = "excluded"


VERDICTS: dict[Standing, tuple[Why, str | None]] = {  # how home stands: the reason, and the field that overrules it
    Standing.ELIGIBLE: (Why.HIT, None),
    Standing.DEGRADED: (Why.DEGRADED, "degraded"),
    Standing.DRAINING: (Why.DRAINING, "draining"),
    Standing.UNHEALTHY: (Why.UNHEALTHY, None),
    Standing.GONE: (Why.UNKNOWN, None),
}
PASSING = (Why.OVERLOADED, Why.EXCLUDED)  # of this request, not of the session: home stays home
REFUSALS: dict[Why, Any] = {Why.OVERLOADED: "overloaded", Why.EXCLUDED: "excluded"}  # else "ineligible"


@dataclass(frozen=True)
class Choice:
    """Where a request goes, why, and the cookie to set (None: leave the client's as it is)."""

    backend: Any
    why: Why
    cookie: str | None = None


@dataclass(frozen=True)
class Sticky:
    """Keeps sessions where they are, by a sealed cookie.

    Parameters
    ----------
    secrets : one to eight of 16 bytes or more, the same in every process; the first seals, all open. Never shown.
    pool : a name for the pool; cookies of another name are invalid here.
    ttl : seconds from the choice of a home to the end of the session; None for no end.
    idle : seconds without a request that end the session; None for no such end.
    fallback : where a session goes that cannot go home.
    draining : whether a backend that drains, or has weight 0, keeps its sessions until it leaves.
    degraded : whether a DEGRADED backend keeps its sessions.
    spill : how many times its fair part of the load a backend may have and still be given its sessions, >= 1; None
        for no bound.

    Raises
    ------
    ConfigError : a parameter is invalid; the secrets are not shown.

    Costs: a pick opens or seals a cookie, two HMACs; O(N) once for each rebuilt picker; no memory a session.
    Source: AWS ALB, HAProxy and KubeAI for the behaviour; the seal is ours, after SIV (Rogaway and Shrimpton 2006).

    Examples
    --------
    >>> import lbalgo as lb
    >>> sticky = Sticky((b"0123456789abcdef",), pool="web")
    >>> picker = lb.RoundRobin().build(["a", "b", "c"])
    >>> first = sticky.pick(picker, None, now=1_700_000_000.0)
    >>> again = sticky.pick(picker, first.cookie, now=1_700_000_060.0)
    >>> again.why, again.backend is first.backend, again.cookie
    (<Why.HIT: 'hit'>, True, None)
    """

    sessions: ClassVar[bool] = True  # a balancer gives it what the client has sent
    secrets: tuple[bytes, ...] = dataclasses.field(repr=False)
    pool: str = "default"
    ttl: float | None = TTL
    idle: float | None = None
    fallback: Fallback = Fallback.RENDEZVOUS
    draining: bool = True
    degraded: bool = True
    spill: float | None = None

    def __post_init__(self) -> None:
        check_id(self.pool, "pool")
        for name in ("ttl", "idle"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), low=0.001, high=2.0**40)
        check_enum("fallback", self.fallback, Fallback)
        check_bool("draining", self.draining)
        check_bool("degraded", self.degraded)
        if self.spill is not None:
            check_real("spill", self.spill, low=1.0)
        seal = Seal(self.secrets, self.pool)
        object.__setattr__(self, "secrets", tuple(self.secrets))
        object.__setattr__(self, "_seal", seal)
        object.__setattr__(self, "_known", None)  # a cache: the answer is the same with it and without

    def pick(
        self,
        picker: Any,
        cookie: str | bytes | None = None,
        *,
        now: float,
        key: Any = None,
        bits: int = 0,
        context: bytes = b"",
        exclude: Container[str] = (),
        loads: Sequence[float] | None = None,
    ) -> Choice:
        """Where the request with this cookie goes.

        Parameters
        ----------
        picker : any picker of the pool.
        cookie : the value the client sent; None if it sent none.
        now : seconds since the Unix epoch.
        key : for the policy, when it has to choose; it also numbers the session.
        bits : 64 random bits, which number a session without a key; 0 leaves that to time and home.
        context : what else the cookie is bound to, as the user's name or `client_key` of the address.
        exclude : ids that cannot be chosen.
        loads : of each slot, for `spill`; None takes those of a picker that has a load.

        Raises
        ------
        NoBackend : nobody can be chosen, or the session cannot go home and `fallback` is REFUSE.
        ConfigError : an argument is invalid, or `spill` is set and nobody says the loads.
        """
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        check_integer("bits", bits, low=0, high=2**64 - 1)
        ms = _milliseconds(now)
        why, session = self.read(cookie, now=now, context=context)
        known = self._members(picker)
        full = never if self.spill is None else fullness(picker, known.members, loads, self.spill)
        if session is None:
            backend = picker.pick(key, exclude=exclude)
            return Choice(backend, why, self._new(known, backend, ms, bits if key is None else hash_key(key), context))
        home = known.homes.get(session.home)
        if home is not None:
            why = self._verdict(known.members, home, exclude, full)
            if why is Why.HIT:
                due = self.idle is not None and ms - session.renewed >= RENEWAL * self.idle * 1000
                renewed = dataclasses.replace(session, renewed=max(ms, session.renewed)) if due else None
                backend = known.members.backends[home]
                return Choice(backend, why, self._seal.close(renewed.packed(), context) if renewed else None)  # type: ignore[attr-defined]
        else:
            why = Why.UNKNOWN
        if self.fallback is Fallback.REFUSE:
            raise NoBackend(REFUSALS.get(why, "ineligible"))
        away = set() if home is None else {known.members.backends[home].id}
        if self.fallback is Fallback.PICK:
            backend = picker.pick(key, exclude=Either(exclude, away)) if away else picker.pick(key, exclude=exclude)
        else:
            backend = self._next(known, session, exclude, away, full)
        moved = why is Why.DRAINING or (self.fallback is Fallback.PICK and why not in PASSING)
        return Choice(backend, why, self._new(known, backend, ms, session.number, context) if moved else None)

    def read(self, cookie: str | bytes | None, *, now: float, context: bytes = b"") -> tuple[Why, Session | None]:
        """What a cookie says: NEW, INVALID or EXPIRED and None, or HIT and the session.

        Raises
        ------
        ConfigError : the cookie is neither text nor bytes nor None, `now` is no such instant, the context no bytes.
        """
        ms = _milliseconds(now)
        if not isinstance(context, bytes):
            raise ConfigError("context", context, "must be bytes")
        if cookie is None:
            return Why.NEW, None
        if not isinstance(cookie, (str, bytes)):
            raise ConfigError("cookie", cookie, "must be the cookie's value, or None")
        plain = self._seal.open(cookie, context)  # type: ignore[attr-defined]
        if plain is None:
            return Why.INVALID, None
        session = Session.unpacked(plain)
        late = self.ttl is not None and ms - session.issued >= self.ttl * 1000
        late = late or (self.idle is not None and ms - session.renewed >= self.idle * 1000)
        early = max(session.issued, session.renewed) - ms > SKEW * 1000
        return (Why.EXPIRED, None) if late or early else (Why.HIT, session)

    def to_dict(self) -> dict[str, object]:
        """Plain data, without the secrets: whoever makes the gate again has to pass them."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "secrets"}
        return {"type": "Sticky", **fields, "fallback": self.fallback.name}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, secrets: Sequence[bytes]) -> Sticky:
        """The gate `to_dict` described, with these secrets."""
        if isinstance(data, Mapping):
            data = {**data, "secrets": secrets}
        return from_dict(cls, data, {"fallback": enum_from_name(Fallback)})

    def __reduce__(self) -> Any:
        return Sticky, tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def _members(self, picker: Any) -> Homes:
        known: Homes | None = self._known  # type: ignore[attr-defined]
        if known is None or known.members.picker is not picker:
            known = Homes(Members(picker), known)
            object.__setattr__(self, "_known", known)
        return known

    def _verdict(self, members: Members, home: int, exclude: Container[str], full: Callable[[int], bool]) -> Why:
        why, overruled_by = VERDICTS[members.standings[home]]
        if overruled_by is not None and getattr(self, overruled_by):
            why = Why.HIT
        if why is Why.HIT and members.backends[home].id in exclude:
            return Why.EXCLUDED
        return Why.OVERLOADED if why is Why.HIT and full(home) else why

    def _next(
        self, known: Homes, session: Session, exclude: Container[str], away: Container[str], full: Callable[[int], bool]
    ) -> Any:
        """The first in the session's own order that has room; if none has, the first."""
        spare = None
        for slot in known.order(session.number):
            id = known.members.backends[slot].id
            if id in away or id in exclude:
                continue
            if not full(slot):
                return known.members.backends[slot]
            spare = slot if spare is None else spare
        if spare is not None:
            return known.members.backends[spare]
        able = any(standing is Standing.ELIGIBLE for standing in known.members.standings)
        raise NoBackend("excluded" if able else "ineligible" if known.members.backends else "empty")

    def _new(self, known: Homes, backend: Any, ms: int, number: int, context: bytes) -> str:
        mark = known.marks[backend.id]
        number = number or mix64(ms ^ int.from_bytes(mark, "big"))
        cookie: str = self._seal.close(Session(ms, ms, number, mark).packed(), context)  # type: ignore[attr-defined]
        return cookie


def _milliseconds(now: object) -> int:
    """Milliseconds of the Unix epoch."""
    return int(check_real("now", now, low=0.0, high=2.0**40) * 1000)
