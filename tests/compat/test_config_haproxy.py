"""HAProxy configurations: what a backend section becomes, and that any text is a result or a ConfigError."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbalgo import ConfigError, DuplicateBackend, State
from lbalgo.compat import haproxy
from lbalgo.compat.haproxy import Affinity, Check, Hash, HashKey, HashType, Version
from lbalgo.compat.haproxy.keywords import KEYWORDS, OPTIONS, SERVER
from lbalgo.compat.haproxy.syntax import lines, milliseconds, sections

WHOLE = """
global
    maxconn 4096          # of the process
defaults base
    mode http
    balance leastconn
    default-server inter 3s rise 4
defaults web from base
    balance uri depth 3
    option redispatch
frontend in
    bind :80
    default_backend app
backend app from web
    hash-type consistent djb2 avalanche
    hash-balance-factor 150
    option allbackups
    default-server weight 10
    server s1 10.0.0.1:80 check
    server s2 10.0.0.2:80 weight 20 id 7 maxconn 30 slowstart 20s ssl verify none
    server "s 3" [::1]:81 backup disabled source 10.0.0.9 usesrc clientip
backend other
    server x 10.0.0.3:80
"""


def test_a_whole_configuration():
    loaded = haproxy.load(WHOLE, "app")
    policy = loaded.policy
    assert policy == Hash(haproxy.Uri(depth=3), HashType.parse("consistent djb2 avalanche"), 150, allbackups=True)
    one, two, three = loaded.backends
    assert (one.weight, one.check, one.addr, one.port) == (10, Check(rise=4, inter=3.0), "10.0.0.1", 80)
    assert (two.weight, two.puid, two.maxconn, two.slowstart, two.check) == (20, 7, 30, 20.0, None)
    assert (three.id, three.addr, three.port, three.backup) == ("s 3", "::1", 81, True)
    assert loaded.states == (("s 3", State.UNHEALTHY),)
    assert [type(signal).__name__ for signal in loaded.signals] == ["HealthChecks", "SlowStart"]
    assert "defaults[web].balance" in loaded.honoured and "defaults[base].balance" in loaded.irrelevant
    assert "backend[app].server[s2].ssl" in loaded.irrelevant and "frontend[in]" in loaded.irrelevant
    assert {"global", "backend[other]", "defaults[base].mode"} <= set(loaded.irrelevant)
    assert loaded.unsupported == () and not set(loaded.honoured) & set(loaded.irrelevant)
    assert loaded.balancer(seed=1).acquire("/a/b").backend.id in ("s1", "s2")


def test_the_last_defaults_count_where_none_is_named():
    text = "defaults\n balance first\ndefaults\n balance leastconn\nbackend a\n server s 1.1.1.1:1\n"
    loaded = haproxy.load(text)
    assert loaded.policy == haproxy.LeastConn()
    assert loaded.honoured == ("backend[a].server[s]", "defaults.balance")


@pytest.mark.parametrize(
    ("balance", "policy"),
    [
        ("", haproxy.RoundRobin()),
        ("balance roundrobin", haproxy.RoundRobin()),
        ("balance static-rr", haproxy.StaticRR()),
        ("balance leastconn", haproxy.LeastConn()),
        ("balance first", haproxy.First()),
        ("balance random", haproxy.Random()),
        ("balance random(3)", haproxy.Random(3)),
        ("balance source", Hash(haproxy.Source())),
        ("balance uri", Hash(haproxy.Uri())),
        ("balance uri len 10 depth 2 whole", Hash(haproxy.Uri(whole=True, len=10, depth=2))),
        ("balance uri path-only", Hash(haproxy.Uri(path_only=True))),
        ("balance url_param user", Hash(haproxy.UrlParam("user"))),
        ("balance hdr(Host) use_domain_only", Hash(haproxy.Hdr("host", True))),
        ("balance hash req.hdr(x),lower", Hash(haproxy.Expr("req.hdr(x),lower"))),
        ("hash-type consistent\n balance source", Hash(haproxy.Source(), HashType.parse("consistent"))),
    ],
)
def test_algorithms(balance, policy):
    assert haproxy.load(f"listen a\n {balance}\n server s 1.1.1.1:1\n").policy == policy


def test_versions():
    text = "backend a\n balance source\n hash-type consistent\n hash-preserve-affinity maxconn\n"
    text += " server s h:1 hash-key addr"
    with pytest.raises(ConfigError, match="since 3"):
        haproxy.load(text.replace("h:1", "1.1.1.1:1"))
    loaded = haproxy.load(text.replace("h:1", "1.1.1.1:1"), version=Version.V3_4)
    assert loaded.policy.hash_preserve_affinity is Affinity.MAXCONN
    assert loaded.backends[0].hash_key is HashKey.ADDR
    with pytest.raises(ConfigError, match="needs an IP address"):
        haproxy.load(text, version=Version.V3_4)
    plain = "backend a\n server s 1.1.1.1:1"
    assert haproxy.load(plain, version=Version.V3_4).policy == haproxy.Random(version=Version.V3_4)


@pytest.mark.parametrize(("word", "version"), [("addr", "3.0"), ("addr-port", "3.0"), ("id32", "3.4"), ("guid", "3.4")])
def test_hash_keys_by_version(word, version):
    text = f"backend a\n balance source\n hash-type consistent\n server s 1.1.1.1:1 guid g hash-key {word}"
    for one in Version:
        if one.text >= version:
            assert haproxy.load(text, version=one).backends[0].hash_key is HashKey(word)
        else:
            with pytest.raises(ConfigError, match=rf"s\]\.hash-key: is not in {one.text}, but since {version}"):
                haproxy.load(text, version=one)


def test_unsupported_lines_are_told_before_missing_servers():
    with pytest.raises(ConfigError) as refused:
        haproxy.load("backend a\n server-template s 1-3 h:1\n stick on src")
    assert refused.value.value == ("backend[a].server-template", "backend[a].stick")


def test_a_state_file_that_is_not_read():
    loaded = haproxy.load("backend a\n load-server-state-from-file none\n server s 1.1.1.1:1")
    assert loaded.irrelevant == ("backend[a].load-server-state-from-file",)


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_irrelevant_keywords(keyword):
    loaded = haproxy.load(f"backend a\n {keyword} x y\n server s 1.1.1.1:1\n")
    assert loaded.irrelevant == (f"backend[a].{keyword}",)


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_irrelevant_options(option):
    loaded = haproxy.load(f"backend a\n option {option}\n no option {option}\n server s 1.1.1.1:1\n")
    assert loaded.irrelevant == (f"backend[a].option {option}", f"backend[a].no option {option}")


@pytest.mark.parametrize("word", sorted(SERVER))
def test_irrelevant_words_of_servers(word):
    extra = "x " * SERVER[word][0]
    loaded = haproxy.load(f"backend a\n server s 1.1.1.1:1 {word} {extra}weight 9\n")
    assert loaded.irrelevant == (f"backend[a].server[s].{word}",)
    assert loaded.backends[0].weight == 9


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("cookie SRV insert\n stick-table type ip", ("backend[a].cookie", "backend[a].stick-table")),
        (
            "use-server s if x\n option prefer-last-server",
            ("backend[a].use-server", "backend[a].option prefer-last-server"),
        ),
        ("balance rdp-cookie", ("backend[a].balance",)),
        ("balance uri nonsense", ("backend[a].balance",)),
        ("server-template w 1-3 h:1", ("backend[a].server-template",)),
        (
            "server t 1.1.1.2:1 track x quic",
            ("backend[a].server[t].track", "backend[a].server[t].x", "backend[a].server[t].quic"),
        ),
        ('balance "$ALGO"', ("backend[a].balance",)),
        ("server t 1.1.1.2:1 observe layer4", ("backend[a].server[t].observe",)),
        ("server t 1.1.1.2:1 minconn 3 maxconn 9", ("backend[a].server[t].minconn",)),
        (
            "hash-type consistent none\n balance hash src\n hash-preserve-affinity always\n"
            " server t 1.1.1.2:1 hash-key addr frob",
            (
                *("backend[a].server[t].hash-key", "backend[a].server[t].frob", "backend[a].hash-type"),
                "backend[a].hash-preserve-affinity",
            ),
        ),
        ("load-server-state-from-file global", ("backend[a].load-server-state-from-file",)),
    ],
)
def test_unsupported_ones_are_named_together(text, paths):
    whole = f"backend a\n {text}\n server s 1.1.1.1:1\n"
    with pytest.raises(ConfigError) as refused:
        haproxy.load(whole)
    assert refused.value.value == paths
    assert haproxy.load(whole, strict=False).unsupported == paths


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("server s 1.1.1.1:1 weight 257", "backend[a].server[s].weight"),
        ("server s 1.1.1.1:1 weight -1", "backend[a].server[s].weight"),
        ("server s 1.1.1.1:1 weight", "backend[a].server[s].weight"),
        ("server s 1.1.1.1:1 slowstart 1x", "backend[a].server[s].slowstart"),
        ("server s 1.1.1.1:1 check rise 0", "backend[a].server[s].rise"),
        ("server s 1.1.1.1:1 hash-key x", "backend[a].server[s].hash-key"),
        ("server s 1.1.1.1:1 verify", "backend[a].server[s].verify"),
        ("server s 1.1.1.1:1 source", "backend[a].server[s].source"),
        ("server s 1.1.1.1:1 id 0", "backend[a].server[s].puid"),
        ("server s", "backend[a].server"),
        ("mode http", "backend[a].server"),
        ("option\n server s 1.1.1.1:1", "backend[a].option"),
        ("balance\n server s 1.1.1.1:1", "backend[a].balance"),
        ("balance random(0)\n server s 1.1.1.1:1", "backend[a].draws"),
        ("hash-type odd\n server s 1.1.1.1:1", "backend[a].hash-type"),
        ("hash-balance-factor x\n server s 1.1.1.1:1", "backend[a].hash-balance-factor"),
        ("hash-balance-factor 50\n balance uri\n server s 1.1.1.1:1", "backend[a].hash_balance_factor"),
        ("hash-preserve-affinity x\n server s 1.1.1.1:1", "backend[a].hash-preserve-affinity"),
        ("server s 1.1.1.1:1 id 3\n server t 1.1.1.1:1 id 3", "backend[a].backends['t'].puid"),
    ],
)
def test_bad_values(text, parameter):
    with pytest.raises(ConfigError) as refused:
        haproxy.load(f"backend a\n {text}\n")
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("balance uri\n", "text"),
        ("backend a\n server 's", "text"),
        ('backend a\n server "s\nx"', "text"),
        ("", "backend"),
        ("frontend x\n bind :80\n", "backend"),
        ("backend a\n server s 1:1\nbackend b\n server s 1:1", "backend"),
        ("backend a from nobody\n server s 1:1", "backend[a].from"),
        ("defaults d from d\nbackend a\n server s 1:1", "defaults[d].from"),
        (None, "text"),
        (b"backend a", "text"),
    ],
)
def test_bad_texts(text, parameter):
    with pytest.raises(ConfigError) as refused:
        haproxy.load(text)
    assert refused.value.parameter == parameter


def test_names():
    with pytest.raises(DuplicateBackend):
        haproxy.load("backend a\n server s 1.1.1.1:1\n server s 1.1.1.2:1")
    two = "backend a\n server s 1.1.1.1:1\nbackend b\n server t 1.1.1.1:1"
    assert haproxy.load(two, "b").backends[0].id == "t"
    with pytest.raises(ConfigError, match="a, b"):
        haproxy.load(two, "c")
    with pytest.raises(ConfigError, match="twice"):
        haproxy.load(two.replace("backend b", "backend a"), "a")


def test_words():
    found = list(lines("a b\\ c \"d $e\" 'f\\g' h#i\nj\\\n k \\x41\\n\\q ''\n\n # l\n"))
    assert [line.words for line in found] == [("a", "b c", "d $e", "f\\g", "h"), ("j", "k", "A\n\\q", "")]
    assert [line.environment for line in found] == [True, False]
    assert [line.number for line in found] == [1, 2]
    assert [s.path for s in sections("global\ndefaults\nbackend x from y\n a")] == ["global", "defaults", "backend[x]"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0),
        ("5s", 5000.0),
        ("2m", 120_000.0),
        ("1d", 86_400_000.0),
        ("10us", 0.01),
        ("", None),
        ("s", None),
        ("1x", None),
        ("-1", None),
        ("1.5s", None),
        ("9" * 20, None),
    ],
)
def test_times(text, value):
    assert milliseconds(text) == value


pieces = st.sampled_from(
    [
        "backend a\n",
        "defaults\n",
        " from d",
        " server",
        " s",
        " t",
        " 1.1.1.1:1",
        " weight",
        " 5",
        " 999",
        "\n",
        " balance",
        " uri",
        " hash",
        " random(",
        "2)",
        " hash-type",
        " consistent",
        " '",
        '"',
        "\\",
        "#",
        " option",
        " allbackups",
        "\x00",
        "\ud800",
        " check",
        " inter",
        " 2s",
        " backup",
        " hdr(",
        ")",
        "$X",
        " default-server",
        " id",
        "listen b\n",
        " slowstart",
    ]
)


@given(st.text(max_size=60) | st.lists(pieces, max_size=40).map("".join))
@example("backend a\n server \ud800 1:1")
@example("backend a\n server s 1.1.1.1:1 inter 0 check")
@example("backend a\n balance random(9999)\n server s 1.1.1.1:1")
def test_any_text_is_a_result_or_a_config_error(text):
    try:
        loaded = haproxy.load(text)
    except ConfigError:
        return
    assert len(loaded.backends) > 0 and loaded.unsupported == ()
    loaded.view()


@given(st.lists(pieces, max_size=40).map("".join))
def test_no_field_is_in_two_lists(text):
    try:
        loaded = haproxy.load("backend q\n server z 1.1.1.1:1\n" + text, "q", strict=False)
    except ConfigError:
        return
    lists = [*loaded.honoured, *loaded.irrelevant, *loaded.unsupported]
    assert len(lists) == len(set(lists))
