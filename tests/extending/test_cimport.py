"""A package of somebody else's that cimports the kernels builds against the installed library, and agrees with it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.active import mix64

pytestmark = pytest.mark.skipif(lb.kernels() != "cython", reason="the package takes compiled structures")


@pytest.fixture(scope="module")
def packetlb(tmp_path_factory):
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("target")
    shutil.copytree(Path(__file__).parent / "package", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    sys.path.insert(0, str(target))
    try:
        import packetlb

        yield packetlb
    finally:
        sys.path.remove(str(target))


@pytest.mark.parametrize("policy", [lb.Maglev(), lb.RingHash(), lb.Rendezvous(), lb.Jump()], ids=repr)
def test_lookup_without_the_gil(packetlb, policy):
    picker = policy.build([f"10.0.0.{i}" for i in range(20)])
    packets = np.random.default_rng(1).integers(0, 256, 12 * 500, dtype=np.uint8)
    slots = np.empty(500, dtype=np.int32)
    packetlb.forward(picker.structure, packets, 12, slots)
    assert slots.tolist() == [picker.slot(lb.hash_key(packets[12 * i : 12 * i + 12].tobytes())) for i in range(500)]
    assert len(set(slots.tolist())) == 20


def test_hash(packetlb):
    assert [packetlb.mixed(x) for x in (0, 1, 2**64 - 1)] == [mix64(x) for x in (0, 1, 2**64 - 1)]
