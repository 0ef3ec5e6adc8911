"""The backends: one process that listens on many ports of loopback and says which of them was asked.

`Origins` starts it; it ends when the starter's end of its pipe closes, so never outlives it. Every port speaks HTTP
and memcached's text protocol. The answer to an HTTP request, and the value of every memcached key, is the port's
index. A request with the header ``x-hold: TOKEN`` gets the head of its answer (``x-origin: INDEX``) at once and the
body when `Origins.release` names the token: until then it is in flight. ``x-body: N`` asks for a body of N bytes;
``x-bytes`` in an answer is the size of the request.
Ports of `refusing` are taken by the process, but nobody listens: connections to them are refused.
"""

from __future__ import annotations

import json
import re
import select
import socket
import subprocess
import sys
from types import TracebackType

LOOPBACK = "127.0.0.1"
_HEADER = re.compile(rb"\r\n(x-hold|x-body|content-length): *([^\r]*)", re.IGNORECASE)


class Origins:
    """`count` listening ports, and `refusing` that refuse.

    Attributes
    ----------
    ports : the listening ports, by index.
    refusing : ports that refuse every connection.
    """

    def __init__(self, count: int, refusing: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(count), str(refusing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self.ports, self.refusing, control = json.loads(self._process.stdout.readline())
        self._index = {port: index for index, port in enumerate(self.ports)}
        self._control = socket.create_connection((LOOPBACK, control))

    def index(self, port: int) -> int:
        """Index of a listening port."""
        return self._index[port]

    def release(self, token: str) -> None:
        """Ends a held request; returns when its body is on its way."""
        self._control.sendall(token.encode() + b"\n")
        if self._control.recv(1) != b"1":
            raise LookupError(f"no request is held as {token!r}")

    def __enter__(self) -> Origins:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._control.close()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Server:
    def __init__(self, count: int, refusing: int) -> None:
        self.poll = select.epoll()
        self.listening: dict[int, tuple[socket.socket, int]] = {}
        self.open: dict[int, tuple[socket.socket, int]] = {}
        self.unread: dict[int, bytes] = {}
        self.held: dict[bytes, int] = {}
        for index in [*range(count), -1]:  # the last is the control port
            listener = socket.socket()
            listener.bind((LOOPBACK, 0))
            listener.listen(1024)
            listener.setblocking(False)
            self.listening[listener.fileno()] = listener, index
            self.poll.register(listener, select.EPOLLIN)
        self.refusing = [socket.socket() for _ in range(refusing)]
        for refuser in self.refusing:
            refuser.bind((LOOPBACK, 0))
        ports = [listener.getsockname()[1] for listener, _ in self.listening.values()]
        print(json.dumps([ports[:-1], [r.getsockname()[1] for r in self.refusing], ports[-1]]), flush=True)

    def serve(self) -> None:
        self.poll.register(sys.stdin.fileno(), select.EPOLLHUP)
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == sys.stdin.fileno():
                    return
                if descriptor in self.listening:
                    self.accept(*self.listening[descriptor])
                elif descriptor in self.open:
                    self.read(descriptor, *self.open[descriptor])

    def accept(self, listener: socket.socket, index: int) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open[connection.fileno()] = connection, index
        self.unread[connection.fileno()] = b""
        self.poll.register(connection, select.EPOLLIN)

    def read(self, descriptor: int, connection: socket.socket, index: int) -> None:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.poll.unregister(descriptor)
            connection.close()
            del self.open[descriptor], self.unread[descriptor]
            return
        answer = self.control if index < 0 else self.answer
        self.unread[descriptor], said = answer(self.unread[descriptor] + data, index, descriptor)
        if said:
            try:
                connection.sendall(said)
            except OSError:
                return  # told by the next event

    def control(self, data: bytes, index: int, descriptor: int) -> tuple[bytes, bytes]:
        said = b""
        while b"\n" in data:
            token, data = data.split(b"\n", 1)
            holder = self.open.get(self.held.pop(token, -1))
            said += b"0" if holder is None else b"1"
            if holder is not None:
                holder[0].sendall(b".")
        return data, said

    def answer(self, data: bytes, index: int, descriptor: int) -> tuple[bytes, bytes]:
        said = b""
        name = b"%d" % index
        while b"\r\n" in data:
            if data.startswith((b"get ", b"gets ")):
                line, data = data.split(b"\r\n", 1)
                for key in line.split(b" ")[1:]:
                    said += b"VALUE %s 0 %d\r\n%s\r\n" % (key, len(name), name)
                said += b"END\r\n"
                continue
            if data.startswith((b"version", b"quit")):
                line, data = data.split(b"\r\n", 1)
                said += b"VERSION 1.6.18\r\n"
                continue
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                break
            asked = {key.lower(): value for key, value in _HEADER.findall(head)}
            length = int(asked.get(b"content-length", b"0"))
            if len(rest) < length:
                break
            data = rest[length:]
            size = len(head) + 4 + length
            body = name
            if b"x-body" in asked:
                body = body.ljust(int(asked[b"x-body"]))
            start = b"HTTP/1.1 200 OK\r\nx-origin: %s\r\nx-bytes: %d\r\ncontent-length: %d\r\n\r\n"
            if b"x-hold" in asked:
                self.held[asked[b"x-hold"]] = descriptor
                said += start % (name, size, 1)
            else:
                said += start % (name, size, len(body)) + body
        return data, said


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _Server(int(sys.argv[1]), int(sys.argv[2])).serve()
    sys.exit(0)
