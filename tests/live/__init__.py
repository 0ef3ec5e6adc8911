"""Decisions of the real programs, running on loopback, against those of `lbalgo.compat`.

One module a system, each with `draw` (a configuration at random, from a seeded generator), `capture` (what the real
program decides) and `predict` (what `lbalgo.compat` decides). A configuration is plain data that JSON can hold, so
that one that disagrees can be kept and tried again.
"""
