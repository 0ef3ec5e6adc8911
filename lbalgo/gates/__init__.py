"""Gates: what stands in front of a picker and remembers (sessions, flows) or refuses (limits, budgets, shedding).

A gate is told the time (`now`, seconds) and, where it draws, random bits; it holds no clock, no lock and no picker. The
affinity gates are asked *with* the picker of the moment, so that a rebuilt pool needs no word to them:
`gate.pick(picker, key, now=..., exclude=...)` returns one of the picker's backends.
"""
