"""Other people's proxies in front of the server under test, from the sample files in ``configs``."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import TYPE_CHECKING, Final, Self

import pytest

from tests.support.client import Connection
from tests.support.server_waits import PATIENCE, Lines, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


CONFIGS: Final = Path(__file__).parents[2] / "configs"


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@dataclass(frozen=True, slots=True)
class Reloading:
    """How a proxy reads its configuration again.

    Attributes:
        done: The line of its log that says that it has.
        signal: What its service manager would send; None for the command.
        command: What its service manager would run.
        serves: The line that says that it serves at first; empty where its socket is open before it runs.
    """

    done: str
    signal: Signals | None = None
    command: tuple[str, ...] = ()
    serves: str = ""


class FrontProxy:
    """A proxy that runs in the foreground, in a process group of its own, on a port of 127.0.0.1.

    Attributes:
        port: Where it listens.
        listener: The socket for a program that takes one; for others it only holds the port.
        log: What it says, on stderr.
    """

    def __init__(self, *, shares_port: bool = False) -> None:
        """Take a port, so that none is guessed.

        Args:
            shares_port: The program opens its own socket with SO_REUSEPORT; ours is bound, and never listens.
        """
        self.listener = socket.socket()
        try:
            if shares_port:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.listener.bind(("127.0.0.1", 0))
            if not shares_port:
                self.listener.listen(128)
        except BaseException:
            self.listener.close()
            raise
        self.port: int = self.listener.getsockname()[1]

    def start(self, command: list[str], env: Mapping[str, str], reloading: Reloading) -> Self:
        """Run it.

        Args:
            command: The program and its arguments.
            env: Further environment variables.
            reloading: How it reads its configuration again.
        """
        self._reloading = reloading
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,
                pass_fds=[self.listener.fileno()],
            )
        except BaseException:
            self.listener.close()
            raise
        assert self._process.stderr is not None
        self.log = Lines(self._process.stderr, "log of the proxy")
        return self

    def __enter__(self) -> Self:
        if self._reloading.serves:
            try:
                self.log.wait(self._reloading.serves)
            except BaseException:
                self.__exit__(*sys.exc_info())
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listener.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, SIGKILL)
            self._process.wait()
        self.log.wait_end()
        if kind is not None:
            print("--- the proxy's log:")
            print(self.log.text[-4000:])

    def reload(self) -> None:
        """Have it read its configuration again, as its service manager would; wait until it has.

        It is asked again until it has: HAProxy's master does not hear a signal that comes just after it has
        said that it is loaded.
        """
        since = len(self.log.all)
        deadline = time.monotonic() + PATIENCE
        while True:
            self._ask_to_reload()
            try:
                self.log.wait(self._reloading.done, since=since, patience=PATIENCE / 8)
            except NeverHappened:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            else:
                return

    def _ask_to_reload(self) -> None:
        how = self._reloading
        if how.signal is not None:
            os.kill(self._process.pid, how.signal)
        else:
            subprocess.run(how.command, check=True, capture_output=True, timeout=PATIENCE)

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(("127.0.0.1", self.port))

    def wait_status(self, status: int) -> None:
        """Wait until a request is answered with this status, for example once its checks have passed."""
        deadline, last = time.monotonic() + PATIENCE, 0
        while last != status:
            if time.monotonic() > deadline:
                raise NeverHappened(f"the proxy answers {last}, not {status}")
            with self.connect() as client:
                last = client.get("/").status
            time.sleep(0.02)


def substituted(name: str, replacements: Mapping[str, str]) -> str:
    """Return a sample file with other addresses; what is to be replaced must be in it."""
    text = (CONFIGS / name).read_text("utf-8")
    for old, new in replacements.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text
