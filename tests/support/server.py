"""A real srvctl, started from its command line in a process group of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from signal import SIGKILL, SIGQUIT, SIGTERM, Signals
from typing import TYPE_CHECKING, ClassVar, Final, Self

import psutil

from srvctl.ipc.naming import MOLD, WORKER
from tests.support.client import Connection
from tests.support.private import PrivateDirectories
from tests.support.server_waits import PATIENCE, Line, Lines, NeverHappened, wait_gone

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import TracebackType

    from tests.support.client import Response
    from tests.support.server_waits import Gate, Visitor

BASIC: Final = "tests.support.apps.basic:app"
_ROOT: Final = Path(__file__).parents[2]
_MOST_VISITORS: Final = 200  #: connections of a test that stay open while it looks for workers
_BOLD: Final = r"(?:\x1b\[\dm)?"  #: and its end, where the log is coloured
_RUNNING: Final = (
    rf"Srvctl running on {_BOLD}(?:(https?://\S+:(\d+))|unix socket (\S+?)){_BOLD} \(Press CTRL\+C to quit\)"
)
#: What the caller's shell may have set, and what would then decide instead of the test.
_SETTINGS: Final = (
    "SRVCTL_",
    "UVICORN_",
    "PYTHONUNBUFFERED",  # it would hide what a buffered stream does when its reader is gone
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "NOTIFY_SOCKET",
    "LISTEN_",
)


class ServerProcess:
    """Runs ``srvctl run TARGET``; leaving the context ends it and asserts that nothing of it is left.

    Args:
        target: The application.
        flags: Further flags.
        bind: Where it listens; None leaves the flag out.
        cwd: Its working directory, which is also where it imports from.
        env: Further environment variables.
        pass_fds: Descriptors it inherits.
        log: Where its stderr goes instead; then no line of it can be waited for.
        is_ready: Wait until it serves; False where it never will.
    """

    running: ClassVar[set[ServerProcess]] = set()  #: for the report of a failure

    def __init__(
        self,
        target: str = BASIC,
        *flags: str,
        bind: str | None = "127.0.0.1:0",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Collection[int] = (),
        log: int = subprocess.PIPE,
        is_ready: bool = True,
    ) -> None:
        where = ["--bind", bind] if bind is not None else []
        self._command = [sys.executable, "-m", "srvctl", "run", target, *where, *flags]
        self._cwd = cwd or _ROOT
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        # Without this, a file rewritten within a second and of the same size would be taken from the cache.
        # A test for which it matters how long new code is watched says so with a flag.
        self._env |= {"PYTHONDONTWRITEBYTECODE": "1", "SRVCTL_RELOAD__BAKE": "0.1"}
        self._given_env = env or {}
        self._pass_fds = pass_fds
        self._log = log
        self._waits_until_ready = is_ready
        self.url = ""
        self.port = 0
        self.path = ""  #: of its Unix socket
        self._socket_file: os.stat_result | None = None

    # -- its life --------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.running.add(self)
        self._directories = PrivateDirectories()
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env={**self._env, **self._directories.environ, **self._given_env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            process_group=0,
            pass_fds=self._pass_fds,
        )
        assert self._process.stdout is not None
        self.stdout = Lines(self._process.stdout, "stdout")
        self.stderr = Lines(self._process.stderr or io.BytesIO(), "stderr")
        if self._waits_until_ready:
            try:
                self.wait_ready()
            except BaseException:
                self.__exit__(*sys.exc_info())
                raise
        return self

    def wait_ready(self) -> None:
        """Wait until it serves, and learn where."""
        match = self.wait_line(_RUNNING)
        self.url, self.port, self.path = match[1] or "", int(match[2] or 0), match[3] or ""
        if self.path and "--fd" not in self._command:  # an inherited one is not the server's to remove
            self._socket_file = os.lstat(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running.discard(self)
        has_exited = self._process.poll() is not None
        try:
            if not has_exited:
                self.signal(SIGQUIT)
                with contextlib.suppress(NeverHappened):
                    self.wait_exit()
        finally:
            left = self._end_group()
            self._process.wait()
            self.stdout.wait_end()
            self.stderr.wait_end()
            files = self._directories.remove()
        if kind is not None or left:
            self._print()
        if kind is None:
            assert not left, f"left behind: {left}"
            if self._process.returncode >= 0:  # it could not tidy up if it was killed
                assert not files, f"left behind: {files}"
                assert not self._has_left_socket_file()

    def _end_group(self) -> list[str]:
        """Kill what is left of the process group, and return its command lines."""
        if (self._process.poll() or 0) < 0:  # its workers die with it, a moment later
            for process in _members(self.pid):
                with contextlib.suppress(NeverHappened):
                    wait_gone(process.pid)
        left = [(process.pid, " ".join(process.cmdline())) for process in _members(self.pid)]
        if left:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, SIGKILL)
            for pid, _ in left:
                wait_gone(pid)
        return [f"[{pid}] {line}" for pid, line in left]

    def _has_left_socket_file(self) -> bool:
        try:
            return self._socket_file is not None and os.path.samestat(self._socket_file, os.lstat(self.path))
        except FileNotFoundError:
            return False

    def _print(self) -> None:
        """Show what it wrote; pytest prints this below the failure."""
        print(f"--- exit code of srvctl: {self._process.poll()}; its stderr:")
        print(self.stderr.text)
        if self.stdout.text:
            print("--- its stdout, the end:")
            print(self.stdout.text[-2000:])

    # -- what it does ----------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The master, and its process group."""
        return self._process.pid

    def wait_line(self, pattern: str, *, count: int = 1, since: int = 0) -> re.Match[str]:
        """Wait for the ``count``-th such line of the log."""
        return self.stderr.wait(pattern, count=count, since=since)[1]

    def wait_death(
        self, pid: int | None = None, cause: str = "exit code 0", *, count: int = 1, since: int = 0
    ) -> re.Match[str]:
        """Wait for the line that tells of a worker's death, or for the ``count``-th such line of any."""
        whom = r"\d+" if pid is None else pid
        pattern = rf'event=worker_died worker=\d+ pid=({whom}) .* cause="{cause}" '
        return self.wait_line(pattern, count=count, since=since)

    def lines(self, pattern: str) -> list[Line]:
        """Return such lines of the log so far."""
        return [line for line, _ in self.stderr.matches(pattern)]

    def mark(self) -> int:
        """Return how many lines the log has, to wait for later ones only."""
        return len(self.stderr.all)

    def wait_exit(self, patience: float = PATIENCE) -> int:
        """Wait until the master has ended and its log is complete; return the exit code."""
        if self._process.poll() is None:
            wait_gone(self.pid, patience)
        code = self._process.wait()
        self.stdout.wait_end()
        self.stderr.wait_end()
        return code

    def workers(self) -> list[int]:
        """Return the pids of the workers that live, oldest first."""
        return self._children(WORKER)

    def molds(self) -> list[int]:
        """Return the pids of the processes that workers are forked from, oldest first."""
        return self._children(MOLD)

    def _children(self, name: str) -> list[int]:
        try:
            children = psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []
        return [child.pid for child in children if _is_alive(child) and _name_of(child) == name]

    # -- what is done to it ----------------------------------------------------------------------------

    def signal(self, number: Signals) -> None:
        """Send a signal to the master."""
        os.kill(self.pid, number)

    def signal_after(self, moment: float, number: Signals) -> None:
        """Send a signal once this moment (monotonic seconds) has passed, for what must not come too early."""
        threading.Event().wait(max(0.0, moment - time.monotonic()))
        self.signal(number)

    def signal_group(self, number: Signals) -> None:
        """Send a signal to master and workers, as a terminal does."""
        os.killpg(self.pid, number)

    def stop(self) -> int:
        """Ask it to stop and return the exit code."""
        self.signal(SIGTERM)
        return self.wait_exit()

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.path or ("127.0.0.1", self.port))

    @contextlib.contextmanager
    def hold_on(self, pid: int, gate: Gate) -> Iterator[tuple[Connection, Visitor]]:
        """Have a request wait at the gate in this very worker."""
        with contextlib.ExitStack() as stack:
            while True:
                client = stack.enter_context(self.connect())
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                if int(visitor.wait_word()) == pid:
                    break
                visitor.let_pass()
                client.read_response()
            yield client, visitor

    def get(self, target: str = "/") -> Response:
        """Send one request on a connection of its own."""
        with self.connect() as connection:
            return connection.get(target)

    def wait_answer(self, is_wanted: Callable[[Response], bool], target: str = "/") -> Response:
        """Send requests, each on a new connection, until an answer is as wanted; return it."""
        deadline = time.monotonic() + PATIENCE
        with self._visitors() as visit:
            while not is_wanted(answer := visit(target)):
                if time.monotonic() > deadline:
                    raise NeverHappened(f"no such answer; the last one was {answer}")
        return answer

    @contextlib.contextmanager
    def _visitors(self) -> Iterator[Callable[[str], Response]]:
        """Ask over new connections that stay open, so that their number reaches every worker.

        Of connections that end at once, none comes to a worker that has more than its siblings.
        """
        with contextlib.ExitStack() as held:
            count = 0

            def visit(target: str) -> Response:
                nonlocal count
                count += 1
                if count % _MOST_VISITORS == 0:
                    held.pop_all().close()
                return held.enter_context(self.connect()).get(target)

            yield visit

    def wait_workers(self, count: int, text: str | None = None) -> list[int]:
        """Send requests until exactly so many workers live and each has answered (with this body).

        Returns:
            Their pids, oldest first.
        """
        workers: list[int] = []
        silent: set[int] = set()
        deadline = time.monotonic() + PATIENCE
        with self._visitors() as visit:
            while silent or len(workers) != count:
                if time.monotonic() > deadline:
                    raise NeverHappened(
                        f"workers are {self.workers()}, of {workers} did not answer: {silent}"
                    )
                alive = self.workers()
                if alive != workers:
                    workers, silent = alive, set(alive)
                answer = visit("/")
                if text in {None, answer.text}:
                    silent.discard(answer.pid)
        return workers


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        status: str = process.status()
        return status != psutil.STATUS_ZOMBIE
    return False


def _name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        name: str = process.name()
        return name
    return ""


def _members(group: int) -> list[psutil.Process]:
    """Return the processes of a group that live."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and _is_alive(process):
                found.append(process)
    return found
