"""How a picker comes out of a pickle: built anew, with its cursor, by whichever twin is in use there."""

from __future__ import annotations

from typing import Any


def rebuild(policy: Any, view: Any, state: int) -> Any:
    """The picker of this policy and view whose cursor stands at `state`."""
    picker = policy.build(view)
    picker.reseed(state)
    return picker
