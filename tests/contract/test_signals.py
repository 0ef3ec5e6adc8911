"""Every signal of ours, and an honest one of a user, under the laws of signals."""

from lbalgo.testing import SignalContract
from tests.contract.pause import Pause


class TestPause(SignalContract):
    longest = 30.0
    signal = Pause
