"""A real redis-server that a test can stop and start again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests.support.ports import reserve_port
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PROGRAM = shutil.which("redis-server", path="/usr/bin:/usr/local/bin:/bin")


class RedisServer:
    """Runs on a port of its own, and on a Unix socket; keeps nothing.

    Args:
        folder: Its directory.
        flags: Further arguments.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self._held = ExitStack()
        self.port = reserve_port(self._held)
        self.path = folder / "r.sock"
        self._folder = folder
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert PROGRAM is not None
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.path)]
        self._process = subprocess.Popen(
            [PROGRAM, *where, "--save", "", "--appendonly", "no", "--dir", str(self._folder), *self._flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise NeverHappened("redis-server does not listen")
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._held.close()
