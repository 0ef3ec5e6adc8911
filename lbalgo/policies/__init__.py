"""Policies: frozen specifications that build pickers, one algorithm a file."""

from lbalgo.policies.maglev import Maglev

__all__ = ["Maglev"]
