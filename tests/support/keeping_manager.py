"""What a service manager does for a service: it is told things, keeps sockets and passes them on.

As systemd does: what is stored again is kept once, a name is removed with all that has it, what there is no
room for is dropped, and a process finds what was kept from descriptor 3 on, behind the sockets of .socket
units.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.support.server_waits import PATIENCE, NeverHappened
from tests.support.supervised import Supervised

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_MOST: Final = 64 * 1024
_FAR: Final = 200  #: above the descriptors that a service is passed
#: Becomes a service: puts descriptors from 3 on, and says whose they are.
_STARTER: Final = f"""
import os, sys
count = int(sys.argv[1])
for number in range(count):
    os.dup2({_FAR} + number, 3 + number)
os.closerange(3 + count, {_FAR} + count)
os.environ["SYSTEMD_EXEC_PID"] = str(os.getpid())
if count:
    os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceManager:
    """Such a one.

    Args:
        room: How many sockets it keeps, which it says beforehand; None to keep any number and say nothing, as
            systemd before 254.
    """

    def __init__(self, room: int | None = 8) -> None:
        self._room = room
        self._directory = tempfile.TemporaryDirectory(prefix="srvctl-m-", dir="/tmp")
        self.address = str(Path(self._directory.name, "notify"))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.stored: list[tuple[str, socket.socket]] = []
        self.said: list[str] = []  #: every datagram

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self.socket.close()
        self._directory.cleanup()

    @property
    def names(self) -> list[str]:
        """The names of what it keeps, sorted."""
        return sorted(name for name, _ in self.stored)

    def release(self) -> None:
        """Keep nothing any more, as for a service that was stopped."""
        for _, sock in self.stored:
            sock.close()
        self.stored.clear()

    def listen(self) -> None:
        """Take in what was said so far."""
        while select.select([self.socket], [], [], 0)[0]:
            data, fds, _, _ = socket.recv_fds(self.socket, _MOST, 16)
            for fd in fds:
                os.set_inheritable(fd, False)
            self._obey(data.decode(), fds)

    def wait_names(self, *patterns: str) -> list[str]:
        """Wait until it keeps exactly such sockets, one of each; return their names, sorted."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.listen()
            names = self.names
            if len(names) == len(patterns) and all(
                sum(re.search(pattern, name) is not None for name in names) == 1 for pattern in patterns
            ):
                return names
            if not select.select([self.socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise NeverHappened(f"it keeps {names}, not {patterns}; it was told {self.said}")

    def _obey(self, text: str, fds: list[int]) -> None:
        self.said.append(text)
        fields = dict(line.partition("=")[::2] for line in text.splitlines())
        name = fields.get("FDNAME", "stored")
        if "FDSTOREREMOVE" in fields:
            for kept in [kept for kept in self.stored if kept[0] == name]:
                self.stored.remove(kept)
                kept[1].close()
        for fd in fds:
            sock = socket.socket(fileno=fd)
            known = {os.fstat(kept.fileno()).st_ino for _, kept in self.stored}
            is_full = self._room is not None and len(self.stored) >= self._room
            if "FDSTORE" not in fields or is_full or os.fstat(fd).st_ino in known:
                sock.close()
            else:
                self.stored.append((name, sock))

    def run(
        self,
        *argv: str,
        units: Mapping[str, socket.socket] | None = None,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Service:
        """Return the service, to be started.

        Args:
            argv: The target and the flags.
            units: Sockets of .socket units, by their names.
            env: Further variables.
            options: As for `Supervised`.
        """
        passed = [*(units or {}).items(), *self.stored]
        variables = {"NOTIFY_SOCKET": self.address, **(env or {})}
        if passed:
            variables["LISTEN_FDS"] = str(len(passed))
            variables["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
        if self._room is not None:
            variables["FDSTORE"] = str(self._room)
        return Service([sock for _, sock in passed], *argv, env=variables, bind=None, **options)


class Service(Supervised):
    """A server that was started by such a service manager. What it may leave, tests look at themselves."""

    def __init__(self, passed: list[socket.socket], *argv: str, **options: Any) -> None:
        self._passed = passed
        numbers = tuple(range(_FAR, _FAR + len(passed)))
        prefix = (sys.executable, "-SEc", _STARTER, str(len(passed)))
        super().__init__(*argv, prefix=prefix, pass_fds=numbers, **options)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as copies:
            for number, sock in enumerate(self._passed, _FAR):
                os.dup2(sock.fileno(), number, inheritable=False)
                copies.callback(os.close, number)
            return super().__enter__()

    def wait_ready(self) -> None:
        """Wait until it serves, and learn where; a socket file may outlive it."""
        super().wait_ready()
        self._socket_file = None


def wait_word(manager: socket.socket, word: bytes) -> None:
    """Wait until a service manager is told something with this word, at a socket that has a timeout."""
    while word not in manager.recv(_MOST):
        pass
