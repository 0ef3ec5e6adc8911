"""An HTTP client that asks many questions down one connection, in order."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.live.servers import LOOPBACK

_BATCH = 40  # requests under way at a time; every proxy answers one connection's in order


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its head (lower case) and its body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Value of a header; the last, if there are several."""
        found = [line for line in self.head.split(b"\r\n") if line.startswith(name + b":")]
        return found[-1].split(b":", 1)[1].strip() if found else None

    @property
    def origin(self) -> int | None:
        """Index of the backend that answered; None if the proxy did itself."""
        index = self.header(b"x-origin")
        return None if index is None else int(index)


class Client:
    """A connection to a proxy, from an address of 127/8, opened again if the proxy closes it."""

    def __init__(self, port: int, source: str = LOOPBACK) -> None:
        self.port = port
        self.source = source
        self._unread = b""
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(20.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.source != LOOPBACK:
            self._socket.bind((self.source, 0))
        self._socket.connect((LOOPBACK, self.port))
        self._unread = b""

    def ask(self, requests: Sequence[bytes], together: int = _BATCH) -> list[Answer]:
        """One answer for each request, asked in order, at most so many `together` before their answers are read."""
        answers: list[Answer] = []
        while len(answers) < len(requests):
            batch = requests[len(answers) : len(answers) + together]
            self._socket.sendall(b"".join(batch))
            for _ in batch:
                answer = self.read()
                answers.append(answer)
                if answer.header(b"connection") == b"close":
                    self._socket.close()
                    self._connect()
                    break
        return answers

    def read_head(self) -> tuple[int, bytes]:
        """Status and head (lower case) of the next answer."""
        while b"\r\n\r\n" not in self._unread:
            self._more()
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        return int(head[9:12]), head.lower()

    def read(self) -> Answer:
        """The next answer, with its body."""
        status, head = self.read_head()
        answer = Answer(status, head, b"")
        if answer.header(b"transfer-encoding") == b"chunked":
            return Answer(status, head, self._chunks())
        length = int(answer.header(b"content-length") or 0)
        return Answer(status, head, self.take(length))

    def take(self, length: int) -> bytes:
        """The next bytes, so many of them."""
        while len(self._unread) < length:
            self._more()
        body, self._unread = self._unread[:length], self._unread[length:]
        return body

    def send(self, request: bytes) -> None:
        """Sends a request whose answer is read later."""
        self._socket.sendall(request)

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._unread:
                self._more()
            size, self._unread = self._unread.split(b"\r\n", 1)
            chunk = self.take(int(size, 16) + 2)
            if len(chunk) == 2:
                return body
            body += chunk[:-2]

    def _more(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the proxy closed the connection")
        self._unread += data

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def get(path: str | bytes = "/", headers: Iterable[tuple[str, str | bytes]] = (), host: str = "test") -> bytes:
    """A GET request."""
    lines = [b"GET %s HTTP/1.1" % _raw(path), b"host: " + host.encode()]
    lines += [name.encode() + b": " + _raw(value) for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])


def _raw(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
