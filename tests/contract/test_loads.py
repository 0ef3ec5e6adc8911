"""Every load of ours under the laws of loads."""

from lbalgo import InFlight
from lbalgo.testing import LoadContract


class TestInFlight(LoadContract):
    load = InFlight()
