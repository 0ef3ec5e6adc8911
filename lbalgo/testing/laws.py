"""What a law is: a method of a contract whose docstring is the law's sentence and whose body looks at one example.

`law` makes of it a test without arguments that lets Hypothesis choose the examples. When an example breaks the law, or
raises what it should not, the AssertionError begins with the sentence, goes on with what was seen, and Hypothesis adds
the smallest example.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException


def law(body: Callable[..., None]) -> Callable[[Any], None]:
    """Turns `body(contract, data)`, which asserts about one drawn example, into a test of the contract.

    Parameters
    ----------
    body : a method with a docstring (the sentence of the law) that draws from `data` and asserts; one that takes no
        `data` needs no examples and runs once.

    The number of examples is that of the Hypothesis profile in force, or of `contract.settings` if that is not None.

    Examples
    --------
    >>> class Small:
    ...     settings = None
    ...     @law
    ...     def test_numbers_are_small(self, data):
    ...         "Numbers are small."
    ...         number = data.draw(st.integers(0, 100))
    ...         assert number < 50, f"{number} is not"
    >>> try:
    ...     Small().test_numbers_are_small()
    ... except AssertionError as broken:
    ...     print(broken)
    Numbers are small.
      50 is not
    """
    sentence, drawing = sentence_of(body), len(inspect.signature(body).parameters) > 1

    def look(self: Any, *data: st.DataObject) -> None:
        try:
            body(self, *data)
        except HypothesisException:
            raise
        except Exception as broken:
            what = str(broken) if isinstance(broken, AssertionError) else repr(broken)
            raise AssertionError(f"{sentence}\n  {what}") from broken

    def run(self: Any) -> None:
        if not drawing:
            look(self)
            return

        def example(data: st.DataObject) -> None:
            look(self, data)

        example.__name__ = f"{type(self).__name__}_{body.__name__}"
        chosen = getattr(self, "settings", None) or settings.default
        settings(chosen)(given(data=st.data())(example))()

    run.__name__, run.__qualname__, run.__doc__ = body.__name__, body.__qualname__, body.__doc__
    run.__module__ = body.__module__
    return run


def sentence_of(body: Callable[..., Any]) -> str:
    """The first paragraph of the docstring on one line."""
    return " ".join((body.__doc__ or body.__name__).strip().split("\n\n")[0].split())


def laws_of(contract: type) -> dict[str, str]:
    """The laws of a contract: name of the test to the law's sentence; those crossed out (set to None) are not in it.

    Examples
    --------
    >>> from lbalgo.testing import PolicyContract
    >>> laws_of(PolicyContract)["test_walk_yields_every_eligible_backend_once"]
    '`walk` yields every eligible backend exactly once, and no other.'
    """
    names = [name for name in dir(contract) if name.startswith("test_") and callable(getattr(contract, name))]
    return {name: sentence_of(getattr(contract, name)) for name in names}


def certify(contract: type) -> int:
    """Runs every law of a contract, as pytest would, and returns how many hold.

    Parameters
    ----------
    contract : a subclass of one of the contracts.

    Raises
    ------
    AssertionError : a law does not hold; the message begins with its sentence.

    Cost: each law runs as many examples as the Hypothesis profile asks for (100 by default): seconds in all.
    """
    names = laws_of(contract)
    for name in names:
        getattr(contract(), name)()
    return len(names)


class GlobalRandomness:
    """Context manager that asserts that nobody in between drew from, or seeded, a global random generator."""

    def __enter__(self) -> None:
        self.before = global_randomness()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert global_randomness() == self.before, "a global random generator was used or seeded"


def global_randomness() -> tuple[object, ...]:
    """The states of the global generators of `random` and NumPy, comparable."""
    name, words, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), name, bytes(np.asarray(words)), *rest
