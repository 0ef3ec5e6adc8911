"""nginx configurations: what an upstream block becomes, and that any text is a result or a ConfigError."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.compat import nginx
from lbalgo.compat.nginx.config import IRRELEVANT
from lbalgo.compat.nginx.syntax import parse, seconds

WHOLE = r"""
user www;  # workers
events { worker_connections 1024; }
http {
    include mime.types;
    proxy_next_upstream error timeout http_502;
    upstream api {
        zone api 64k;
        hash "$request_uri $arg_x" consistent;
        server 10.0.0.1:8080 weight=5 max_fails=3 fail_timeout=1m30s;
        server api.example.com down;
        server unix:/run/api.sock max_conns=20;
        keepalive 16;
    }
    upstream other { server 10.0.0.9; }
    server {
        listen 80;
        location / { proxy_pass http://api; }
        location /x { proxy_pass http://other/; proxy_next_upstream off; }
    }
}
"""


def test_a_whole_configuration():
    loaded = nginx.load(WHOLE, "api")
    assert loaded.policy == nginx.Hash(True, ("error", "timeout", "http_502"))
    assert loaded.backends == (
        nginx.Server("10.0.0.1:8080", 5, "10.0.0.1:8080", 3, 90),
        nginx.Server("api.example.com:80", name="api.example.com", down=True),
        nginx.Server("unix:/run/api.sock", name="unix:/run/api.sock", max_conns=20),
    )
    assert "upstream[api].server[0].weight" in loaded.honoured
    assert "http[0].proxy_next_upstream" in loaded.honoured
    assert "upstream[api].keepalive" in loaded.irrelevant
    assert "http[0].server[0].listen" in loaded.irrelevant
    assert loaded.unsupported == () and loaded.panic_below == 0.0
    assert not set(loaded.honoured) & set(loaded.irrelevant)
    assert loaded.balancer(seed=1).acquire("/a").backend.id in {"10.0.0.1:8080", "unix:/run/api.sock"}


def test_the_other_upstream_has_its_own_words():
    assert nginx.load(WHOLE, "other").policy == nginx.RoundRobin(("off",))


@pytest.mark.parametrize(
    ("directive", "policy"),
    [
        ("", nginx.RoundRobin()),
        ("least_conn;", nginx.LeastConn()),
        ("ip_hash;", nginx.IpHash()),
        ("hash $x;", nginx.Hash()),
        ("hash $x consistent;", nginx.Hash(True)),
        ("random;", nginx.Random()),
        ("random two;", nginx.Random(True)),
        ("random two least_conn;", nginx.Random(True)),
        ("least_time header;", nginx.LeastTime("header")),
        ("least_time last_byte inflight;", nginx.LeastTime("last_byte", True)),
        ("sticky cookie srv_id expires=1h;", nginx.Sticky()),
    ],
)
def test_methods(directive, policy):
    assert nginx.load(f"upstream u {{ {directive} server a:1; server b:1; }}").policy == policy


@pytest.mark.parametrize("name", sorted(IRRELEVANT))
def test_irrelevant_ones_change_nothing(name):
    plain = nginx.load("upstream u { server a:1; }")
    loaded = nginx.load(f"upstream u {{ server a:1; {name} 1; }}")
    assert (loaded.policy, loaded.backends) == (plain.policy, plain.backends)
    assert loaded.irrelevant == (f"upstream[u].{name}",)


@pytest.mark.parametrize(
    ("block", "paths"),
    [
        ("server a:1; queue 10; ntlm;", ("upstream[u].queue", "upstream[u].ntlm")),
        ("server a:1 slow_start=30s resolve;", ("upstream[u].server[0].slow_start", "upstream[u].server[0].resolve")),
        ("server a:1; include more;", ("upstream[u].include",)),
        ("random two least_time=header; server a:1;", ("upstream[u].random",)),
        ("server a:1 weight;", ("upstream[u].server[0].weight",)),
    ],
)
def test_unsupported_ones_are_named_together(block, paths):
    with pytest.raises(ConfigError) as refused:
        nginx.load(f"upstream u {{ {block} }}")
    assert refused.value.value == paths
    assert nginx.load(f"upstream u {{ {block} }}", strict=False).unsupported == paths


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("upstream u { server a:1 weight=0; }", "upstream[u].server[0].weight"),
        ("upstream u { server a:1 weight=-1; }", "upstream[u].server[0].weight"),
        ("upstream u { server a:1 weight=1.5; }", "upstream[u].server[0].weight"),
        ("upstream u { server a:1 fail_timeout=1x; }", "upstream[u].server[0].fail_timeout"),
        ("upstream u { server a:1 weight=1 weight=2; }", "upstream[u].server[0].weight"),
        ("upstream u { server; }", "upstream[u].server[0]"),
        ("upstream u { server ''; }", "upstream[u].server[0]"),
        ("upstream u { least_conn; }", "upstream[u].server"),
        ("upstream u { ip_hash; server a; server b backup; }", "upstream[u].server[1].backup"),
        ("upstream u { least_conn; ip_hash; server a; }", "upstream[u].ip_hash"),
        ("upstream u { hash; server a; }", "upstream[u].hash"),
        ("upstream { server a; }", "upstream"),
        ("http { }", "upstream"),
        ("upstream u { server a; } upstream v { server a; }", "upstream"),
        ("upstream u { server a; } upstream u { server a; }", "upstream"),
        ("upstream u { server a; ", "text"),
        ("upstream u { server a }", "text"),
        ("}", "text"),
        (";", "text"),
        ("a 'b", "text"),
        ("a 'b'c;", "text"),
        ("x", "text"),
        ("a{" * 100, "text"),
        ("http { proxy_next_upstream never; upstream u { server a; } }", "http[0].proxy_next_upstream"),
    ],
)
def test_bad_input(text, parameter):
    with pytest.raises(ConfigError) as refused:
        nginx.load(text, "u" if text.count("upstream u") > 1 else None)
    assert refused.value.parameter == parameter
    assert str(refused.value)


@pytest.mark.parametrize("text", [None, b"upstream u { server a; }", 3])
def test_only_text(text):
    with pytest.raises(ConfigError, match="must be a string"):
        nginx.load(text)


def test_places_that_disagree_on_failures():
    text = """http { upstream u { server a; }
        server { location / { proxy_pass http://u; }
                 location /b { proxy_next_upstream http_500; proxy_pass http://u; } } }"""
    with pytest.raises(ConfigError) as refused:
        nginx.load(text)
    assert refused.value.value == (
        "http[0].server[0].location[0].proxy_pass",
        "http[0].server[0].location[1].proxy_next_upstream",
    )


def test_one_server_twice_is_two_peers():
    loaded = nginx.load("upstream u { server a:1; server a:1 weight=2; }")
    assert [(server.id, server.name) for server in loaded.backends] == [("a:1", "a:1"), ("a:1#2", "a:1")]


def test_words():
    outer, inner = parse("a 'x y' \"p;q\" b#c ; # rest\n m { n; }")
    assert (outer.name, outer.args, outer.line) == ("a", ("x y", "p;q", "b#c"), 1)
    assert (inner.name, inner.line, inner.block[0].name) == ("m", 2, "n")
    assert parse("a ${b};")[0].args == ("${b}",)
    assert parse(r'a "b\"c" d\;e;')[0].args == ('b"c', r"d\;e")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("1m", 60),
        ("1y1M1w1d1h1m1s", 31536000 + 2592000 + 604800 + 86400 + 3661),
        ("1h30", 3630),
        ("", None),
        ("s", None),
        ("1m1h", None),
        ("1s1s", None),
        ("10 s", None),
        ("5ms", None),
        ("9" * 30, None),
    ],
)
def test_times(text, value):
    assert seconds(text) == value


pieces = st.sampled_from(
    [
        "upstream",
        " u ",
        "{",
        "}",
        ";",
        " server",
        " a:1",
        " weight=",
        "weight=3",
        " backup",
        "'",
        '"',
        "\\",
        "#",
        "\n",
        " hash",
        " $x",
        "${",
        " consistent",
        " ip_hash",
        "http",
        " down",
        "\x00",
        "\ud800",
        " proxy_pass http://u",
        " 9" * 2,
    ]
)


@given(st.text(max_size=60) | st.lists(pieces, max_size=40).map("".join))
@example("upstream u{server \ud800;}")
@example("upstream u{server a fail_timeout=" + "9" * 5000 + ";}")
def test_any_text_is_a_result_or_a_config_error(text):
    try:
        loaded = nginx.load(text)
    except ConfigError:
        return
    assert len(loaded.backends) > 0 and loaded.unsupported == ()


@given(st.lists(pieces, max_size=40).map("".join))
def test_no_field_is_in_two_lists(text):
    try:
        loaded = nginx.load("upstream u { server a:1; " + text + "}", strict=False)
    except ConfigError:
        return
    lists = [*loaded.honoured, *loaded.irrelevant, *loaded.unsupported]
    assert len(lists) == len(set(lists))
