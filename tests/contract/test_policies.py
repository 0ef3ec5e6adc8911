"""Every policy of ours under the laws that apply to it."""

from lbalgo import Maglev
from lbalgo.testing import KeyedContract
from lbalgo.testing import strategies as some


class TestMaglev(KeyedContract):
    policy = Maglev(table_size=1009)
    weights = some.weights(1.0, 4.0)
    max_size = 33
