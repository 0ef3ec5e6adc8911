"""The twins of a module that are there: always the plain one, and the compiled one where this install has it."""

from importlib import import_module
from importlib.util import find_spec

BUILT = find_spec("lbalgo.kernels.hashing") is not None


def both(name):
    """The modules `lbalgo.reference.NAME` and, if built, `lbalgo.kernels.NAME`."""
    rooms = ("reference", "kernels") if BUILT else ("reference",)
    return [import_module(f"lbalgo.{room}.{name}") for room in rooms]
