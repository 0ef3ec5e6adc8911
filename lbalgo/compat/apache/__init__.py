"""Apache httpd 2.4 mod_proxy_balancer: byrequests, bytraffic, bybusyness and, as described, heartbeat.

All methods but heartbeat look for the best of a set of workers. Sets (`lbset`) are tried in ascending order; the first
in which there is anybody decides. In a set, every worker that is usable is a candidate. For each that is not (disabled,
stopped, in error, failing its health check, draining, or tried by this request) one hot spare (R) stands in, in order
of declaration. Hot standbys (H) are candidates only if there is nobody else.

* byrequests: every candidate's lbstatus grows by its factor; the first greatest wins and pays the sum of the factors.
  From zero this is smooth weighted round robin.
* bybusyness: the same account is kept, but the least busy wins, and lbstatus only decides between the equally busy: a
  factor is a tie-breaker.
* bytraffic: the least of sent // factor + read // factor wins, each divided as an integer; the first of equals.

A factor is loadfactor * 100, cut to an integer, from 100 to 10000. A factor that is changed at run time sets every
lbstatus to its worker's factor; a worker that was out goes on with the lbstatus it had.

A worker to which no connection could be made is in error for `retry` seconds (60) and is then a candidate again; when
all are in error, all are forgiven. A key is the route of a sticky session: the worker with that route serves it if it
is usable, and the accounts are kept as if it had won against all usable workers. [Errors, routes, run-time changes and
heartbeat: described only.]

Costs: a decision O(N). Source: Apache httpd 2.4 documentation, mod_proxy_balancer, mod_lbmethod_byrequests, _bytraffic,
_bybusyness, _heartbeat; decisions captured from 2.4.71.
"""

from lbalgo.compat.apache.heartbeat import Heartbeat
from lbalgo.compat.apache.methods import ByBusyness, ByRequests, ByTraffic
from lbalgo.compat.apache.worker import Ready, Traffic, Worker

__all__ = ["ByBusyness", "ByRequests", "ByTraffic", "Heartbeat", "Ready", "Traffic", "Worker"]
