"""Waiting for events, never for time: a line of a log, a process that ends, a client that connects.

Every wait has a deadline, which only a failure reaches; slow machines stretch all of them at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: Stretches every deadline; for machines that are busy, emulated or instrumented.
FACTOR = float(os.environ.get("SRVCTL_TEST_TIME_FACTOR", "1"))
PATIENCE = 20.0 * FACTOR  #: seconds until an event that must come counts as missing


class NeverHappened(AssertionError):  # noqa: N818 - reads as the failure it is
    """An event that was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was written, and when (monotonic seconds) it was read."""

    text: str
    at: float


class Lines:
    """What a process writes to one stream, read by a thread until the last writer closed it."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self._stream = stream
        self._lines: list[Line] = []
        self._changed = threading.Condition()
        self._has_ended = False
        self._thread = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for raw in self._stream:
            line = Line(raw.decode("utf-8", "replace").rstrip("\n"), time.monotonic())
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    @property
    def all(self) -> list[Line]:
        """What was written so far."""
        with self._changed:
            return list(self._lines)

    @property
    def text(self) -> str:
        """What was written so far, as one string."""
        return "".join(f"{line.text}\n" for line in self.all)

    def matches(self, pattern: str, since: int = 0) -> list[tuple[Line, re.Match[str]]]:
        """Return the lines in which the pattern is found, from line number ``since`` on."""
        found = [(line, re.search(pattern, line.text)) for line in self.all[since:]]
        return [(line, match) for line, match in found if match is not None]

    def wait(
        self, pattern: str, *, count: int = 1, since: int = 0, patience: float = PATIENCE
    ) -> tuple[Line, re.Match[str]]:
        """Wait for the ``count``-th line in which the pattern is found, and return it."""
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                found = self.matches(pattern, since)
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if self._has_ended or left <= 0:
                    how = "closed" if self._has_ended else f"silent for {patience:g} s"
                    raise NeverHappened(
                        f"{self.name}: {len(found)} of {count} lines match {pattern!r}, and it is {how}"
                    )
                self._changed.wait(left)

    def wait_end(self) -> None:
        """Wait until every process that could write has closed the stream."""
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise NeverHappened(f"somebody still holds {self.name} open")
        self._stream.close()


def wait_gone(pid: int, patience: float = PATIENCE) -> None:
    """Wait until a process has ended; a zombie has."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if not ended.poll(patience * 1000):
            raise NeverHappened(f"process {pid} did not end within {patience:g} s")
    finally:
        os.close(pidfd)


class Gate:
    """Where an application waits until the test lets it go on, so that neither has to guess the time.

    The application connects to ``port`` and thereby says that it has come so far.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self._visitors: list[Visitor] = []

    def wait_visitor(self) -> Visitor:
        """Wait until somebody connects."""
        try:
            sock, _ = self._listener.accept()
        except TimeoutError:
            raise NeverHappened("nobody came to the gate") from None
        visitor = Visitor(sock)
        self._visitors.append(visitor)
        return visitor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for visitor in self._visitors:
            visitor.close()
        self._listener.close()


class Visitor:
    """The application's connection to a gate."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        sock.settimeout(PATIENCE)

    def wait_word(self) -> str:
        """Wait for the next line the application says; empty once it has hung up."""
        return self._file.readline().decode().strip()

    def words_until_silent(self, silence: float) -> Iterator[str]:
        """Yield lines until none comes for so many seconds: the application cannot go on."""
        self._sock.settimeout(silence)
        with contextlib.suppress(TimeoutError):
            while word := self._file.readline():
                yield word.decode().strip()

    def wait_end(self) -> None:
        """Wait until the application has hung up."""
        self._sock.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            while self._sock.recv(65536):
                pass

    def let_pass(self) -> None:
        """Let the application go on."""
        self._sock.sendall(b"\n")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._sock.close()
