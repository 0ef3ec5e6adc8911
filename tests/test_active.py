"""`lbalgo.kernels` is a function, and stays one when the package of that name is imported afterwards."""

import os
import subprocess
import sys

import pytest

from tests.both import BUILT

THERE = "import lbalgo, lbalgo.reference.hashing, lbalgo.kernels as _; print(lbalgo.kernels())"


@pytest.mark.parametrize("kernels", ["cython", "python"] if BUILT else ["python"])
def test_kernels_names_the_twins_in_use(kernels):
    answer = subprocess.run(
        [sys.executable, "-c", THERE],
        env={**os.environ, "LBALGO_KERNELS": kernels, "LBALGO_SIMD": ""},
        capture_output=True,
        check=True,
    )
    assert answer.stdout.decode().strip() == kernels
