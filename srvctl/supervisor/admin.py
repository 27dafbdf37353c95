"""Serves the control socket: what clients ask becomes events, and what came of it goes back to them.

Owns the listening socket. Must not know the fleet, nor what its answers mean. The poller calls back when
something can be read or written; `effects` calls `progress` and `reply`. Nothing here waits, and no client
can delay the master: each call reads or writes a bounded piece of a bounded buffer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl import __version__
from srvctl.errors import AlreadyRunning, ExitCode
from srvctl.ipc.control import (
    VERSION,
    Command,
    ControlError,
    Done,
    OtherVersionError,
    Progress,
    decode_request,
    encode_reply,
    refusal,
)
from srvctl.ipc.control_client import peer_of
from srvctl.supervisor.admin_clients import MOST_CLIENTS, AdminClients
from srvctl.supervisor.admin_commands import event_of
from srvctl.supervisor.control_socket import ControlSocket, is_in_place, open_at
from srvctl.supervisor.listeners import UnixFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.supervisor.admin_client import AdminClient
    from srvctl.supervisor.admin_clients import Watcher
    from srvctl.supervisor.events import Event

#: Connections taken in one turn of the master's loop; the rest has to wait for the next.
_MOST_AT_ONCE: Final = 16
#: Seconds without new clients when the process has no descriptor left for one.
_PAUSE: Final = 1.0
_UNKNOWN: Final = -1
_NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class Admin:
    """The master's side of every control connection.

    Args:
        control: The listening socket; is closed with the admin.
        about: Who the instance is, for those who want to know: JSON.
        poller: Tells when something can be done.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        control: ControlSocket,
        about: Mapping[str, Any],
        poller: Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = control.listener
        self._file = control.file
        self._about = {"name": control.name, "pid": os.getpid(), "version": __version__, **about}
        self._poller = poller
        self._clock = clock
        self._clients = AdminClients(poller, self._serve)
        self._started = clock()
        self._paused_until: float | None = None
        poller.watch(self._listener, self._accept, selectors.EVENT_READ)

    # -- what effects call -----------------------------------------------------------------------------

    def progress(self, client: int, text: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell a client that its command goes on; one that has gone is no error."""
        found = self._clients.get(client)
        if found is not None:
            found.send(encode_reply(Progress(text, dict(data or {}))), self._clock())
            self._clients.settle(found)

    def reply(
        self, client: int, ok: bool, message: str, details: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Tell a client how its command ended; one that has gone is no error.

        Args:
            client: Who asked.
            ok: Whether it went as asked.
            message: One sentence.
            details: What belongs under it, such as a traceback.
            data: JSON; a status is completed with who the instance is.
        """
        found = self._clients.get(client)
        if found is None or found.command is None:
            return
        values = dict(data or {})
        if found.command in {Command.STATUS, Command.METRICS}:
            values = {**self._about, "uptime": self._clock() - self._started, **values}
        code = ExitCode.OK if ok else ExitCode.REFUSED
        self._finish(found, Done(ok=ok, code=code, message=message, details=details, data=values))
        self._clients.settle(found)

    def describe(self, about: Mapping[str, Any]) -> None:
        """Say something else of the instance from now on, such as its addresses after a reload."""
        self._about |= about

    # -- what the loop calls ---------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when `expire` is to be called at the latest (monotonic seconds); None for never."""
        moments = (self._clients.next_deadline(), self._paused_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def expire(self, now: float) -> None:
        """Drop the clients that took too long; harmless at any time."""
        if self._paused_until is not None and self._paused_until <= now:
            self._paused_until = None
            self._poller.watch(self._listener, self._accept, selectors.EVENT_READ)
        self._clients.expire(now)

    def renew(self) -> str:
        """Make the socket's file again if somebody removed it; return a sentence if that fails."""
        if is_in_place(self._file):
            return ""
        try:
            listener, file = open_at(Path(self._file.path))
        except AlreadyRunning as error:
            return f"The control socket {self._file.path} is that of pid {error.pid} by now."
        except OSError as error:
            return f"The control socket {self._file.path} cannot be made again: {error.strerror or error}."
        if self._paused_until is None:
            self._poller.unwatch(self._listener)
        self._paused_until = None
        self._listener.close()
        self._listener, self._file = listener, file
        self._poller.watch(listener, self._accept, selectors.EVENT_READ)
        return ""

    def close(self, *, unlink: bool = True) -> None:
        """Close everything; clients see the end.

        Args:
            unlink: False in a forked child, and before execve(2): the socket's file stays.
        """
        if unlink:
            self._file.remove()  # first: while the socket is open nobody else can be given its inode
        self._clients.close()
        self._listener.close()

    # -- an upgrade in place ---------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over; make them inheritable before execve(2)."""
        return [self._listener.fileno(), *self._clients.fds()]

    def state(self) -> dict[str, Any]:
        """Return what `inherit` must know, as JSON."""
        return {
            "listener": self._listener.fileno(),
            "file": [self._file.path, self._file.device, self._file.inode],
            "name": self._about["name"],
            "started": self._started,
            "clients": self._clients.state(),
        }

    @classmethod
    def inherit(
        cls,
        state: Mapping[str, Any],
        about: Mapping[str, Any],
        poller: Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Go on with the sockets of the program that this process ran before; the other arguments as ever.

        Args:
            state: What `state` was before execve(2).
            about: As for a new admin.
            poller: As for a new admin.
            clock: As for a new admin.

        Raises:
            OSError: The listening socket did not come along.
        """
        listener = socket.socket(fileno=state["listener"])
        listener.set_inheritable(False)
        admin = cls(ControlSocket(listener, UnixFile(*state["file"]), state["name"]), about, poller, clock)
        admin._started = state["started"]
        admin._clients.inherit(state["clients"], clock())
        return admin

    # -- what the poller calls -------------------------------------------------------------------------

    def _accept(self, _mask: int) -> list[Event]:
        """Take new clients; none of them has said anything yet."""
        for _ in range(_MOST_AT_ONCE):
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:  # it would be ready again at once, and again
                    self._poller.unwatch(self._listener)
                    self._paused_until = self._clock() + _PAUSE
                    break
                continue
            self._welcome(sock)
        return []

    def _welcome(self, sock: socket.socket) -> None:
        try:
            pid, uid = peer_of(sock)
        except OSError:
            sock.close()
            return
        if uid not in {_UNKNOWN, 0, os.geteuid()}:
            _turn_away(sock, f"user {uid} may not command this instance, only root and user {os.geteuid()}")
        elif not self._clients.has_room():
            _turn_away(sock, f"{MOST_CLIENTS} other commands are waiting for this instance; try again later")
        else:
            self._clients.add(sock, f"pid {pid} of user {uid}", self._clock())

    def _serve(self, client: AdminClient, mask: int) -> list[Event]:
        """Read from a client and write to it; return what it asks for."""
        events: list[Event] = []
        if mask & selectors.EVENT_WRITE:
            client.flush(self._clock())
        if mask & selectors.EVENT_READ:
            try:
                for line in client.read():
                    events += self._obey(client, line)
            except ControlError as error:
                client.send(encode_reply(self._refusal(error)), self._clock())
                client.dismiss()
        self._clients.settle(client)
        return events

    def _obey(self, client: AdminClient, line: bytes) -> list[Event]:
        if client.is_waiting:
            raise ControlError("a request came before the last one was answered")
        request = decode_request(line)
        event = event_of(request, f"srvctl {request.command} ({client.by})", client.number)
        client.begin(request.command)
        if event is not None:
            return [event]
        self._finish(client, Done(ok=True, data=self._about))
        return []

    def _refusal(self, error: ControlError) -> Done:
        about: dict[str, Any] = {"v": VERSION, "version": __version__, "pid": os.getpid()}
        if isinstance(error, OtherVersionError):
            about["asked"] = error.version
        return refusal(str(error), **about)

    def _finish(self, client: AdminClient, done: Done) -> None:
        is_stopping = done.ok and client.command is Command.STOP
        client.send(encode_reply(done), self._clock())
        client.end(self._clock(), stays=is_stopping)

    def __repr__(self) -> str:
        return f"Admin({self._file.path!r}, clients={self._clients})"


def _turn_away(sock: socket.socket, why: str) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.send(encode_reply(refusal(why)))
