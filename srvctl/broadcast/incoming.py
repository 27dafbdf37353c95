"""What other workers write to this one: their connections, and the pace at which their messages go on."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from srvctl.broadcast.codec import Decoder, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from srvctl.broadcast.codec import Message

logger = logging.getLogger("srvctl.error")

_READ: Final = 65536  #: bytes of one read
_UCRED: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


def user_of(sock: socket.socket) -> int | None:
    """Return the user id of whoever connected; None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def is_trusted(sock: socket.socket) -> bool:
    """Return whether whoever connected is the user we are."""
    return user_of(sock) in {None, os.geteuid()}


class Intake:
    """Passes messages on, only so many in one turn of the loop, so that subscribers can keep up with a burst.

    Args:
        receive: Takes messages.
        burst: How many in one turn.
    """

    def __init__(self, receive: Callable[[Iterable[Message]], None], burst: int) -> None:
        self._receive = receive
        self._burst = burst
        self._left = burst  #: of this turn
        self._waiting: deque[tuple[Iterator[Message], Callable[[], None]]] = deque()
        self._turn: asyncio.Handle | None = None

    def take(self, messages: list[Message], go_on: Callable[[], None]) -> bool:
        """Pass messages on; return whether that is done.

        Args:
            messages: What one connection has brought.
            go_on: Called when all have been passed on, if that is not done on return.
        """
        is_done = not self._waiting and len(messages) <= self._left
        if is_done:
            self._left -= len(messages)
            self._receive(messages)
        else:
            self._waiting.append((iter(messages), go_on))
        if self._turn is None:  # behind the subscribers, whom the messages have woken
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
        return is_done

    def _next_turn(self) -> None:
        self._turn = None
        self._left = self._burst
        while self._waiting and self._left:
            messages, go_on = self._waiting[0]
            piece = list(islice(messages, self._left))
            self._left -= len(piece)
            self._receive(piece)
            if self._left:
                self._waiting.popleft()
                go_on()
        if self._left < self._burst:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def close(self) -> None:
        """Pass on what waits."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self._waiting:
            self._receive(self._waiting.popleft()[0])


class Incoming:
    """One connection of another worker.

    Args:
        sock: Accepted.
        max_size: Largest message.
        intake: Takes what comes.
        on_end: Called once, when it is closed by the other side or sends what is no message.
    """

    def __init__(
        self, sock: socket.socket, max_size: int, intake: Intake, on_end: Callable[[Incoming], None]
    ) -> None:
        self._sock = sock
        self._decoder = Decoder(max_size)
        self._intake = intake
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        sock.setblocking(False)
        self._resume()

    def _resume(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._sock, self._read)

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ)
            messages = self._decoder.feed(data)
        except BlockingIOError:
            return
        except WireError as error:
            logger.warning("Broadcast: closed a connection that does not bring messages: %s.", error)
            data, messages = b"", []
        except OSError:
            data, messages = b"", []
        if not data:
            self.close()
            self._on_end(self)
        elif messages and not self._intake.take(messages, self._resume):
            self._loop.remove_reader(self._sock)

    def close(self) -> None:
        """Close the connection."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._sock)
            self._sock.close()
