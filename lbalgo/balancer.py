"""`Balancer` and `Lease`: members, signals, a policy and a clock, put together.

Everything below the balancer is pure: policies build pickers from views, signals turn outcomes and time into views,
loads count. The balancer is the one mutable thing around them. It holds the lock, reads the clock, draws entropy, sees
what has changed, rebuilds, and keeps the books.

>>> from lbalgo import Maglev, Outcome
>>> lb = Balancer(Maglev(), ["a", "b", "c"], seed=1)
>>> with lb.acquire("user-17") as lease:
...     answer = f"sent to {lease.backend.id}"
>>> lb.stats().outcomes[Outcome.SUCCESS]
1

`Balancer(policy, backends, *, signals=(), gates=(), clock=time.monotonic, seed=None, panic_below=0.5,
forget_after=300.0, on_event=None)`

policy
    builds the pickers, anew when members, weights or signals have changed, never otherwise.
backends
    own objects, ids, or a mapping from id to weight.
signals
    machines, each given to one balancer only; their order does not matter.
gates
    admission gates, all of which a request has to pass, and at most one affinity gate (`Sticky`, `FlowTable`), which
    chooses in the picker's stead; each given to one balancer only.
clock
    function that gives seconds, any monotone origin; `time.monotonic` is read without a Python call. `Sticky` wants
    `time.time`.
seed
    where sequences without a key begin, in [0, 2**64). None: from the operating system, and again in a forked child.
panic_below
    share of healthy candidates under which the pool panics, 0 (never) to 1.
forget_after
    seconds for which a backend that left keeps its row and its record.
on_event
    called with each event of `lbalgo.events`, in order, after the state is consistent and outside the lock; it may use
    the balancer. What it raises comes out of the call that delivered the event; later events are kept for the next.

`acquire(key=None, *, exclude=(), cost=1.0, session=None, request=Request(), context=None)`: `session` is the cookie of
`Sticky`, `request` what gates are told (attempt, hedge, criticality, bits), `context` what scorers of `ByScore` are.
It raises NoBackend, NotAdmitted if a gate refuses, and ConfigError for an argument that cannot be used.
`attempts(key=None, *, limit=3, budget=None, on=RETRIED, ...)` yields leases until one is good; see `lbalgo.attempts`.
`update` raises ConfigError or
DuplicateBackend and has then changed nothing, signals included. `report` raises UnknownBackend. `restore` raises
ConfigError for a snapshot of another shape and has then changed nothing. If the policy refuses what time or evidence
brought, the call that ran it raises, the old picker goes on, and the next change tries again. A clock that fails leaves
a lease open; a load or signal that raises in `done` leaves it ended, and all other signals told.

`Lease.done(outcome=None, *, latency=None, retry_after=None)`: without an outcome, what `status` said, else SUCCESS;
latency and retry_after in seconds, >= 0. A block left by an exception means TIMEOUT for TimeoutError, LOCAL_ERROR for
any other OSError, CANCELLED for everything else; an error the backend answered with (`status`) stands. A lease that is
dropped without a word counts as CANCELLED, of unknown latency. Afterwards `outcome` and `retry_after` tell how it
ended; `choice` is the answer of `Sticky`, `request` what the gates were asked, `delay` the seconds to wait before a
retry.

Costs: `acquire` and `done` are the pick and a few counters; what is due adds O(N) and a build.
"""

from lbalgo.active import Balancer, Lease

__all__ = ["Balancer", "Lease"]
