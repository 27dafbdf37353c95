"""A stream as a transport for a protocol that has taken it over: WebSocket, which knows no HTTP/2 (RFC 8441).

Windows are its flow control: what the protocol does not read is not given back to the client.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from srvctl.worker.http2.frames import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http2.connection import Http2Connection
    from srvctl.worker.http2.stream import Stream


class Tunnel(asyncio.Transport):
    """Carries bytes in DATA frames.

    Args:
        connection: Of the stream.
        stream: Carries nothing else from now on.
    """

    def __init__(self, connection: Http2Connection, stream: Stream) -> None:
        super().__init__()
        self._connection = connection
        self._stream = stream
        self._protocol: asyncio.Protocol
        self._is_closing = False
        self._is_lost = False
        self._is_paused = False

    # -- from the stream -------------------------------------------------------------------------------

    def received(self, data: bytes) -> bool:
        """Hand bytes on; return whether the client may send as many again."""
        if data and not self._is_lost:
            self._protocol.data_received(data)
        return not self._is_paused

    def ended(self) -> None:
        """Learn that the client sends nothing more."""
        if not self._is_lost:
            self._protocol.eof_received()

    def lost(self) -> None:
        """Learn that the stream has ended, both ways or by force; the protocol is told soon."""
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._connection.server.loop.call_soon(self._protocol.connection_lost, None)

    def held_back(self) -> None:
        """Learn that the client takes nothing for now."""
        self._protocol.pause_writing()

    def went_on(self) -> None:
        """Learn that it does again."""
        if not self._is_lost:
            self._protocol.resume_writing()

    # -- what protocols ask of a transport -------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes to this protocol."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection; the stream has no socket that were its own."""
        return default if name == "socket" else self._connection.extra_info(name, default)

    def write(self, data: Any) -> None:
        """Send bytes."""
        self._stream.write(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send pieces."""
        self._stream.writelines(list_of_data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client."""
        return len(self._stream.held) - self._stream.held_from

    def pause_reading(self) -> None:
        """Give the client no more room."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Give it all that was taken."""
        self._is_paused = False
        self._stream.body_taken()

    def can_write_eof(self) -> bool:
        """Return that a stream can be closed one way."""
        return True

    def write_eof(self) -> None:
        """Send nothing more."""
        self._stream.end()

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._is_closing

    def close(self) -> None:
        """Close the stream once everything is sent."""
        self._is_closing = True
        self._stream.end()

    def abort(self) -> None:
        """End the stream at once."""
        self._is_closing = True
        stream = self._stream
        if stream.id in self._connection.streams:
            self._connection.cut(stream, Code.CANCEL if stream.is_open else Code.NO_ERROR)
        self.lost()
