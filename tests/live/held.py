"""Requests that stay in flight: opened and closed by a script, each on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

from tests.live.client import Client
from tests.live.origins import Origins

_tokens = count()
_SETTLE = 0.002  # seconds until a proxy has surely counted the end of a request that its client has seen


def play(port: int, requests: Sequence[bytes], steps: Sequence[int], origins: Origins) -> list[int | None]:
    """The backend of each opened request; `steps` as `drawing.script` makes them."""
    found: list[int | None] = []
    waiting: list[tuple[Client, str | None]] = []
    try:
        for step in steps:
            if step >= 0:
                _close(*waiting.pop(step), origins)
                continue
            token = f"t{next(_tokens)}"
            request = requests[len(found)]
            client = Client(port)
            client.send(request[:-2] + f"x-hold: {token}\r\n\r\n".encode())
            _, head = client.read_head()
            origin = [line for line in head.split(b"\r\n") if line.startswith(b"x-origin:")]
            waiting.append((client, token if origin else None))
            found.append(int(origin[0][9:]) if origin else None)
    finally:
        for client, token in waiting:
            _close(client, token, origins)
    return found


def _close(client: Client, token: str | None, origins: Origins) -> None:
    if token is not None:
        origins.release(token)
        client.take(1)
        time.sleep(_SETTLE)
    client.close()
