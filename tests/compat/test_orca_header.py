"""Reports in headers: messages made by protobuf's own library, the other two forms, and what is refused."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.compat.orca import OrcaReport
from lbalgo.compat.orca_header import LONGEST, read_binary, read_header, report_of
from lbalgo.report import Report

# Serialised by google.protobuf from the fields of xds.data.orca.v3.OrcaLoadReport, rps and request_cost among them.
MESSAGE = (
    "CQAAAAAAAOA/EQAAAAAAANA/GAciDQoCbXMRAAAAAAAACEAqDwoEZGlzaxEAAAAAAADAPzEAAAAAAOBeQDkAAAAAAAD4P0IQCgVxdWV1ZREA"
    "AAAAAAAcQEIPCgR6ZXJvEQAAAAAAAAAAQg0KAsOnEQAAAAAAAADASQAAAAAAAOg/"
)
JSON = (
    '{"cpuUtilization": 0.5, "memUtilization": 0.25, "rps": "7", "requestCost": {"ms": 3.0}, "utilization": '
    '{"disk": 0.125}, "rpsFractional": 123.5, "eps": 1.5, "namedMetrics": {"queue": 7.0, "\\u00e7": -2.0, "zero": 0.0},'
    ' "applicationUtilization": 0.75}'
)
TEXT = (
    "cpu_utilization=0.5,mem_utilization=.25, rps=7, request_cost.ms=3,utilization.disk=0.125,rps_fractional=123.5 ,"
    "eps=1.5,named_metrics.queue=7,named_metrics.ç=-2, named_metrics.zero=0, application_utilization=0.75"
)
WHOLE = OrcaReport(0.5, 0.25, 0.75, 123.5, 1.5, {"disk": 0.125}, {"queue": 7.0, "ç": -2.0, "zero": 0.0})


@pytest.mark.parametrize(
    "value", [f"BIN {MESSAGE}", f"JSON {JSON}", f"JSON {JSON.replace('cpuUtil', 'cpu_util')}", f"TEXT {TEXT}"]
)
def test_the_three_forms_say_the_same(value):
    assert read_header(value) == WHOLE


def test_the_binary_header():
    assert read_binary(MESSAGE) == WHOLE
    assert read_binary("") == read_header("TEXT ") == read_header("JSON {}") == OrcaReport()
    assert read_binary("QgwKAXERAAAAAAAAAAA=") == OrcaReport(named_metrics={"q": 0.0})  # google.protobuf's


def test_reports():
    assert report_of(WHOLE) == Report(0.75, 123.5, 1.5)
    assert report_of(OrcaReport(cpu_utilization=0.5)) == Report(0.5)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"TEXT cpu_utilization=1",
        "",
        "cpu_utilization=1",
        "text cpu_utilization=1",
        "TEXT " + "x" * LONGEST,
        *(f"TEXT {entry}" for entry in ("cpu", "cpu=1", "cpu_utilization=", "cpu_utilization=x", "named_metrics.=1")),
        *(
            f"TEXT {entry}"
            for entry in ("cpu_utilization=nan", "eps=inf", "eps=-1", "eps=1,eps=1", "eps=1,", "foo.a=1")
        ),
        "TEXT named_metrics.a=1,named_metrics.a=2",
        *(
            f"JSON {data}"
            for data in ("", "[]", "7", "{", '{"cpu": 1}', '{"eps": "1"}', '{"eps": true}', '{"eps": NaN}')
        ),
        *(f"JSON {data}" for data in ('{"eps": 1, "eps": 1}', '{"named_metrics": 7}', '{"namedMetrics": {"a": null}}')),
        '{"cpuUtilization": 1, "cpu_utilization": 1}',
        'JSON {"cpuUtilization": 1, "cpu_utilization": 1}',
        f"JSON {'[' * 8000}",
        *(
            f"BIN {data}"
            for data in ("!", "A", MESSAGE[:-3], "CQAA", "DQAAAAA=", "CA==", "CAE=", "AA==", "////////////")
        ),
    ],
)
def test_refused(value):
    with pytest.raises(ConfigError):
        read_header(value)
    if isinstance(value, str) and value.startswith("BIN"):
        with pytest.raises(ConfigError):
            read_binary(value[4:])


numbers = st.floats(0, 1e9, allow_nan=False)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


@given(numbers, numbers, st.dictionaries(names, numbers, max_size=3), st.binary(max_size=9))
def test_messages_with_unknown_fields(cpu, eps, metrics, unknown):
    data = varint(200 << 3 | 2) + varint(len(unknown)) + unknown + varint(77 << 3) + varint(1 << 60)
    data += varint(78 << 3 | 5) + b"1234"
    data += struct.pack("<Bd", 1 << 3 | 1, 0.5) + struct.pack("<Bd", 1 << 3 | 1, cpu)  # the last counts
    data += struct.pack("<Bd", 7 << 3 | 1, eps)
    for name, value in metrics.items():
        entry = b"\x0a" + varint(len(name.encode())) + name.encode() + struct.pack("<Bd", 2 << 3 | 1, value)
        data += varint(8 << 3 | 2) + varint(len(entry)) + entry
    assert read_binary(base64.b64encode(data).decode()) == OrcaReport(cpu, eps=eps, named_metrics=metrics)
