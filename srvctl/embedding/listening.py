"""The sockets of an embedded server: opened by it, named by a descriptor, or handed over by the program.

Owns their closing and the socket files; the server that accepts from them has descriptors of its own. Called
by `Server` and `Config`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from itertools import groupby
from typing import TYPE_CHECKING

from srvctl.errors import BindError
from srvctl.settings.binds import FdBind, SystemdBind, binds_of
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.listeners import Listener, Listeners, url_of
from srvctl.supervisor.sockets import open_listeners

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from srvctl.settings.groups import Settings


class ListeningServer:
    """What listens at one address: of what `asyncio.Server` has, as much as programs use.

    Args:
        listeners: Of one address; a host name may have become several.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = tuple(listeners)
        #: For the server, which closes them when it has accepted what was queued.
        self.accepted_from = [listener.socket.dup() for listener in listeners]
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        where = ", ".join(listener.url for listener in self._listeners)
        return f"ListeningServer({where}; {'open' if self.is_serving() else 'closed'})"

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; none once they are closed."""
        return tuple(listener.socket for listener in self._listeners) if self.is_serving() else ()

    @property
    def urls(self) -> list[str]:
        """Where it can be reached, for humans."""
        return [listener.url for listener in self._listeners]

    def is_serving(self) -> bool:
        """Return whether it takes connections."""
        return not self._closed.is_set()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop it belongs to."""
        return self._loop

    def close(self) -> None:
        """Take no more connections; a second call does nothing."""
        if not self.is_serving():
            return
        self._closed.set()
        for sock in self.accepted_from:
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock)
        for listener in self._listeners:
            listener.close()

    async def wait_closed(self) -> None:
        """Wait until it takes no more connections."""
        await self._closed.wait()


def open_addresses(settings: Settings, *, is_tls: bool) -> list[Listener]:
    """Open the addresses that the settings name.

    A descriptor stays open for whoever passed it.

    Raises:
        BindError: One cannot be opened; then none is.
    """
    binds = binds_of(settings.server)
    is_by_systemd = any(isinstance(bind, SystemdBind) for bind in binds)
    # What systemd passed is for the program, unless an address says that it is for us.
    inherited = Inherited.from_environ(os.environ) if is_by_systemd else None
    listeners = open_listeners(binds, settings.server.backlog, inherited)
    if is_tls:
        listeners.speak_tls()
    return [_borrowed(listener) if isinstance(listener.bind, FdBind) else listener for listener in listeners]


def adopt(sockets: Iterable[socket.socket], backlog: int, *, is_tls: bool) -> list[Listener]:
    """Take over sockets of the program's.

    Raises:
        BindError: One cannot be listened on.
    """
    found = []
    for sock in sockets:
        try:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.listen(backlog)
        except OSError as error:
            raise BindError(f"{sock!r} cannot be listened on: {error.strerror}") from None
        sock.setblocking(False)
        found.append(Listener(sock, FdBind(sock.fileno()), url_of(sock)))
    listeners = Listeners(found)
    if is_tls:
        listeners.speak_tls()
    return list(listeners)


def listening_servers(listeners: Iterable[Listener]) -> list[ListeningServer]:
    """Return one for each address."""
    return [ListeningServer(list(of_one)) for _, of_one in groupby(listeners, key=lambda one: one.bind)]


def _borrowed(listener: Listener) -> Listener:
    """Return the listener on a descriptor of our own, and leave the one that was passed open."""
    passed = listener.socket
    own = passed.dup()
    passed.detach()
    return Listener(own, listener.bind, listener.url)
