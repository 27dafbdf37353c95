"""Starting servers as real processes, and stopping them without leaving one behind.

Each server leads a session of its own, so that Ctrl-C reaches the benchmark alone and the benchmark stops
the servers. Their output goes to an unnamed file that is read when one fails.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.errors import NotStartedError, ServerGoneError
from benchmarks.usage import tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Applications are imported by their path from here.
ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0
STOP_SECONDS = 10.0
_RETRY_SECONDS = 0.05
#: Variables that would change a server's settings behind the command line's back.
_SETTINGS = ("SRVCTL_", "UVICORN_", "GRANIAN_", "GUNICORN_", "HYPERCORN_", "WEB_CONCURRENCY")


class ServerProcess:
    """A started server and all its children, until `stop`."""

    def __init__(self, command: list[str], port: int, variables: Mapping[str, str] | None = None) -> None:
        """Start it, with these environment variables besides our own."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
        environment |= variables or {}
        self.port = port
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.root = psutil.Process(self._process.pid)

    def __repr__(self) -> str:
        return f"<ServerProcess pid={self.root.pid} port={self.port} exit={self._process.poll()}>"

    def wait_until_listening(self, seconds: float = START_SECONDS) -> None:
        """Wait until the port accepts a connection.

        Raises:
            NotStartedError: The server exited, or does not listen after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not _accepts(self.port):
            if self._process.poll() is not None:
                raise NotStartedError(self.exit_reason())
            if time.monotonic() > deadline:
                raise NotStartedError(f"It does not listen after {seconds:g} s. {self._last_line()}".strip())
            time.sleep(_RETRY_SECONDS)

    def exit_reason(self) -> str:
        """Return one line on why the server is gone, or an empty one while it runs."""
        code = self._process.poll()
        return "" if code is None else f"It exited with code {code}. {self._last_line()}".strip()

    def raise_if_gone(self) -> None:
        """Raise `ServerGoneError` when the server has exited."""
        reason = self.exit_reason()
        if reason:
            raise ServerGoneError(reason)

    def freeze(self) -> None:
        """Let it take no CPU until it is thawed."""
        with suppress(ProcessLookupError):
            os.killpg(self.root.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        with suppress(ProcessLookupError):
            os.killpg(self.root.pid, signal.SIGCONT)

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Stop the server and what it started: SIGTERM to its root, SIGKILL to what is left later.

        Returns:
            Whether SIGTERM was enough. A second call does nothing.
        """
        if self._output.closed:
            return True
        members = tree(self.root)
        self.thaw()
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        graceful = self._process.poll() is not None
        with suppress(ProcessLookupError):
            os.killpg(self.root.pid, signal.SIGKILL)
        for member in members:  # those that left the process group; psutil spares a reused pid
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self._process.wait()
        self._output.close()
        return graceful

    def output(self) -> str:
        """Return all that the server has printed so far; not to be asked for after `stop`."""
        size = os.fstat(self._output.fileno()).st_size
        # Not seek() and read(): the server writes at the same file offset.
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def _last_line(self) -> str:
        lines = self.output().split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "It printed nothing.")


def raise_file_limit() -> None:
    """Have this process, and what it starts, open as many files as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Have what is started meanwhile run on one CPU; on any when it is None."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if cpu is None else {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM meanwhile, so that an impatient second one leaves no server behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
