"""Which ends of a request nginx counts as failed attempts: the words of ``proxy_next_upstream``."""

from __future__ import annotations

from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.types import Outcome

NEXT_UPSTREAM = ("error", "timeout")  # nginx's default
OUTCOMES: dict[str, Outcome | None] = {  # what each word makes a failed attempt that was none before
    "error": None,  # errors, timeouts and invalid headers are failed attempts whatever the list says
    "timeout": None,
    "invalid_header": None,
    "http_500": Outcome.SERVER_ERROR,
    "http_502": Outcome.GATEWAY_ERROR,
    "http_503": Outcome.GATEWAY_ERROR,
    "http_504": Outcome.GATEWAY_ERROR,
    "http_403": None,  # lets a request go on, but is never a failed attempt
    "http_404": None,
    "http_429": Outcome.OVERLOADED,
    "non_idempotent": None,
    "off": None,
}


def check_words(policy: Any) -> None:
    """The policy's `proxy_next_upstream` is a tuple of nginx's words (a list becomes one); else ConfigError."""
    words = policy.proxy_next_upstream
    if isinstance(words, list):
        words = tuple(words)
        object.__setattr__(policy, "proxy_next_upstream", words)
    if not isinstance(words, tuple) or not all(isinstance(word, str) and word in OUTCOMES for word in words):
        raise ConfigError("proxy_next_upstream", words, f"must be a tuple of {', '.join(OUTCOMES)}")


def failures_of(words: tuple[str, ...]) -> frozenset[Outcome]:
    """The outcomes that count as failed attempts; any one of 502, 503 and 504 makes a gateway error one.

    Examples
    --------
    >>> sorted(outcome.name for outcome in failures_of(("error", "timeout", "http_500")))
    ['LOCAL_ERROR', 'SERVER_ERROR', 'TIMEOUT']
    """
    named = {OUTCOMES[word] for word in words} | {Outcome.LOCAL_ERROR, Outcome.TIMEOUT}
    return frozenset(outcome for outcome in named if outcome is not None)
