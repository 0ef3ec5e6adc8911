from lbalgo.kernels.loads import InFlightCounts
from lbalgo.kernels.order import Order
from lbalgo.types import F64, I64

class Tournament(Order):
    def __init__(self, load: InFlightCounts, rows: I64, weights: F64, first: bool) -> None: ...
    def check_invariants(self) -> None: ...
