"""A long build lets other threads run: it releases the interpreter's lock.

With a switch interval of an hour nobody is made to give the lock away, so another thread moves only if the build lets
go of it. It need not do so within one build, on a busy machine; but if the lock is held it does in none. The arrays
given are so small that NumPy, too, keeps the lock.
"""

import sys
import threading
import time

import numpy as np
import pytest

from lbalgo.kernels.maglev import fill
from lbalgo.kernels.points import numbered, phased, rounds

FEW = np.arange(1, 21)
BUILDS = {
    "fill": lambda: fill(FEW - 1, FEW, FEW, 65537),
    "phased": lambda: phased(np.zeros(20), FEW / 20, 65537),
    "rounds": lambda: rounds(FEW / 20, 65537),
    "numbered": lambda: numbered([b"name"], [65537], 0),
}


@pytest.mark.parametrize("name", BUILDS)
def test_another_thread_moves(name):
    moved, stop, ready = [0], threading.Event(), threading.Event()

    def count():
        ready.set()
        while not stop.is_set():
            moved[0] += 1
            time.sleep(0)  # gives the lock away, which a wait of no time does not

    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    ready.wait()
    sys.setswitchinterval(3600)
    try:
        start, build = moved[0], BUILDS[name]
        for _ in range(2000):
            build()
            if moved[0] > start:
                break
        assert moved[0] > start
    finally:
        stop.set()
        sys.setswitchinterval(before)
        thread.join()
