"""Checks: what they send, and how they judge."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.signals.checks import GrpcCheck, HttpCheck, Serving, TcpCheck, Verdict, check_from_dict

HTTP = HttpCheck("/h?deep=1", "HEAD", "a.example:80", [200, (302, 399)], [(500, 599)], "ok", "x-last")


@given(st.integers(100, 999), st.binary(max_size=8))
def test_http(status, body):
    verdict = HTTP.judge(status, body)
    expected = status == 200 or 302 <= status <= 399
    assert verdict.passed == (expected and b"ok" in body)
    assert verdict.final == (not expected and not 500 <= status <= 599)
    assert bool(verdict.reason) != verdict.passed


@pytest.mark.parametrize(
    ("retriable", "finals"), [(None, []), ((), [199, 204, 500, 503]), ([(500, 502)], [199, 204, 503])]
)
def test_which_failures_are_final(retriable, finals):
    check = HttpCheck(expected=[200], retriable=retriable)
    assert [s for s in (199, 200, 204, 500, 503) if check.judge(s).final] == finals


def test_a_body_that_lacks_the_text_is_never_final():
    assert HttpCheck(retriable=(), body="é").judge(200, b"e") == Verdict(False, "body")
    assert HttpCheck(retriable=(), body="é").judge(200, "né".encode()).passed


@given(st.binary(max_size=4), st.binary(max_size=12))
def test_tcp(expect, received):
    assert TcpCheck(expect=expect).judge(received).passed == (expect in received)


@given(st.sampled_from(Serving), st.integers(0, 16))
def test_grpc(serving, code):
    assert GrpcCheck().judge(serving, code).passed == (serving == 1 and code == 0)


@pytest.mark.parametrize(
    ("name", "headers", "degraded"),
    [
        ("x-last", ["X-Last", "date"], True),
        ("X-Last", ["x-last"], True),
        ("x-last", ["x-last-modified"], False),
        ("x-last", [], False),
        ("", ["x-last"], False),
    ],
)
def test_a_header_asks_to_be_served_last(name, headers, degraded):
    check = HttpCheck(degraded=name, body="ok")
    assert check.judge(200, b"ok", headers) == Verdict(True, degraded=degraded)
    assert check.judge(200, b"no", headers) == Verdict(False, "body")
    assert check.judge(503, b"ok", headers) == Verdict(False, "status 503")


@pytest.mark.parametrize(
    "check", [TcpCheck(), TcpCheck(b"\x00\xff", b"x"), HttpCheck(), HTTP, GrpcCheck(), GrpcCheck("a.B", "h:1")]
)
def test_plain_data(check):
    assert check_from_dict(json.loads(json.dumps(check.to_dict()))) == check
    assert pickle.loads(pickle.dumps(check)) == check
    assert eval(repr(check)) == check
    assert len({check, check_from_dict(check.to_dict())}) == 1


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: TcpCheck(send=bytearray(b"\x00").decode()), "send"),
        (lambda: TcpCheck.from_dict({"send": "0g"}), "send"),
        (lambda: TcpCheck.from_dict({"expect": 7}), "expect"),
        (lambda: HttpCheck.from_dict({"path": "x"}), "path"),
        (lambda: HttpCheck.from_dict({"nothing": 1}), "nothing"),
        (lambda: check_from_dict({"type": "Verdict"}), "check"),
        (lambda: check_from_dict({"type": []}), "check"),
        (lambda: check_from_dict(None), "check"),
    ],
)
def test_what_is_no_check(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
