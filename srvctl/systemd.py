"""What a service tells systemd: the datagrams of sd_notify(3).

Owns the words of the protocol; `asked_of_service` reads where they go. Knows nothing of workers or settings
and never raises because systemd does not listen: a service manager that went deaf must not stop a server.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from array import array
from typing import TYPE_CHECKING, Final

from srvctl.asked_of_service import asked_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

#: systemd drops a datagram longer than PIPE_BUF, 4096 bytes; a status line is cut well below.
_LONGEST_STATUS: Final = 2048
#: Seconds until what systemd had no room for is sent again, and how much of that is remembered.
_RETRY_AFTER: Final = 0.1
_MOST_LATE: Final = 16
_FULL: Final = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
#: What connect(2) and send(2) mean by it, of the socket that NOTIFY_SOCKET names.
_HINTS: Final = {
    errno.ENOENT: ", so NOTIFY_SOCKET names nothing",
    errno.ECONNREFUSED: ", so NOTIFY_SOCKET names no socket, or one that nobody reads",
    errno.EACCES: ", so this user may not write to what NOTIFY_SOCKET names",
    errno.EPROTOTYPE: ", so NOTIFY_SOCKET names a socket that takes no datagrams",
}


class Notifier:
    """Tells systemd how the service is; does nothing when nobody asked to be told.

    Each notification returns False when it was lost. Where systemd's queue is full, what it must not miss is
    sent again a moment later: the notifier is a clock of the poller.

    Args:
        address: Where to; empty makes every method a no-op.
        watchdog: Seconds after which the service is taken for dead unless it is fed; 0 for never.
        until_ready: Whoever asked goes away once the service is ready, as ``srvctl start`` does.
        introduces: Name this process in the first notification.
        mistakes: Sentences for `take_error`, to begin with.
    """

    __slots__ = (
        "_address",
        "_errors",
        "_has_failed",
        "_introduction",
        "_late",
        "_retry_at",
        "_socket",
        "_until_ready",
        "watchdog",
    )

    def __init__(
        self,
        address: bytes,
        watchdog: float = 0.0,
        *,
        until_ready: bool = False,
        introduces: bool = False,
        mistakes: Sequence[str] = (),
    ) -> None:
        self.watchdog = watchdog
        self._address = address
        self._errors = list(mistakes)
        self._has_failed = False
        self._introduction = (f"MAINPID={os.getpid()}",) if introduces else ()
        self._late: list[bytes] = []  #: what systemd had no room for, oldest first
        self._retry_at: float | None = None
        self._until_ready = until_ready
        self._socket: socket.socket | None = None
        if address:
            try:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            except OSError as error:  # no descriptor left; the server has worse problems than this one
                self._fail(f"Cannot notify systemd: {error.strerror}.")

    @classmethod
    def from_environ(
        cls, environ: MutableMapping[str, str], pid: int | None = None, *, until_ready: bool = False
    ) -> Notifier:
        """Return the notifier that the environment asks for, and remove what only the master may answer.

        Args:
            environ: The environment to read and to clean.
            pid: The process that is asked; by default this one.
            until_ready: As for a notifier; then there is no watchdog either.
        """
        asked = asked_of(environ, os.getpid() if pid is None else pid)
        if until_ready:
            return cls(asked.address, until_ready=True)
        return cls(asked.address, asked.watchdog, mistakes=asked.mistakes)

    @classmethod
    def inherit(cls, address: bytes, watchdog: float) -> Notifier:
        """Return the notifier of a program that goes on as another one, in the same process."""
        return cls(address, watchdog, introduces=True)

    @property
    def address(self) -> bytes:
        """Where it sends to, for a notifier that goes on as this one; empty for nowhere."""
        return self._address

    @property
    def enabled(self) -> bool:
        """Whether there is an address to send to."""
        return bool(self._address)

    @property
    def is_kept_posted(self) -> bool:
        """Whether somebody wants to hear of the service as long as it lives."""
        return self.enabled and not self._until_ready

    def ready(self, status: str, *, feeds: bool = False) -> bool:
        """Say that startup, or the reload announced before, is finished.

        Args:
            status: The line that ``systemctl status`` shows.
            feeds: Feed the watchdog in the same datagram: from READY on systemd counts.
        """
        food = ("WATCHDOG=1",) if feeds and self.watchdog else ()
        was_sent = self._send("READY=1", _status(status), *food, is_vital=True)
        if was_sent and self._until_ready and not self._late:
            self.close()
        return was_sent

    def reloading(self, monotonic_usec: int) -> bool:
        """Say that a reload began, at this time of CLOCK_MONOTONIC; `ready` ends it.

        Both fields go in one datagram, as Type=notify-reload demands.
        """
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}", is_vital=True)

    def stopping(self, status: str) -> bool:
        """Say that the service is shutting down."""
        return self._send("STOPPING=1", _status(status), is_vital=True)

    def failed(self, status: str, error: int = 0) -> bool:
        """Say why the service ends without having been ready.

        Args:
            status: Why.
            error: The errno(3) of it; 0 where there is none.
        """
        return self._send(_status(status), *([f"ERRNO={error}"] if error else []))

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows."""
        return self._until_ready or self._send(_status(text))

    def feed(self) -> bool:
        """Say that all is well, for WatchdogSec=."""
        return self._send("WATCHDOG=1", is_vital=True)

    def extend(self, seconds: float) -> bool:
        """Ask for so many seconds from now, to start, to reload or to stop; the watchdog waits as long."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", is_vital=True)

    def store(self, name: str, fd: int) -> bool:
        """Have a descriptor kept for this service, and passed to it under this name when it starts again."""
        return self._send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", fds=[fd])

    def forget(self, name: str) -> bool:
        """Have the descriptors of this name not kept any more."""
        return self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def take_error(self) -> str:
        """Return what is wrong: a mistake in the environment, why a notification was lost; "" for no more.

        Of lost notifications only the first is told.
        """
        return self._errors.pop(0) if self._errors else ""

    def close(self) -> None:
        """Close the socket; later notifications go nowhere. A forked child calls this."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._address = b""
        self._late.clear()
        self._retry_at = None

    def __repr__(self) -> str:
        return f"Notifier({self._address!r}, watchdog={self.watchdog:g}, errors={self._errors!r})"

    # -- what systemd had no room for ------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when to try again, in monotonic seconds; None where nothing waits."""
        return self._retry_at

    def expire(self, now: float) -> None:
        """Try again, if it is time."""
        if self._retry_at is not None and self._retry_at <= now:
            self._catch_up()

    def _catch_up(self) -> None:
        self._retry_at = None
        while self._late:
            error = self._transmit(self._late[0])
            if isinstance(error, BlockingIOError):
                self._retry_at = time.monotonic() + _RETRY_AFTER
                return
            del self._late[0]
            if error is not None:
                self._lose(error)

    # -- sending -------------------------------------------------------------------------------------------

    def _send(self, *assignments: str, fds: Sequence[int] = (), is_vital: bool = False) -> bool:
        """Send one datagram without waiting; return False when it was lost."""
        if self._socket is None:
            return not self._address
        data = "\n".join((*self._introduction, *assignments)).encode(errors="replace")
        self._catch_up()  # in their order
        error = _FULL if self._late else self._transmit(data, fds)
        # sd_notify(3) would wait for room, and the master must not.
        if isinstance(error, BlockingIOError) and is_vital and len(self._late) < _MOST_LATE:
            self._late.append(data)
            self._retry_at = self._retry_at or time.monotonic() + _RETRY_AFTER
        elif error is not None:
            return self._lose(error)
        self._introduction = ()
        return True

    def _transmit(self, data: bytes, fds: Sequence[int] = ()) -> OSError | None:
        """Send a datagram; return why it was not taken."""
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
        try:
            if self._socket is not None:
                self._socket.sendmsg([data], passed, 0, self._address)
        except OSError as error:
            return error
        return None

    def _lose(self, error: OSError) -> bool:
        if self._until_ready:
            return False  # it has gone away before, and that is all right
        # Addresses of systemd's own making fail too: EAGAIN when its queue is full, ENOENT in a chroot.
        where = os.fsdecode(self._address.replace(b"\0", b"@"))
        reason = error.strerror or f"{error} ({len(self._address)} bytes)"
        hint = _HINTS.get(error.errno or 0, "")
        self._fail(f"Cannot notify systemd at {where}: {reason}{hint}. The service runs on.")
        return False

    def _fail(self, text: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._errors.append(text)


def _status(text: str) -> str:
    """Return the STATUS= field: one line, since a newline would begin another field."""
    line = " ".join(text.split("\n")).replace("\0", " ").encode(errors="replace")
    return "STATUS=" + line[:_LONGEST_STATUS].decode(errors="ignore")
