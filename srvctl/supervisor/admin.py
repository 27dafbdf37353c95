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
from functools import partial
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
    Reason,
    decode_request,
    encode_reply,
    refusal,
)
from srvctl.ipc.peers import who_is
from srvctl.supervisor.admin_client import Guest
from srvctl.supervisor.admin_clients import AdminClients
from srvctl.supervisor.admin_commands import DEADLINES, event_of
from srvctl.supervisor.admin_feeds import AdminFeeds
from srvctl.supervisor.admin_roles import Group, Role, objection, role_of, turned_away
from srvctl.supervisor.control_group import share
from srvctl.supervisor.control_socket import ControlSocket, is_in_place, open_at
from srvctl.supervisor.listeners import UnixFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.control import Request
    from srvctl.supervisor.admin_client import AdminClient
    from srvctl.supervisor.admin_clients import Watcher
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.feeds import Feed

#: Connections taken in one turn of the master's loop; the rest has to wait for the next.
_MOST_AT_ONCE: Final = 16
#: Seconds without new clients when the process has no descriptor left for one.
_PAUSE: Final = 1.0
_NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class Admin:
    """The master's side of every control connection.

    Args:
        control: The listening socket, if there is one; is closed with the admin.
        about: Who the instance is, for those who want to know: JSON.
        poller: Tells when something can be done.
        clock: Monotonic seconds.
        feeds: What clients may read and follow, by the command for it: `Command.LOGS`, `Command.EVENTS`.
        settings: Returns those in force by their keys, JSON and without secrets.
    """

    def __init__(
        self,
        control: ControlSocket,
        about: Mapping[str, Any],
        poller: Watcher,
        clock: Callable[[], float] = time.monotonic,
        *,
        feeds: Mapping[Command, Feed] | None = None,
        settings: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self._listener = control.listener
        self._file = control.file
        self._group = control.group
        self._settings = settings
        self._about = {"name": control.name, "pid": os.getpid(), "version": __version__, **about}
        self._poller = poller
        self._clock = clock
        self._clients = AdminClients(poller, self._serve)
        self._feeds = AdminFeeds(feeds or {}, self._clients)
        self._started = clock()
        self._paused_until: float | None = None
        self._listen()

    # -- what effects call -----------------------------------------------------------------------------

    def progress(self, client: int, text: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell a client that its command goes on; one that has gone is no error."""
        found = self._clients.get(client)
        if found is not None:
            now = self._clock()
            found.go_on(now)
            found.send(encode_reply(Progress(text, dict(data or {}))), now)
            self._clients.settle(found)

    def adopt(self, sock: socket.socket, by: str, role: Role) -> int:
        """Serve a connection of a part of this instance, such as its console, until the other side ends it.

        It takes no place of others, may be silent for as long as it likes, and comes along to the program of
        an upgrade in place.

        Args:
            sock: Our end; is closed with the admin.
            by: Who it is, in the words of the log.
            role: What it may do.

        Returns:
            Its number.
        """
        return self._clients.add(sock, Guest(by, role, os.geteuid(), is_own=True), self._clock()).number

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
        moments = (self._clients.next_deadline(), self._feeds.next_deadline(), self._paused_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def expire(self, now: float) -> None:
        """Drop the clients that took too long, and send the others news; harmless at any time."""
        if self._paused_until is not None and self._paused_until <= now:
            self._paused_until = None
            self._listen()
        self._clients.expire(now)
        for client in self._clients.overdue(now):
            self._give_up(client, now)
        self._feeds.expire(now)

    def renew(self) -> str:
        """Make the socket's file again if somebody removed it; return a sentence if that fails."""
        if self._listener is None or is_in_place(self._file):
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
        self._listen()
        if self._group is not None:
            return share(Path(file.path), self._group, opens_directory=False)
        return ""

    def close(self, *, unlink: bool = True) -> None:
        """Close everything; clients see the end.

        Args:
            unlink: False in a forked child, and before execve(2): the socket's file stays.
        """
        if unlink:
            if self._listener is not None:
                self._file.remove()  # first: while the socket is open nobody else can be given its inode
            self._feeds.finish(self._clock())
        self._clients.close()
        if self._listener is not None:
            self._listener.close()

    # -- an upgrade in place ---------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over; make them inheritable before execve(2)."""
        own = [self._listener.fileno()] if self._listener is not None else []
        return [*own, *self._clients.fds()]

    def state(self) -> dict[str, Any]:
        """Return what `inherit` must know, as JSON."""
        return {
            "listener": self._listener.fileno() if self._listener is not None else None,
            "file": [self._file.path, self._file.device, self._file.inode],
            "name": self._about["name"],
            "started": self._started,
            "clients": self._clients.state(),
            "group": [self._group.gid, self._group.name] if self._group is not None else None,
            "feeds": self._feeds.export(),
        }

    @classmethod
    def inherit(
        cls,
        state: Mapping[str, Any],
        about: Mapping[str, Any],
        poller: Watcher,
        clock: Callable[[], float] = time.monotonic,
        *,
        feeds: Mapping[Command, Feed] | None = None,
        settings: Callable[[], Mapping[str, Any]] | None = None,
    ) -> Self:
        """Go on with the sockets of the program that this process ran before; the other arguments as ever.

        Args:
            state: What `state` was before execve(2).
            about: As for a new admin.
            poller: As for a new admin.
            clock: As for a new admin.
            feeds: As for a new admin; they get the newest items of those that were.
            settings: As for a new admin.

        Raises:
            OSError: The listening socket did not come along.
        """
        listener = None
        if state["listener"] is not None:
            listener = socket.socket(fileno=state["listener"])
            listener.set_inheritable(False)
        group = Group(*state["group"]) if state.get("group") else None
        control = ControlSocket(listener, UnixFile(*state["file"]), state["name"], group)
        admin = cls(control, about, poller, clock, feeds=feeds, settings=settings)
        admin._started = state["started"]
        admin._feeds.restore(state.get("feeds", {}))
        admin._clients.inherit(state["clients"], clock(), admin._feeds.go_on)
        return admin

    # -- what the poller calls -------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._listener is not None:
            self._poller.watch(self._listener, partial(self._accept, self._listener), selectors.EVENT_READ)

    def _accept(self, listener: socket.socket, _mask: int) -> list[Event]:
        """Take new clients; none of them has said anything yet."""
        for _ in range(_MOST_AT_ONCE):
            try:
                sock, _address = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:  # it would be ready again at once, and again
                    self._poller.unwatch(listener)
                    self._paused_until = self._clock() + _PAUSE
                    break
                continue
            self._welcome(sock)
        return []

    def _welcome(self, sock: socket.socket) -> None:
        try:
            peer = who_is(sock)
        except OSError:
            sock.close()
            return
        owner = os.geteuid()
        role = role_of(peer, owner, self._group)
        if role is None:
            _turn_away(sock, refusal(turned_away(peer, owner, self._group), reason=Reason.NOT_ALLOWED))
            return
        guest = Guest(f"pid {peer.pid} of user {peer.uid}", role, peer.uid)
        if self._clients.has_room(guest):
            self._clients.add(sock, guest, self._clock())
        else:
            text = "too many other commands are waiting for this instance; try again later"
            _turn_away(sock, refusal(text, reason=Reason.BUSY))

    def _serve(self, client: AdminClient, mask: int) -> list[Event]:
        """Read from a client and write to it; return what it asks for."""
        events: list[Event] = []
        if mask & selectors.EVENT_WRITE:
            client.flush(self._clock())
            self._feeds.pump(client, self._clock())
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
        request, now = decode_request(line), self._clock()
        client.pay(now)
        typed = request.command.replace("_", " ")
        event = event_of(request, f"srvctl {typed} ({client.guest.by})", client.number)
        client.begin(request.command, now, DEADLINES[request.command])
        why_not = objection(request.command, client.guest.role, os.geteuid(), self._group)
        if why_not:
            self._finish(client, refusal(why_not, reason=Reason.NOT_ALLOWED))
        elif event is not None:
            return [event]
        elif not self._feeds.begin(client, request, now):
            self._finish(client, self._answer(request))
        return []

    def _answer(self, request: Request) -> Done:
        """Return the answer to what needs nobody else."""
        if request.command is Command.IDENTIFY:
            return Done(ok=True, data=self._about)
        if request.command is Command.SETTINGS and self._settings is not None:
            return Done(ok=True, data={"values": dict(self._settings())})
        return refusal(f"this instance keeps no {request.command}", reason=Reason.FAILED)

    def _give_up(self, client: AdminClient, now: float) -> None:
        """Tell a client that its command takes too long; what comes of it is told to nobody."""
        command = client.command
        within = DEADLINES[command] if command is not None else None
        text = f"no news of {command} for {within or 0:g} s; it goes on, and `srvctl status` tells how far"
        self._clients.rename(client)
        client.send(encode_reply(refusal(text, reason=Reason.TIMEOUT)), now)
        client.end(now)
        self._clients.settle(client)

    def _refusal(self, error: ControlError) -> Done:
        about: dict[str, Any] = {"v": VERSION, "version": __version__, "pid": os.getpid()}
        about["reason"] = error.reason
        if isinstance(error, OtherVersionError):
            about["asked"] = error.version
        return refusal(str(error), **about)

    def _finish(self, client: AdminClient, done: Done) -> None:
        is_stopping = done.ok and client.command is Command.STOP
        client.send(encode_reply(done), self._clock())
        client.end(self._clock(), stays=is_stopping)

    def __repr__(self) -> str:
        return f"Admin({self._file.path!r}, clients={self._clients})"


def _turn_away(sock: socket.socket, done: Done) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.send(encode_reply(done))
