"""Keys out of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.gates.request_keys import attribute_key, cookie_value, header_key

VALUES = st.one_of(st.text(min_size=1, max_size=4), st.binary(min_size=1, max_size=4), st.integers(-9, 300))


def test_headers():
    fields = [("Host", "x"), ("X-User", "a"), ("x-user", "b"), ("X-Empty", "  ")]
    assert header_key(fields, "X-USER") == "a, b"
    assert header_key(dict(fields), "host") == "x"
    assert header_key(fields, "x-empty") is None and header_key(fields, "absent") is None


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("sid=1", "1"),
        ("a=b;sid=1", "1"),
        ("xsid=0; sid=1; sid=2", "1"),
        ('sid="q=r"', "q=r"),
        ('sid="', '"'),
        ("sid=a=b==", "a=b=="),
        ("SID=1", None),
        ("sid", None),
        ("sid=", None),
        ("", None),
    ],
)
def test_cookies(field, found):
    assert cookie_value({"cookie": field}, "sid") == found


def test_cookies_of_several_fields():
    assert cookie_value([("Cookie", "a=1"), ("Cookie", "sid=2")], "sid") == "2"


@given(st.lists(VALUES, min_size=2, max_size=2), st.lists(VALUES, min_size=2, max_size=2))
def test_attributes_do_not_run_into_each_other(one, two):
    def key(pair):
        return attribute_key(dict(zip("ab", pair, strict=True)), "a", "b")

    def shape(pair):
        return [(isinstance(v, bytes), v if isinstance(v, bytes) else str(v)) for v in pair]

    assert (key(one) == key(two)) == (shape(one) == shape(two))


def test_half_a_key_is_none():
    assert attribute_key({"a": "x"}, "a", "b") is None
    assert attribute_key({"a": "x", "b": ""}, "a", "b") is None
    assert attribute_key({"a": 0}, "a") is not None


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: header_key(7, "x"), "headers"),
        (lambda: header_key([("a", 1)], "x"), "headers"),
        (lambda: header_key(["abc"], "x"), "headers"),
        (lambda: header_key({}, ""), "name"),
        (lambda: cookie_value({}, None), "name"),
        (lambda: cookie_value(None, "x"), "headers"),
        (lambda: attribute_key({}), "names"),
        (lambda: attribute_key([], "a"), "attributes"),
        (lambda: attribute_key({"a": 1.5}, "a"), "attributes['a']"),
        (lambda: attribute_key({"a": True}, "a"), "attributes['a']"),
        (lambda: attribute_key({"a": "\ud800"}, "a"), "attributes['a']"),
    ],
)
def test_what_is_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
