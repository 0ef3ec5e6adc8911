"""Request hashes, RE2's replace-all, retries and priorities of retries."""

import json
import pickle

import pytest
import xxhash

from lbalgo import ConfigError, NoBackend, View
from lbalgo.compat import envoy
from lbalgo.compat.envoy.hosts import PriorityLoad, host_sets, priority_load
from lbalgo.compat.envoy.regex import compiled, replace_all
from lbalgo.types import State

NAMES = [f"10.0.0.{i}:80" for i in range(8)]


def xx(text, seed=0):
    return xxhash.xxh64_intdigest(text.encode() if isinstance(text, str) else text, seed)


def rotated(h, r):
    return ((h << 1 | h >> 63) & 2**64 - 1) ^ r


def test_a_header_chains_its_sorted_values():
    request = envoy.Request([("X-K", "b"), ("x-k", "a"), ("y", "c")])
    assert envoy.HeaderHash("x-k").hash(request) == xx(b"b", xx(b"a"))
    assert envoy.HeaderHash("X-k").hash(envoy.Request({"x-K": b"\xff"})) == xx(b"\xff")
    assert envoy.HeaderHash("z").hash(request) is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("sid=s0", "s0"),
        ("a=1; sid=s0; b=2", "s0"),
        ("a=1;sid=s0;sid=s1", "s0"),
        ('sid="s0"', "s0"),
        ("sid=a=b", "a=b"),
        ("sid=", None),
        ("sid", None),
        ("Sid=s0", None),
        ("xsid=s0", None),
    ],
)
def test_cookies(header, value):
    got = envoy.CookieHash("sid").hash(envoy.Request({"Cookie": header}))
    assert got == (None if value is None else xx(value))


def test_a_generated_cookie():
    request = envoy.Request(remote_address="10.1.2.3:5678", local_address="10.9.9.9:443")
    cookie = envoy.CookieHash("sid", ttl=0)
    assert cookie.generated(request) == f"{xx(b'10.1.2.3:567810.9.9.9:443'):016x}"
    assert cookie.hash(request) == xx(cookie.generated(request))
    with pytest.raises(ConfigError) as refused:
        cookie.hash(envoy.Request())
    assert refused.value.parameter == "remote_address"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/p?q=a", "a"),
        ("/p?z=1&q=a&q=b", "a"),
        ("/p?q=", ""),
        ("/p?q", ""),
        ("/p?q=%20", "%20"),
        ("/p?q=a=b", "a=b"),
        ("/p", None),
        ("/p?Q=a", None),
        ("/q=a", None),
    ],
)
def test_query_parameters(path, value):
    got = envoy.QueryParameterHash("q").hash(envoy.Request(path=path))
    assert got == (None if value is None else xx(value))


def test_addresses_and_filter_state():
    ip = envoy.SourceIpHash()
    assert ip.hash(envoy.Request(source_ip="10.0.0.1")) == xx(b"10.0.0.1")
    assert ip.hash(envoy.Request(remote_address="10.0.0.1:99")) == xx(b"10.0.0.1")
    assert ip.hash(envoy.Request(remote_address="[::1]:99")) == xx(b"::1")
    assert ip.hash(envoy.Request(remote_address="/run/envoy.sock")) is None
    assert ip.hash(envoy.Request()) is None
    state = envoy.Request(filter_state={"a": "text", "b": 2**64 - 1})
    assert [envoy.FilterStateHash(k).hash(state) for k in "abc"] == [xx(b"text"), 2**64 - 1, None]


def test_results_are_combined_and_terminal_stops():
    one, two, gone = envoy.HeaderHash("a"), envoy.HeaderHash("b"), envoy.HeaderHash("c")
    request = envoy.Request({"a": "1", "b": "2"})
    a, b = xx(b"1"), xx(b"2")
    assert envoy.RequestHash(()).hash(request) is None
    assert envoy.RequestHash((gone,)).hash(request) is None
    assert envoy.RequestHash((gone, one)).hash(request) == a
    assert envoy.RequestHash((one, gone, two)).hash(request) == rotated(a, b)
    assert envoy.RequestHash((one, one)).hash(request) == rotated(a, a) != 0
    stop = envoy.HeaderHash("a", terminal=True)
    assert envoy.RequestHash((stop, two)).hash(request) == a
    late = envoy.HeaderHash("c", terminal=True)
    assert envoy.RequestHash((late, two)).hash(request) == b
    assert envoy.RequestHash((one, late, two)).hash(request) == a


def test_from_configuration_and_plain_data():
    rewrite = {"pattern": {"google_re2": {}, "regex": "^k(.)"}, "substitution": r"\1"}
    config = [
        {"header": {"header_name": "x-k", "regex_rewrite": rewrite}, "terminal": True},
        {"cookie": {"name": "sid", "ttl": "3.5s", "path": "/", "attributes": []}},
        {"query_parameter": {"name": "q"}},
        {"connection_properties": {"source_ip": True}},
        {"filter_state": {"key": "k"}},
    ]
    whole = envoy.RequestHash.from_config(config)
    assert whole == envoy.RequestHash(
        (
            envoy.HeaderHash("x-k", "^k(.)", r"\1", True),
            envoy.CookieHash("sid", 3.5, "/"),
            envoy.QueryParameterHash("q"),
            envoy.SourceIpHash(),
            envoy.FilterStateHash("k"),
        )
    )
    assert envoy.RequestHash.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    assert eval(repr(whole), vars(envoy)) == whole
    assert pickle.loads(pickle.dumps(whole)) == whole


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, "hash_policy[0]"),
        ({"header": {"header_name": "a"}, "cookie": {"name": "b"}}, "hash_policy[0]"),
        ({"rendezvous": {}}, "hash_policy[0].rendezvous"),
        ({"connection_properties": {}}, "hash_policy[0].connection_properties"),
        ({"header": {"header_name": "a", "surprise": 1}}, "hash_policy[0].header.surprise"),
        ({"header": {}}, "header_name"),
        ({"header": {"header_name": "a"}, "terminal": 1}, "terminal"),
        ({"header": {"header_name": "a", "regex_rewrite": {"pattern": {"regex": "("}}}}, "regex"),
        (
            {"header": {"header_name": "a", "regex_rewrite": {"pattern": {"regex": "a"}, "substitution": "\\1"}}},
            "substitution",
        ),
        ({"cookie": {"name": "a", "ttl": "soon"}}, "ttl"),
    ],
)
def test_bad_configurations(config, name):
    with pytest.raises(ConfigError) as refused:
        envoy.RequestHash.from_config([config])
    assert refused.value.parameter == name


@pytest.mark.parametrize(
    "make",
    [
        lambda: envoy.Request(path=None),
        lambda: envoy.Request(headers=[("a", 1)]),
        lambda: envoy.Request(filter_state={"a": True}),
        lambda: envoy.Request(source_ip=5),
        lambda: envoy.RequestHash([envoy.SourceIpHash()]),
        lambda: envoy.RequestHash(("x",)),
        lambda: envoy.RequestHash.from_dict({"policies": [{"type": "Nothing"}]}),
    ],
)
def test_bad_requests(make):
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize(
    ("pattern", "substitution", "text", "wanted"),
    [
        ("a", "b", "banana", "bbnbnb"),
        ("x*", "-", "axbc", "-a-b-c-"),
        ("x*", "-", "", "-"),
        ("^", "p:", "k", "p:k"),
        ("$", ":s", "k", "k:s"),
        (r"(\w+)@(\w+)", r"\2.\1.\0", "me@here", "here.me.me@here"),
        ("(a)|b", r"[\1]", "ab", "[a][]"),
        (r"\\", r"\\\\", "a\\b", "a\\\\b"),
        (r"\d+", "#", "a12b٣", "a#b٣"),
        ("[[:alpha:]]+", "#", "ab1c", "#1#"),
        ("[^[:digit:]]", "", "a1b2", "12"),
        (r"[\]a]", "#", "]a", "##"),
        ("[]a]", "#", "]a", "##"),
        ("(?i)KEY", "k", "key", "k"),
        ("(?P<n>a)(?:b)", r"\1", "ab", "a"),
        ("(?<n>a)", r"<\1>", "a", "<a>"),
        (r"\x{e9}", "e", "é", "e"),
        (r"a{2,3}", "#", "aaaa", "#a"),
        (r"\Aa\z", "#", "a", "#"),
        (".", "#", "é中", "##"),
        ("a$", "#", "a\n", "a\n"),
    ],
)
def test_replace_all(pattern, substitution, text, wanted):
    assert replace_all(pattern, substitution, text) == wanted


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P=n)", "(?>a)", "a++", "a{2}+", r"\pL", r"\C", "(", "[a"],
)
def test_what_is_no_re2_is_refused(pattern):
    with pytest.raises(ConfigError) as refused:
        compiled(pattern)
    assert (refused.value.parameter, refused.value.value) == ("regex", pattern)


PICKERS = [envoy.Maglev(251).build(NAMES), envoy.RingHash(minimum_ring_size=64).build(NAMES)]


@pytest.mark.parametrize("picker", PICKERS, ids=lambda p: type(p.policy).__name__)
class TestRetries:
    def test_without_predicates_a_retry_stays(self, picker):
        retry = envoy.RetryPolicy(9)
        for h in range(50):
            first = retry.choose(picker, h)
            assert first == envoy.choose_host(picker, h) == picker.backends[picker.slot(h)]
            assert retry.choose(picker, h, [first.id]) == first

    def test_previous_hosts(self, picker):
        for attempts in (0, 1, 2, 8):
            retry = envoy.RetryPolicy(attempts, previous_hosts=True)
            for h in range(0, 2**64, 2**59 + 12345):
                tried = []
                for _ in range(4):
                    line = [envoy.choose_host(picker, h, a).id for a in range((attempts or 1) + 1)]
                    wanted = next((i for i in line if i not in tried), line[-1]) if tried else line[0]
                    tried.append(retry.choose(picker, h, tried).id)
                    assert tried[-1] == wanted

    def test_attempts_are_checked(self, picker):
        for bad in (-1, 1.0, True):
            with pytest.raises(ConfigError):
                envoy.choose_host(picker, 5, bad)
        with pytest.raises(ConfigError):
            envoy.choose_host(picker, 2**64)
        with pytest.raises(TypeError):
            envoy.choose_host(picker, "key")


def test_a_ring_goes_on_by_points():
    picker = PICKERS[1]
    points, owners = ([int(x) for x in xs] for xs in (picker.structure.points(), picker.structure.owners()))
    for k in (0, 5, len(points) - 1):
        line = [picker.view.ids.index(envoy.choose_host(picker, points[k], a).id) for a in range(70)]
        assert line == [owners[(k + a) % len(points)] for a in range(70)]
    assert envoy.choose_host(picker, points[-1] + 1) == picker.backends[owners[0]]


def test_canaries_and_metadata():
    hosts = [
        envoy.Host(n, metadata={"canary": i < 4, "stage": ["a", "b"] if i % 2 else "a"}) for i, n in enumerate(NAMES)
    ]
    picker = envoy.Maglev(251).build(hosts)
    canaries = [h for h in range(200) if envoy.choose_host(picker, h).canary]
    again = [envoy.RetryPolicy(20, omit_canary_hosts=True).choose(picker, h, ["x"]) for h in canaries]
    assert canaries and not any(host.canary for host in again)
    assert envoy.RetryPolicy(20, omit_canary_hosts=True).choose(picker, canaries[0]).canary, "not in the first try"
    for value, who in (("a", NAMES), ("b", NAMES[1::2]), ("c", [])):
        retry = envoy.RetryPolicy(20, omit_host_metadata={"stage": value})
        assert [h.id for h in hosts if retry.rejects(h, ["x"])] == list(who)
    assert not envoy.RetryPolicy(omit_host_metadata={}).rejects(hosts[0], ["x"])


def test_retry_policies_are_values():
    retry = envoy.RetryPolicy(3, True, False, {"stage": "b"})
    assert envoy.RetryPolicy.from_dict(json.loads(json.dumps(retry.to_dict()))) == retry
    assert eval(repr(retry), vars(envoy)) == retry
    for bad in ({"host_selection_retry_max_attempts": -1}, {"previous_hosts": 1}, {"omit_host_metadata": 5}):
        with pytest.raises(ConfigError):
            envoy.RetryPolicy(**bad)


def test_no_host():
    for pool, reason in (([], "empty"), (View.of(["a:1"], states={"a:1": State.DEGRADED}), "ineligible")):
        with pytest.raises(NoBackend) as refused:
            envoy.RetryPolicy().choose(envoy.Maglev().build(pool), 5)
        assert refused.value.reason == reason


def test_retries_over_priorities_and_bounded_loads():
    hosts = [envoy.Host(f"a:{p}{i}", priority=p) for p in (0, 1) for i in range(3)]
    view = View.of(hosts, states={hosts[0].id: State.UNHEALTHY, hosts[1].id: State.UNHEALTHY})
    for factor in (None, 200):
        picker = envoy.Maglev(251, hash_balance_factor=factor).build(view)
        retry = envoy.RetryPolicy(10, previous_hosts=True)
        for h in range(99):
            first = retry.choose(picker, h)
            second = retry.choose(picker, h, [first.id])
            assert first.priority == second.priority, "hash balancers stay in the priority of the hash"
            assert (first == second) == (first.priority == 0), "its only healthy host"


def load_of(*levels):
    """Loads of priorities given as (healthy, degraded, unhealthy, draining) hosts."""
    hosts, states = [], []
    for p, level in enumerate(levels):
        for state, n in zip(State, level, strict=True):
            hosts += [envoy.Host(f"{p}.{state}.{i}:1", priority=p) for i in range(n)]
            states += [state] * n
    return priority_load(host_sets(hosts, states), hosts)


@pytest.mark.parametrize(
    ("levels", "healthy", "degraded", "panic"),
    [
        ([(5, 0, 2, 0), (2, 0, 0, 0)], (100, 0), (0, 0), (False, False)),
        ([(2, 0, 3, 0), (4, 0, 0, 0)], (56, 44), (0, 0), (False, False)),
        ([(1, 3, 0, 0)], (35,), (65,), (False,)),
        ([(0, 4, 0, 0)], (0,), (100,), (False,)),
        ([(1, 0, 0, 3), (2, 0, 0, 0)], (100, 0), (0, 0), (False, False)),
        ([(0, 0, 3, 0)], (100,), (0,), (True,)),
        ([(1, 0, 4, 0), (1, 0, 2, 0), (0, 0, 1, 0)], (56, 33, 11), (0, 0, 0), (True, True, True)),
        ([(0, 0, 0, 0), (1, 0, 0, 0)], (0, 100), (0, 0), (False, False)),
        ([(0, 0, 0, 2), (0, 0, 1, 0)], (67, 33), (0, 0), (True, True)),
        ([(0, 0, 0, 0)], (100,), (0,), (True,)),
    ],
)
def test_priority_loads(levels, healthy, degraded, panic):
    load = load_of(*levels)
    assert (load.healthy, load.degraded, load.panic) == (healthy, degraded, panic)
    assert sum(load.healthy) + sum(load.degraded) == 100
    assert {load.choose(h) for h in range(100)} <= {(p, d) for p in range(len(levels)) for d in (False, True)}


def test_thresholds_are_strict_and_truncated():
    hosts = [envoy.Host(f"a:{i}") for i in range(5)]
    sets = host_sets(hosts, [0, 0, 0, 2, 2])
    panics = {
        t: priority_load(sets, hosts, overprovisioning_factor=100, healthy_panic_threshold=t).panic[0]
        for t in (0, 60, 60.9, 61, 100)
    }
    assert panics == {0: False, 60: False, 60.9: False, 61: True, 100: True}


def test_previous_priorities():
    load = PriorityLoad((100, 0, 0), (0, 0, 0), (False,) * 3, (100, 60, 80), (0, 40, 0))
    later = [envoy.previous_priorities(load, tried, 1) for tried in ([], [0], [0, 1], [0, 1, 2], [0, 1, 2, 0])]
    assert [x.healthy for x in later] == [(100, 0, 0), (0, 60, 40), (0, 0, 100), (100, 0, 0), (0, 60, 40)]
    assert [sum(x.healthy + x.degraded) for x in later] == [100] * 5
    every_second = [envoy.previous_priorities(load, [0] * n, 2).healthy for n in range(5)]
    assert every_second == [(100, 0, 0), (100, 0, 0), (0, 60, 40), (0, 60, 40), (0, 60, 40)]
    nobody = PriorityLoad((100,), (0,), (False,), (0,), (0,))
    assert envoy.previous_priorities(nobody, [0], 1) == nobody
    with pytest.raises(ConfigError):
        envoy.previous_priorities(load, [0], 0)
