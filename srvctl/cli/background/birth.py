"""A process that becomes a master, from its start until its workers are ready, or it ends.

It tells in the words of sd_notify(3), so that nothing is added to a master for this. Knows no settings.
Linux tells at once that the process has ended; elsewhere it is asked now and then.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from srvctl.supervisor import provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_LONGEST_DATAGRAM: Final = 4096
#: sun_path of unix(7), without its NUL, is 107 bytes on Linux and 103 elsewhere.
_LONGEST_PATH: Final = 103
#: Seconds between two questions where the end of a process cannot be waited for.
_BETWEEN_LOOKS: Final = 0.1
#: select(2) takes no infinity.
_LONGEST_WAIT: Final = 3600.0
#: How a process is ended, and the seconds that it has each time: what was begun is answered first.
_ENDINGS: Final = ((signal.SIGTERM, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start went.

    Attributes:
        is_ready: The workers serve.
        code: The exit code of a process that has ended, negative for a signal; None for one that has not.
    """

    is_ready: bool
    code: int | None = None


class Birth:
    """Leaving the context lets go of the process, whatever it does.

    Args:
        command_line: What is run.
        environ: Its environment, to which what it needs for telling is added.
        output: Descriptor for its stdout and stderr.
    """

    def __init__(self, command_line: Sequence[str], environ: Mapping[str, str], output: int) -> None:
        self._directory = _private_directory()
        self._pidfd = -1
        self._code: int | None = None
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._notices.setblocking(False)
            path = Path(self._directory.name, "notify")
            self._notices.bind(str(path))
            self.pid = spawn(command_line, {**environ, "NOTIFY_SOCKET": str(path)}, output)
        except BaseException:
            self._let_go()
            raise
        with suppress(OSError, AttributeError):  # not Linux
            self._pidfd = os.pidfd_open(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def wait(self, until: float, progress: Callable[[str], None]) -> Outcome:
        """Wait until it is ready or has ended; otherwise return at that moment (monotonic seconds)."""
        while (left := until - time.monotonic()) > 0:
            self._wait_once(left)
            for notice in self._received():
                if "READY" in notice:
                    return Outcome(is_ready=True)
                if "STATUS" in notice and "STOPPING" not in notice:  # its end says more
                    progress(notice["STATUS"])
            if self._has_ended():
                return Outcome(is_ready=False, code=self._code)
        return Outcome(is_ready=False)

    def end(self) -> None:
        """End it, at last by force; a further Ctrl-C is in a hurry, too."""
        for number, patience in _ENDINGS:
            until = time.monotonic() + patience
            try:
                self._signal(number)
                while not self._has_ended() and time.monotonic() < until:
                    self._wait_once(until - time.monotonic())
                    self._received()
            except KeyboardInterrupt:
                continue
            if self._code is not None:
                return

    def _signal(self, number: signal.Signals) -> None:
        if self._has_ended():  # its number may be another's by now
            return
        with suppress(ProcessLookupError):
            # Its workers end with their master, but what they have started may not: it is the leader of all.
            (os.killpg if number is signal.SIGKILL else os.kill)(self.pid, number)

    def _wait_once(self, patience: float) -> None:
        watched = [self._notices.fileno(), *([self._pidfd] if self._pidfd >= 0 else [])]
        select.select(watched, [], [], min(patience, _LONGEST_WAIT if self._pidfd >= 0 else _BETWEEN_LOOKS))

    def _received(self) -> list[dict[str, str]]:
        """Return the assignments of each notification that has come."""
        notices: list[dict[str, str]] = []
        with suppress(BlockingIOError):
            while True:
                lines = self._notices.recv(_LONGEST_DATAGRAM).decode("utf-8", "replace").split("\n")
                parts = [line.partition("=") for line in lines]
                notices.append({word: text for word, _, text in parts})
        return notices

    def _has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def _let_go(self) -> None:
        self._notices.close()
        self._directory.cleanup()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def spawn(command_line: Sequence[str], environ: Mapping[str, str], output: int) -> int:
    """Start a master in a session of its own, and return its pid.

    Its stdin is empty. Descriptors that may be inherited are: ``--fd`` means one of them.

    Raises:
        OSError: It cannot be started.
    """
    return os.posix_spawn(
        command_line[0],
        list(command_line),
        {**environ, provenance.VARIABLE: provenance.START},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
    )


def _private_directory() -> tempfile.TemporaryDirectory[str]:
    """Return a directory of ours alone, whose path leaves room for a socket's name."""
    found = tempfile.TemporaryDirectory(prefix="srvctl-")
    if len(os.fsencode(found.name)) + len("/notify") <= _LONGEST_PATH:
        return found
    found.cleanup()
    return tempfile.TemporaryDirectory(prefix="srvctl-", dir="/tmp")
