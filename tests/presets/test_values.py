"""Every preset builds, has the documented values, tells where they are from, and refuses what makes no sense."""

import pickle

import pytest

from lbalgo import ConfigError, Maglev, NotAdmitted, RoundRobin, SlowStart, State
from lbalgo.compat.katran import MaglevVersion
from lbalgo.gates.limits import Limits
from lbalgo.gates.sticky import Fallback
from lbalgo.policies.ring_hash import Lookup
from lbalgo.presets import (
    Method,
    Preset,
    Routing,
    Source,
    alb,
    cassandra,
    google_maglev,
    katran,
    kubernetes,
    nginx_plus,
    nlb,
    unimog,
    zuul,
)
from lbalgo.presets.preset import FAIL_OPEN, shown
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import GrpcCheck, HttpCheck, TcpCheck
from lbalgo.signals.drain import Drain
from lbalgo.testing import FakeClock

SECRET = (b"0123456789abcdef",)
UNHEALTHY, HEALTHY = State.UNHEALTHY, State.HEALTHY

# What the documents say, written down from them and not from the library: document, then setting and value.
DOCUMENTED = {
    "alb": (
        alb(),
        {
            "User Guide for Application Load Balancers, Health checks": {
                "ActiveHealth.interval": 30,
                "ActiveHealth.timeout": 5,
                "ActiveHealth.rise": 5,
                "ActiveHealth.fall": 2,
                "ActiveHealth.check.expected": ((200, 200),),
                "ActiveHealth.initial": UNHEALTHY,
                "Balancer.panic_below": FAIL_OPEN,
            },
            "User Guide for Application Load Balancers, Deregistration delay": {"Drain.patience": 300},
        },
    ),
    "alb, slow start": (
        alb(slow_start=90),
        {
            "User Guide for Application Load Balancers, Slow start mode": {
                "SlowStart.window": 90,
                "SlowStart.aggression": 1,
            }
        },
    ),
    "alb, sticky": (
        alb(secrets=SECRET),
        {
            "User Guide for Application Load Balancers, Sticky sessions": {
                "Sticky.idle": 86_400,
                "Sticky.fallback": Fallback.PICK,
                "Sticky.draining": False,
            }
        },
    ),
    "alb, mitigation": (
        alb(Routing.WEIGHTED_RANDOM, anomaly_mitigation=True),
        {"AWS networking blog, Automatic target weights": {"Statistical.minimum_hosts": 3}},
    ),
    "nlb": (
        nlb(),
        {
            "CloudFormation, TargetGroup": {
                "ActiveHealth.interval": 30,
                "ActiveHealth.timeout": 10,
                "ActiveHealth.rise": 5,
                "ActiveHealth.fall": 2,
            },
            "User Guide for Network Load Balancers": {
                "Balancer.panic_below": FAIL_OPEN,
                "ActiveHealth.initial": UNHEALTHY,
                "FlowTable.draining": True,
                "Drain.patience": 300,
            },
            "AWS networking blog, NLB TCP configurable idle timeout": {"FlowTable.idle": 350},
        },
    ),
    "nlb, udp": (nlb(udp=True), {"AWS networking blog, NLB TCP configurable idle timeout": {"FlowTable.idle": 120}}),
    "nlb, http": (nlb(check=HttpCheck()), {"CloudFormation, TargetGroup": {"ActiveHealth.timeout": 6}}),
    "nginx_plus": (
        nginx_plus(),
        {
            "ngx_http_upstream_module, server": {
                "ConsecutiveGatewayErrors.threshold": 1,
                "OutlierEjection.base_ejection_time": 10,
                "OutlierEjection.max_ejection_time": 10,
            },
            "ngx_http_upstream_hc_module, health_check": {
                "ActiveHealth.interval": 5,
                "ActiveHealth.fall": 1,
                "ActiveHealth.rise": 1,
                "ActiveHealth.jitter": 0,
                "ActiveHealth.check.expected": ((200, 399),),
                "ActiveHealth.initial": HEALTHY,
            },
        },
    ),
    "nginx_plus, slow start": (
        nginx_plus(slow_start=30),
        {"ngx_http_upstream_module, server: slow_start": {"SlowStart.window": 30}},
    ),
    "zuul": (
        zuul(),
        {
            "Rethinking Netflix's Edge Load Balancing": {"PowerOfTwo.choices": 2},
            "the same, as others quote it": {"Blend.ramp": 90},
        },
    ),
    "google_maglev": (google_maglev(), {"NSDI 2016, 5.3": {"Maglev.table_size": 65537}}),
    "unimog": (unimog(), {}),
    "katran": (
        katran(),
        {
            "KatranLbStructs.h": {"Katran.table_size": 65537, "FlowTable.capacity": 8_000_000},
            "Vip.h": {"Katran.version": MaglevVersion.V1},
        },
    ),
    "katran, udp": (katran(udp=True), {"balancer_consts.h": {"FlowTable.idle": 30}}),
    "kubernetes": (
        kubernetes(),
        {
            "Configure Liveness, Readiness and Startup Probes": {
                "ActiveHealth.interval": 10,
                "ActiveHealth.timeout": 1,
                "ActiveHealth.rise": 1,
                "ActiveHealth.fall": 3,
                "ActiveHealth.initial": UNHEALTHY,
                "Balancer.panic_below": 0,
            },
            "Pod Lifecycle, Termination of Pods": {"Drain.patience": 30},
        },
    ),
    "kubernetes, ClientIP": (
        kubernetes(client_ip=True),
        {
            "Virtual IPs and Service Proxies": {"FlowTable.idle": 10_800},
            "Pod Lifecycle, Termination of Pods": {"FlowTable.draining": False},
        },
    ),
    "cassandra": (
        cassandra(),
        {
            "cassandra.yaml": {"RingHash.points": 16, "TopK.k": 3},
            "Cassandra documentation, Dynamo": {"RingHash.lookup": Lookup.SUCCESSOR, "TopK.spread": True},
        },
    ),
}
PRESETS = {name: preset for name, (preset, _) in DOCUMENTED.items()}
each = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_values_are_the_documented_ones(name):
    preset, documents = DOCUMENTED[name]
    told = {setting: value for values in documents.values() for setting, value in values.items()}
    sourced = {value.setting: value.value for value in preset.values() if "." in value.setting}
    assert told.items() <= sourced.items()


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if "," not in name])
def test_no_value_has_a_source_and_no_row_here(name):
    preset, documents = DOCUMENTED[name]
    told = {setting for values in documents.values() for setting in values}
    assert {value.setting for value in preset.values() if "." in value.setting} == told


@each
def test_it_builds_a_balancer_that_works(preset):
    clock = FakeClock(1_700_000_000.0)
    balancer = preset.balancer(["a", "b", "c"], clock=clock, seed=1, panic_below=0.5)
    served = set()
    for key in range(60):
        with balancer.acquire(key) as lease:
            served.add(lease.backend.id)
    assert served == {"a", "b", "c"}
    stats = balancer.stats()
    assert stats.opened == 60 and stats.open_leases == 0


@each
def test_every_value_says_where_it_is_from_and_what_is_not_known_is_said(preset):
    assert preset.sources and preset.unconfirmed and preset.differs
    for source in preset.sources:
        assert source.document and source.section
    for line in (*preset.unconfirmed, *preset.differs):
        assert line[0].isupper() and line[-1] == "." and ".." not in line
    text = str(preset)
    for value in preset.values():
        assert f"{value.setting}: {value.shown}  [{value.document}: {value.section}]" in text
    assert all(line in text for line in (*preset.unconfirmed, *preset.differs))


@each
def test_parts_are_new_for_every_balancer(preset):
    one, two = preset.parts(), preset.parts()
    mutable = [type(part).__name__ for part in (*one.signals, *one.gates) if type(part).__name__ != "Sticky"]
    assert not {id(part) for part in (*one.signals, *one.gates)} & {
        id(part) for part in (*two.signals, *two.gates) if type(part).__name__ in mutable
    }
    assert repr(one) == repr(two)


@each
def test_another_process_has_the_same_preset(preset):
    again = pickle.loads(pickle.dumps(preset))
    assert str(again) == str(preset) and repr(again.parts()) == repr(preset.parts())


def test_secrets_are_never_shown():
    preset = alb(secrets=SECRET)
    assert "0123456789abcdef" not in repr(preset) + str(preset) + repr(preset.parts())


def test_parts_that_are_held_are_the_balancers():
    preset = kubernetes()
    parts = preset.parts()
    balancer = preset.balancer(["a"], parts, clock=FakeClock(), seed=1)
    assert parts.get(Drain).phases() == {} and parts.get(ActiveHealth).deadline == balancer.next_deadline
    with pytest.raises(ConfigError):
        parts.get(Maglev)
    with pytest.raises(ConfigError):
        parts.get("Drain")


def test_further_signals_and_gates_join_the_presets_own():
    slow, limits = SlowStart(10.0), Limits(pool=1)
    balancer = alb().balancer(["a", "b"], signals=[slow], gates=[limits], clock=FakeClock(), seed=1)
    lease = balancer.acquire()
    with pytest.raises(NotAdmitted):
        balancer.acquire()
    lease.done()
    text = repr(balancer)
    assert all(part in text for part in ("ActiveHealth", "Drain(", "SlowStart(window=10.0", "DrainGate", "Limits"))


def test_what_is_shown():
    assert (shown(0.05), shown(3), shown(UNHEALTHY), shown(((200, 204), (301, 301)))) == (
        "0.05",
        "3",
        "UNHEALTHY",
        "200-204, 301",
    )


REFUSED = [
    (lambda: alb("round_robin"), "routing"),
    *((lambda s=s: alb(slow_start=s), "slow_start") for s in (29.9, 900.1, -1, "30", None, True)),
    (lambda: alb(Routing.LEAST_OUTSTANDING_REQUESTS, slow_start=30), "slow_start"),
    (lambda: alb(Routing.WEIGHTED_RANDOM, slow_start=30), "slow_start"),
    (lambda: alb(anomaly_mitigation=True), "anomaly_mitigation"),
    (lambda: alb(Routing.WEIGHTED_RANDOM, anomaly_mitigation=1), "anomaly_mitigation"),
    *((lambda d=d: alb(deregistration_delay=d), "deregistration_delay") for d in (0, 3600.5, -1, None)),
    *((lambda d=d: nlb(deregistration_delay=d), "deregistration_delay") for d in (0, 3601, "300")),
    (lambda: alb(check=TcpCheck()), "check"),
    (lambda: alb(secrets=(b"short",)), "secrets[0]"),
    *((lambda x=x: alb(secrets=x), "secrets") for x in ((), b"0123456789abcdef", 7)),
    *((lambda d=d: alb(cookie_duration=d), "cookie_duration") for d in (0.5, 604_801, None)),
    (lambda: nlb(udp=1), "udp"),
    (lambda: nlb(check=GrpcCheck()), "check"),
    (lambda: nginx_plus("least_conn"), "method"),
    *((lambda s=s: nginx_plus(slow_start=s), "slow_start") for s in (-1, "30s", None)),
    *((lambda m=m: nginx_plus(max_fails=m), "max_fails") for m in (-1, 1.0, None)),
    *((lambda t=t: nginx_plus(fail_timeout=t), "fail_timeout") for t in (0, -1, None)),
    (lambda: nginx_plus(check=TcpCheck()), "check"),
    *((lambda n=n: google_maglev(n), "table_size") for n in (65536, 1, 65537.0, None)),
    *((lambda c=c: google_maglev(capacity=c), "capacity") for c in (1, 2**24 + 1, None)),
    *((lambda f=f: f(probing=5.0), "probing") for f in (google_maglev, unimog, katran)),
    *((lambda n=n: unimog(n), "table_size") for n in (65536, 0, None)),
    (lambda: katran("V2"), "version"),
    (lambda: katran(table_size=65536), "table_size"),
    (lambda: katran(table_size=131_071), "table_size"),
    (lambda: katran(udp=None), "udp"),
    (lambda: katran(capacity=0), "capacity"),
    *((lambda g=g: kubernetes(g), "grace_period") for g in (0, -30, "30s", None)),
    (lambda: kubernetes(readiness=10.0), "readiness"),
    (lambda: kubernetes(client_ip="ClientIP"), "client_ip"),
    *((lambda n=n: cassandra(n), "points") for n in (0, 16.0, None)),
    *((lambda k=k: cassandra(replicas=k), "k") for k in (0, 3.0, None)),
    (lambda: Preset("", RoundRobin()), "system"),
    (lambda: Preset("x", RoundRobin), "policy"),
    (lambda: Preset("x", None), "policy"),
    (lambda: Preset("x", RoundRobin(), make=((), ())), "make"),
    (lambda: Preset("x", RoundRobin(), unconfirmed="one line"), "unconfirmed"),
    (lambda: Preset("x", RoundRobin(), differs=(1,)), "differs"),
    (lambda: Preset("x", RoundRobin(), panic_below=2.0), "panic_below"),
    (lambda: Preset("x", RoundRobin(), sources=[]), "sources"),
    (lambda: Preset("x", RoundRobin(), sources=(("RoundRobin", "d", "s"),)), "sources"),
    *(
        (lambda s=s: Preset("x", Maglev(), sources=(Source(s, "d", "s"),)), "setting")
        for s in ("", "Maglev.", "Maglev.points", "RingHash.points", "Maglev.table_size.x", None, 7)
    ),
    (lambda: alb().value("SlowStart.window"), "setting"),
    (lambda: alb().balancer(["a"], (RoundRobin(), (), ())), "parts"),
    (lambda: alb().balancer("ab"), "backends"),
    (lambda: alb(secrets=SECRET).balancer(["a"]), "clock"),
]


@pytest.mark.parametrize(("call", "parameter"), REFUSED)
def test_bad_input(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter and str(refused.value)


def test_zero_failures_and_no_check_are_no_signal():
    assert nginx_plus(max_fails=0, check=None).parts().signals == ()
    assert nginx_plus(Method.LEAST_CONN, max_fails=0).value("LeastConnections") is not None
