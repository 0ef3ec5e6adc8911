from lbalgo.kernels.loads import InFlightCounts
from lbalgo.kernels.order import Order
from lbalgo.types import I64

class Levels(Order):
    def __init__(self, load: InFlightCounts, rows: I64, first: bool) -> None: ...
    def check_invariants(self) -> None: ...
