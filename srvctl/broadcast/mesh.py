"""The link between the workers of one master: each writes to every other one that listens, by Unix socket.

Nobody is told who is there: the socket files in the directory say so (see `place`). A worker that subscribes
has its file there before `subscribe` returns, and a worker that publishes looks before it writes, so nothing
that is published after a subscription began can miss it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from srvctl.broadcast.codec import channel_of, encode
from srvctl.broadcast.incoming import Incoming, Intake, is_trusted, user_of
from srvctl.broadcast.peer import Peer
from srvctl.broadcast.place import Place, PlaceError

if TYPE_CHECKING:
    import socket

    from srvctl.broadcast.hub import Hub

logger = logging.getLogger("srvctl.error")

_BATCH: Final = 65536  #: bytes that are sent at once, without waiting for the loop's turn to end
_REST: Final = 5.0  #: seconds until a worker that closed a connection, but lives, is connected to again
_LAST_WORDS: Final = 1.0  #: seconds that others have to read what waits when this worker ends
_GLANCE: Final = 0.01


class Mesh:
    """Carries messages to the other workers of this master, and theirs to the hub.

    Args:
        hub: Whose link it is.
        path: The directory that the master named.
    """

    def __init__(self, hub: Hub, path: str) -> None:
        self._hub = hub
        self._settings = hub.settings
        self._loop = asyncio.get_running_loop()
        self._place = Place(path)
        self._intake = Intake(hub.receive, hub.burst)
        self._peers: dict[str, Peer] = {}
        self._resting: dict[str, float] = {}  #: until when, by the loop's clock
        self._incoming: set[Incoming] = set()
        self._listener: socket.socket | None = None
        self._has_failed = False
        self._frames: list[bytes] = []  #: of this turn
        self._size = 0

    @property
    def peers(self) -> int:
        """Workers to which this one is connected."""
        return len(self._peers)

    # -- from others -----------------------------------------------------------------------------------

    def listen(self) -> None:
        """Let other workers connect; that they cannot is said once, and keeps nobody from subscribing."""
        if self._listener is not None:
            return
        try:
            self._listener = self._place.listen()
        except PlaceError as error:
            if not self._has_failed:
                logger.error("Broadcast: other workers are not heard: %s.", error)  # noqa: TRY400 - one line
            self._has_failed = True
            return
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # no more descriptors: it would be tried again without end
            logger.error("Broadcast: other workers are not heard for a second: %s.", error)  # noqa: TRY400
            self._loop.remove_reader(self._listener)
            self._loop.call_later(1.0, self._accept_again)
            return
        if is_trusted(sock):
            self._incoming.add(Incoming(sock, self._settings.max_size, self._intake, self._incoming.discard))
        else:
            logger.warning("Broadcast: refused a connection of user %s.", user_of(sock))
            sock.close()

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    # -- to others -------------------------------------------------------------------------------------

    def send(self, channel: bytes, body: bytes, *, is_text: bool) -> bool:
        """Take a message for the other workers; return whether a batch is full, and has been sent."""
        frame = encode(channel, body, is_text=is_text)
        self._frames.append(frame)
        self._size += len(frame)
        if self._size < _BATCH:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Write what was taken to every worker that listens."""
        if not self._frames:
            return
        frames, self._frames, self._size = self._frames, [], 0
        names = self._place.changed()
        if names is not None:
            self._connect_all(names)
        if not self._peers:
            return
        joined = b"".join(frames)
        for peer in list(self._peers.values()):
            taken = peer.send(frames, joined)
            for frame in frames[taken:]:
                self._hub.not_sent(channel_of(frame))

    def _connect_all(self, names: set[str]) -> None:
        """Connect to everyone who is new there."""
        now = self._loop.time()
        self._resting = {name: end for name, end in self._resting.items() if name in names and end > now}
        for name in names - self._peers.keys() - self._resting.keys():
            peer = Peer(self._place.path_of(name), self._settings.buffer, partial(self._lost, name))
            try:
                peer.connect()
            except OSError as error:
                self._not_connected(name, error)
            else:
                self._peers[name] = peer
        if self._resting:
            self._place.look_again()

    def _not_connected(self, name: str, error: OSError) -> None:
        if isinstance(error, ConnectionRefusedError):  # nobody listens there, nor will
            self._place.remove(name)
        elif not isinstance(error, FileNotFoundError):
            logger.error("Broadcast: worker %s cannot be reached: %s.", name.partition("-")[0], error)
            self._rest(name)

    def _lost(self, name: str) -> None:
        """Forget a worker; should it live, it has a reason not to want us."""
        del self._peers[name]
        if not self._place.remove_if_dead(name):
            self._rest(name)

    def _rest(self, name: str) -> None:
        self._resting[name] = self._loop.time() + _REST
        self._place.look_again()

    # -- the end ---------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Write what waits, as far as others take it within a second, and leave."""
        self.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_until_written(), _LAST_WORDS)
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()
        self._place.leave()
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for incoming in self._incoming:
            incoming.close()
        self._incoming.clear()
        self._intake.close()

    async def _wait_until_written(self) -> None:
        while not all(peer.is_idle for peer in self._peers.values()):  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(_GLANCE)
