"""Frames read and written by wsproto: `ws.protocol = "wsproto"`. The only file that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, RsvBits

from srvctl.worker.websocket.assembly import too_big
from srvctl.worker.websocket.protocol import NO_STATUS, POLICY_VIOLATION, Violation

if TYPE_CHECKING:
    from wsproto.events import Event
    from wsproto.extensions import Extension
    from wsproto.frame_protocol import FrameDecoder, FrameProtocol, Opcode

    from srvctl.worker.websocket.deflate import Agreement
    from srvctl.worker.websocket.protocol import FrameSink, MessageLimits

# wsproto reads everything it is given, and inflates it: so it is given little at a time.
_SLICE: Final = 16384  #: bytes
_COMPRESSED_SLICE: Final = 1024  #: bytes, which can become a thousand times as many
_LEAST_BITS: Final = 9  #: of a window; a larger one than the client's own does as well


class WsprotoCodec:
    """Reads and writes the frames of one WebSocket.

    Args:
        sink: Takes what is read.
        limits: How large a message may be.
        agreement: How messages are compressed; None for not at all.
    """

    __slots__ = ("_connection", "_fragments", "_limits", "_pieces", "_received", "_sink", "_size", "_slice")

    def __init__(self, sink: FrameSink, limits: MessageLimits, agreement: Agreement | None = None) -> None:
        self._sink = sink
        self._limits = limits
        self._slice = _SLICE if agreement is None else _COMPRESSED_SLICE
        extensions: list[Extension] = []
        if agreement is not None:
            extensions.append(_Deflate.of(agreement))
        self._connection = Connection(ConnectionType.SERVER, extensions)
        self._pieces: list[bytes] = []  #: of the message that is being read
        self._size = self._fragments = 0  #: bytes and frames of it
        self._received = 0  #: bytes since it began, as they came

    # -- reading ---------------------------------------------------------------------------------------

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read a slice of what was received; return where it ends.

        Raises:
            Violation: The client broke a rule; the codec must not be fed again.
        """
        piece = data[start : start + self._slice]
        self._received += len(piece)
        self._connection.receive_data(piece)
        for event in self._connection.events():
            self._take(event)
        return start + len(piece)

    def _take(self, event: Event) -> None:
        if isinstance(event, (TextMessage, BytesMessage)):
            self._take_piece(event)
        elif isinstance(event, Ping):
            self._sink.ping_received(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            self._take_close(event)

    def _take_piece(self, event: TextMessage | BytesMessage) -> None:
        data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        self._size += len(data)
        self._fragments += event.frame_finished
        if self._size > self._limits.room(self._received):
            raise too_big()
        if self._limits.fragments and self._fragments > self._limits.fragments:
            raise Violation(POLICY_VIOLATION, "a message has too many fragments")
        self._pieces.append(data)
        if event.message_finished:
            whole, self._pieces = b"".join(self._pieces), []
            self._size = self._fragments = self._received = 0
            self._sink.message_received(whole.decode() if isinstance(event, TextMessage) else whole)

    def _take_close(self, event: CloseConnection) -> None:
        """Take a close frame, or what wsproto makes of a violation."""
        code, reason = int(event.code), event.reason or ""
        if self._connection.state not in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            raise Violation(code, reason)
        self._sink.close_received(code, reason)

    # -- writing ---------------------------------------------------------------------------------------

    def text(self, data: str) -> bytes:
        """Return the bytes of a text message."""
        return self._connection.send(TextMessage(data=data))

    def binary(self, data: bytes) -> bytes:
        """Return the bytes of a binary message."""
        return self._connection.send(BytesMessage(data=data))

    def ping(self) -> bytes:
        """Return a ping."""
        return self._connection.send(Ping())

    def pong(self, payload: bytes) -> bytes:
        """Return the answer to a ping."""
        return self._connection.send(Pong(payload=payload))

    def close(self, code: int, reason: str) -> bytes:
        """Return a close frame."""
        code = CloseReason.NO_STATUS_RCVD if code == NO_STATUS else code  # it is compared by identity
        return self._connection.send(CloseConnection(code=code, reason=reason))


class _Deflate(PerMessageDeflate):
    """Compression, undisturbed by control frames inside a message, behind which wsproto inflates no more."""

    _is_control = False

    @classmethod
    def of(cls, agreement: Agreement) -> Self:
        """Return what does as agreed."""
        deflate = cls(
            client_no_context_takeover=agreement.client_resets,
            client_max_window_bits=max(agreement.client_bits, _LEAST_BITS),
            server_no_context_takeover=agreement.server_resets,
            server_max_window_bits=agreement.server_bits,
        )
        deflate.finalize("")
        return deflate

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._is_control = opcode.iscontrol()
        if self._is_control:
            return RsvBits(rsv1=False, rsv2=False, rsv3=False)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        return data if self._is_control else super().frame_inbound_payload_data(proto, data)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        return None if self._is_control else super().frame_inbound_complete(proto, fin)
