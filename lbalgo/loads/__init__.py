"""Loads: fast state by row that changes with every request and is read live when one is picked for."""

from lbalgo.loads.in_flight import InFlight

__all__ = ["InFlight"]
