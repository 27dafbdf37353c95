"""Plays the service manager of sd_notify(3): a datagram socket, and what came there."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from types import TracebackType

_LONGEST = 4096
_END = b"the end of the test"


@dataclass(frozen=True, slots=True)
class Notice:
    """One datagram.

    Attributes:
        at: When it came, in monotonic seconds.
        fields: Its assignments.
    """

    at: float
    fields: dict[str, str]


class ServiceManager:
    """Leaving the context closes the socket and removes its file.

    Args:
        watchdog: Seconds that it gives a service to say that all is well; 0 for any time.
    """

    def __init__(self, watchdog: float = 0.0) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="srvctl-", dir="/tmp"))
        self._path = str(self._folder / "notify")
        self._watchdog = watchdog
        self._notices: list[Notice] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        self._thread = threading.Thread(target=self._read, name="service manager")

    @property
    def env(self) -> dict[str, str]:
        """What a service is started with."""
        watchdog = {"WATCHDOG_USEC": str(int(self._watchdog * 1_000_000))} if self._watchdog else {}
        return {"NOTIFY_SOCKET": self._path, **watchdog}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for notice in self.all:
                print(f"notice {notice.at:.3f} {notice.fields}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(_END, self._path)
        self._thread.join()
        self._socket.close()
        shutil.rmtree(self._folder)

    def _read(self) -> None:
        while (data := self._socket.recv(_LONGEST)) != _END:
            parts = (line.partition("=") for line in data.decode().split("\n"))
            notice = Notice(time.monotonic(), {name: value for name, _, value in parts})
            with self._changed:
                self._notices.append(notice)
                self._changed.notify_all()

    @property
    def all(self) -> list[Notice]:
        """What has come."""
        with self._changed:
            return list(self._notices)

    def mark(self) -> int:
        """Return how many have come, for `since`."""
        return len(self.all)

    def wait(self, name: str, text: str = "", *, count: int = 1, since: int = 0) -> Notice:
        """Wait for the ``count``-th datagram with this field, and this text somewhere in its value."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                named = [one for one in self._notices[since:] if name in one.fields]
                found = [one for one in named if text in one.fields[name]]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NeverHappened(f"{len(found)} of {count} notices have {name}={text}")
                self._changed.wait(left)

    def times(self, name: str, since: int = 0) -> list[float]:
        """Return when each datagram with this field came."""
        return [notice.at for notice in self.all[since:] if name in notice.fields]
