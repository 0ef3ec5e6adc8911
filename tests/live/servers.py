"""Real programs as children: each in its own process group and folder, on loopback, ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
_given: set[int] = set()  # ports given out by this process: none is given twice
_LISTENING = range(10000, 30000)  # below those that the system gives to connections, which could take one meanwhile


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    while True:
        port = secrets.choice(_LISTENING)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that programs which change their user can read too."""
    path = Path(tempfile.mkdtemp(prefix="lbalgo-live-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Failed(Exception):
    """A program that did not start, with the end of what it said."""


@contextlib.contextmanager
def daemon(
    command: Sequence[str | Path], ports: Sequence[int], log: Path, *, patience: float = 20.0, kill: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program in the foreground until the block ends; entered once it listens on all `ports`.

    Parameters
    ----------
    patience : seconds until it must listen.
    kill : end it without asking first, where asking takes long.
    """
    program = shutil.which(str(command[0]), path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Failed(f"{command[0]} is not installed: .ci/live installs it")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, *map(str, command[1:])],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
        )
    try:
        for port in ports:
            listens(process, port, log, patience)
        yield process
    finally:
        end(process, kill)


def listens(process: subprocess.Popen[bytes], port: int, log: Path, patience: float = 20.0) -> None:
    """Returns once the process listens on the port; `patience` in seconds."""
    until = time.monotonic() + patience
    while True:
        if process.poll() is not None:
            raise Failed(f"{process.args!r} ended with {process.returncode}: {tail(log)}")
        try:
            socket.create_connection((LOOPBACK, port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise Failed(f"{process.args!r} does not listen on {port}: {tail(log)}") from None
            time.sleep(0.01)


def tail(log: Path) -> str:
    """The last lines of a log."""
    return log.read_text(errors="replace")[-2000:]


def end(process: subprocess.Popen[bytes], kill: bool) -> None:
    """Ends a process and all that it started in its group."""
    for what, wait in ((signal.SIGTERM, 1.5), (signal.SIGKILL, 5.0))[kill:]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, what)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers whose parent went first
