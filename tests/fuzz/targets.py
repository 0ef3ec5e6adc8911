"""What takes bytes or text from outside, one function for each door: no crash, no hang, typed errors only.

Each takes arbitrary bytes and returns; what it raises is a finding. `LBError` is not, where it is documented, but
afterwards nothing may have changed. Seeds are well-formed, so that a fuzzer begins inside.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lbalgo as lb
from lbalgo.compat import envoy, haproxy, nginx
from lbalgo.compat.haproxy.agent import parse_agent
from lbalgo.compat.haproxy.hashing import HashType
from lbalgo.compat.ipvs import server as ipvs
from lbalgo.compat.orca_header import read_binary, read_header, report_of
from lbalgo.errors import LBError
from lbalgo.flow_keys import client_key, flow_key, quic_connection_id
from lbalgo.gates import AdaptiveThrottle, Hedging, RetryBudget, Why, attribute_key, cookie_value, header_key
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.testing import FakeClock
from lbalgo.written_keys import read_key

NOW = 1_700_000_000.0
STICKY = lb.Sticky((b"0123456789abcdef", b"fedcba9876543210"), pool="web", idle=600.0)
PICKER = lb.Maglev(251).build(["a", "b", "c"])
COOKIES = {STICKY.pick(PICKER, None, now=NOW, key=key).cookie for key in ("one", "two")}


@dataclass(frozen=True)
class Target:
    """A door: what to run on bytes, and well-formed inputs to begin with."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def text(data: bytes) -> str:
    """Any bytes as text; what is no UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def allowed(run: Callable[[], Any]) -> Any:
    """What it gives, or None where it refuses as it should."""
    try:
        return run()
    except LBError:
        return None


def cookies(data: bytes) -> None:
    """A cookie that was not sealed here is never a session's."""
    for cookie in (data, allowed(lambda: text(data))):
        why = allowed(lambda cookie=cookie: STICKY.pick(PICKER, cookie, now=NOW + 1.0).why)
        given = cookie if isinstance(cookie, str) else data.decode("latin-1")
        assert why is None or (why is Why.HIT) == (given in COOKIES), f"{cookie!r} is {why}"


def headers(data: bytes) -> None:
    """Header and cookie keys of arbitrary lines."""
    lines = [tuple(line.partition(":")[::2]) for line in text(data).split("\n")]
    for name in ("cookie", "sid", lines[0][0]):
        for key in (allowed(lambda name=name: header_key(lines, name)), allowed(lambda n=name: cookie_value(lines, n))):
            assert key is None or (isinstance(key, str) and key), f"{name!r}: {key!r}"
    allowed(lambda: attribute_key(dict(lines), *[name for name, _ in lines[:3]]))


def addresses(data: bytes) -> None:
    """Addresses as text and as bytes."""
    for address in (data, text(data)):
        key = allowed(lambda a=address: client_key(a))
        assert key is None or len(key) in (5, 17) or isinstance(key, bytes)
        allowed(lambda a=address: flow_key(a, a, 1, 2, symmetric=True))
    allowed(lambda: ipvs.parse(text(data)))


def quic(data: bytes) -> None:
    """The connection id of a datagram is a part of it."""
    for length in (0, 8, 20):
        found = allowed(lambda n=length: quic_connection_id(data, n))
        assert found is None or found in data


def agent_lines(data: bytes) -> None:
    """An agent's line, and a hash type of a configuration."""
    allowed(lambda: parse_agent(text(data)))
    allowed(lambda: HashType.parse(text(data)))


def reports(data: bytes) -> None:
    """A backend's report in a header, in each of its forms."""
    for value in (text(data), f"BIN {text(data)}", f"BIN {base64.b64encode(data).decode()}"):
        report = allowed(lambda v=value: read_header(v))
        if report is not None:
            allowed(lambda r=report: report_of(r))
    allowed(lambda: read_binary(text(data)))


def haproxy_text(data: bytes) -> None:
    """HAProxy's configurations, strictly and not."""
    for strict in (True, False):
        _used(allowed(lambda s=strict: haproxy.load(text(data), strict=s)))


def nginx_text(data: bytes) -> None:
    """nginx's configurations, strictly and not."""
    for strict in (True, False):
        _used(allowed(lambda s=strict: nginx.load(text(data), strict=s)))


def envoy_text(data: bytes) -> None:
    """Envoy's clusters in JSON and YAML, strictly and not."""
    for strict in (True, False):
        _used(allowed(lambda s=strict: envoy.load(text(data), strict=s)))


def _used(loaded: Any) -> None:
    """What was loaded picks, or says that nobody can be."""
    if loaded is not None:
        allowed(lambda: loaded.policy.build(loaded.view()).pick("192.0.2.1"))


def specs(data: bytes) -> None:
    """Policies and gates from plain data."""
    plain = _json(data)
    policy = allowed(lambda: _policy_from(plain)) if isinstance(plain, dict) else None
    if policy is not None and policy is not plain:  # without a type nothing is claimed
        assert type(policy).from_dict(policy.to_dict()) == policy
    allowed(lambda: lb.Sticky.from_dict(plain, secrets=STICKY.secrets))
    for kind in (lb.SlowStart, lb.OutlierEjection):
        allowed(lambda k=kind: k.from_dict(plain) if hasattr(k, "from_dict") else None)
    if isinstance(plain, list) and len(plain) == 2:
        allowed(lambda: read_key(*plain))


def snapshots(data: bytes) -> None:
    """A balancer's snapshot that is refused has changed nothing; one that is taken comes out again."""
    balancer = _balancer()
    before, plain = balancer.snapshot(), _json(data)
    try:
        balancer.restore(plain)
    except LBError:
        assert balancer.snapshot() == before, "a refusal changed something"
    else:
        balancer.acquire("k").done()


def _balancer() -> Any:
    return lb.Balancer(
        lb.Random(),
        ["a", "b", "c"],
        signals=[
            lb.SlowStart(40),
            lb.OutlierEjection([lb.ConsecutiveErrors(2), lb.SuccessRate(), lb.LatencyQuantile(), lb.FailureEwma()]),
        ],
        gates=[RetryBudget(), AdaptiveThrottle(), Hedging(min_samples=2), lb.FlowTable(16)],
        clock=FakeClock(NOW),
        seed=1,
    )


def _snapshot() -> bytes:
    balancer = _balancer()
    for turn in range(12):
        lease = balancer.acquire(f"k{turn}", request=lb.gates.Request(bits=2**64 - 1))
        lease.done(lb.Outcome.SERVER_ERROR if lease.backend.id == "a" else lb.Outcome.SUCCESS, latency=0.1)
    return json.dumps(balancer.snapshot()).encode()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


HAPROXY = b"""defaults
  balance roundrobin
backend web
  balance hdr(x-user)
  hash-type consistent sdbm avalanche
  hash-balance-factor 150
  server a 10.0.0.1:80 weight 10 check slowstart 30s
  server b 10.0.0.2:80 weight 20 backup check observe layer7 error-limit 5 on-error mark-down
"""
NGINX = b"""http { upstream web { hash $request_uri consistent; server 10.0.0.1:80 weight=3 max_fails=2 fail_timeout=9s;
server 10.0.0.2:80; server unix:/tmp/x down; } server { location / { proxy_pass http://web;
proxy_next_upstream error timeout http_503; } } }
"""
ENVOY = b"""{"name": "web", "type": "STATIC", "lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 9},
"outlier_detection": {"consecutive_5xx": 3, "interval": "5s"}, "common_lb_config": {"healthy_panic_threshold":
{"value": 40}}, "load_assignment": {"cluster_name": "web", "endpoints": [{"priority": 0, "lb_endpoints": [{"endpoint":
{"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}}}, "load_balancing_weight": 3}]}]}}
"""
ENVOY_YAML = b"""name: web
type: STATIC
lb_policy: MAGLEV
load_assignment:
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}
"""
SPECS = (
    b'{"type": "Maglev", "table_size": 251, "seed": 3}',
    b'{"type": "BoundedLoad", "factor": 1.5, "policy": {"type": "RingHash"}}',
    b'{"type": "Subset", "policy": "PowerOfTwo", "rule": {"type": "RandomSubset", "size": 3}}',
    b'{"type": "Sticky", "pool": "web", "ttl": 60, "fallback": "PICK"}',
    b'["hex", "00ff"]',
)

TARGETS: dict[str, Target] = {
    "cookies": Target(cookies, tuple(cookie.encode() for cookie in sorted(COOKIES))),
    "headers": Target(headers, (b"Cookie: a=1; sid=7\nX-User: ann", b'cookie: sid="x y"; sid=2')),
    "addresses": Target(addresses, (b"192.0.2.1", b"2001:db8::1", b"::ffff:192.0.2.1", b"10.0.0.1:80", b"[::1]:443")),
    "quic": Target(quic, (b"\xc3\0\0\0\1\4ABCD\0", b"\x43ABCDEFGHIJKLMNOPQRSTUV")),
    "agent lines": Target(agent_lines, (b"up 50% maxconn:30 ready", b"down, drain #why", b"consistent sdbm avalanche")),
    "reports": Target(
        reports,
        (
            b"TEXT cpu_utilization=0.5, rps_fractional=40, named_metrics.queue=7",
            b'JSON {"cpuUtilization": 0.5, "namedMetrics": {"queue": 7}}',
            base64.b64decode("CQAAAAAAAOA/QhAKBXF1ZXVlEQAAAAAAABxA"),
        ),
    ),
    "haproxy": Target(haproxy_text, (HAPROXY,)),
    "nginx": Target(nginx_text, (NGINX,)),
    "envoy": Target(envoy_text, (ENVOY, ENVOY_YAML)),
    "specs": Target(specs, SPECS),
    "snapshots": Target(snapshots, (_snapshot(),)),
}
