"""What systemd and a service tell each other: sd_notify(3) datagrams out, sd_listen_fds(3) variables in.

Owns the words of both protocols. Knows nothing of workers or settings, opens no listening socket and
never raises because systemd does not listen: a service manager that went deaf must not stop a server.
Both halves take the variables out of the environment they are given, so that no child inherits them.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

from srvctl.errors import BindError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

FIRST_PASSED_FD: Final = 3  # SD_LISTEN_FDS_START
_MOST_PASSED_FDS: Final = 2**20
#: sd_listen_fds_with_names(3): the name of a descriptor passed without LISTEN_FDNAMES.
_NO_NAME: Final = "unknown"
#: systemd drops a datagram longer than PIPE_BUF, 4096 bytes; a status line is cut well below.
_LONGEST_STATUS: Final = 2048


class Notifier:
    """Tells systemd how the service is; does nothing when nobody asked to be told.

    Each notification returns False when it was lost: READY=1 is worth another try, a status line is not.
    """

    __slots__ = ("_address", "_error", "_socket", "_was_reported")

    def __init__(self, address: bytes) -> None:
        """Open a sending socket; an empty address makes every method a no-op."""
        self._address = address
        self._error = ""
        self._was_reported = False
        self._socket: socket.socket | None = None
        if address:
            try:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            except OSError as error:  # no descriptor left; the server has worse problems than this one
                self._error = f"Cannot notify systemd: {error.strerror}."

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Return the notifier that NOTIFY_SOCKET asks for, and remove what only the master may answer.

        A path and an abstract name (``@``) are understood; another address, such as vsock, is ignored.
        """
        environ.pop("WATCHDOG_USEC", None)
        environ.pop("WATCHDOG_PID", None)
        address = os.fsencode(environ.pop("NOTIFY_SOCKET", ""))
        if address.startswith(b"@"):
            return cls(b"\0" + address[1:])
        return cls(address if address.startswith(b"/") else b"")

    @property
    def address(self) -> bytes:
        """Where it sends to, for a notifier that goes on as this one; empty for nowhere."""
        return self._address

    @property
    def enabled(self) -> bool:
        """Whether there is an address to send to."""
        return bool(self._address)

    def ready(self, status: str) -> bool:
        """Say that startup, or the reload announced before, is finished."""
        return self._send("READY=1", _status(status))

    def reloading(self, monotonic_usec: int) -> bool:
        """Say that a reload began, at this time of CLOCK_MONOTONIC; `ready` ends it.

        Both fields go in one datagram, as Type=notify-reload demands.
        """
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}")

    def stopping(self, status: str) -> bool:
        """Say that the service is shutting down."""
        return self._send("STOPPING=1", _status(status))

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows."""
        return self._send(_status(text))

    def take_error(self) -> str:
        """Return why the first undelivered notification was lost; "" if none was, or it was taken before."""
        if self._was_reported or not self._error:
            return ""
        self._was_reported = True
        return self._error

    def close(self) -> None:
        """Close the socket; later notifications go nowhere. A forked child calls this."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._address = b""

    def __repr__(self) -> str:
        return f"Notifier({self._address!r}, error={self._error!r})"

    def _send(self, *assignments: str) -> bool:
        """Send one datagram without waiting; return False when it was lost."""
        if self._socket is None:
            return not self._address
        try:
            self._socket.sendto("\n".join(assignments).encode(errors="replace"), self._address)
        except OSError as error:
            # Addresses of systemd's own making fail too: EAGAIN when its queue is full, ENOENT in a chroot.
            where = os.fsdecode(self._address.replace(b"\0", b"@"))
            self._error = self._error or f"Cannot notify systemd at {where}: {error.strerror or error}."
            return False
        return True


def passed_sockets(environ: MutableMapping[str, str], pid: int) -> Mapping[str, tuple[int, ...]]:
    """Return the descriptors that systemd passed to process ``pid``, by name, and remove the variables.

    Args:
        environ: The environment to read and to clean.
        pid: The caller's process; descriptors meant for another process are none of its own.

    Raises:
        BindError: The variables contradict themselves.
    """
    listen_pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    environ.pop("LISTEN_PIDFDID", None)  # systemd 258 and later
    if listen_pid != str(pid):
        return {}
    number = -1
    with contextlib.suppress(ValueError):
        number = int(count)
    if not 0 <= number <= _MOST_PASSED_FDS:
        raise BindError(
            f"LISTEN_FDS={count!r} is not a number of passed sockets; whoever started srvctl set it"
        )
    named = names.split(":") if names else [_NO_NAME] * number
    if len(named) != number:
        raise BindError(
            f"LISTEN_FDS={number} but LISTEN_FDNAMES={names!r} has {len(named)} names; "
            "whoever started srvctl set them"
        )
    passed: dict[str, tuple[int, ...]] = {}
    for fd, name in enumerate(named, FIRST_PASSED_FD):
        passed[name] = (*passed.get(name, ()), fd)
    return passed


def _status(text: str) -> str:
    """Return the STATUS= field: one line, since a newline would begin another field."""
    line = " ".join(text.split("\n")).replace("\0", " ").encode(errors="replace")
    return "STATUS=" + line[:_LONGEST_STATUS].decode(errors="ignore")
