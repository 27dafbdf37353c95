"""What reading and writing one small message costs: ``python -m benchmarks.micro.frames``.

From the bytes of a masked frame to its text, and from the text to an unmasked frame: the Sans-I/O protocols
of websockets and wsproto, and srvctl's codecs, which use parts of the one and all of the other. An echo does
both once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from benchmarks.micro.measure import Stage, main
from benchmarks.ws.frames import masked
from benchmarks.ws.script import text_of
from srvctl.settings.groups import WsSettings
from srvctl.worker.websocket.protocol import MessageLimits
from srvctl.worker.websocket.websockets_codec import WebsocketsCodec
from srvctl.worker.websocket.wsproto_codec import WsprotoCodec

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.worker.websocket.protocol import FrameCodec

    Make = Callable[[], Callable[[int], object]]

_TEXT: Final = text_of(32).decode()
_FRAME: Final = masked(_TEXT.encode())
_LIMITS: Final = MessageLimits.of(WsSettings())


class _Sink:
    """Takes what a codec reads at the least cost there is: `len` is a function written in C."""

    message_received: Any = staticmethod(len)
    ping_received: Any = staticmethod(len)
    close_received: Any = staticmethod(len)


def _read_websockets() -> Callable[[int], object]:
    protocol = Protocol(SERVER, state=OPEN)

    def run(operations: int) -> None:
        for _ in range(operations):
            protocol.receive_data(_FRAME)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    bytes(event.data).decode()

    return run


def _write_websockets() -> Callable[[int], object]:
    protocol = Protocol(SERVER, state=OPEN)

    def run(operations: int) -> None:
        for _ in range(operations):
            protocol.send_text(_TEXT.encode())
            b"".join(protocol.data_to_send())

    return run


def _read_wsproto() -> Callable[[int], object]:
    connection = Connection(ConnectionType.SERVER)

    def run(operations: int) -> None:
        for _ in range(operations):
            connection.receive_data(_FRAME)
            for _event in connection.events():
                pass

    return run


def _write_wsproto() -> Callable[[int], object]:
    connection = Connection(ConnectionType.SERVER)

    def run(operations: int) -> None:
        for _ in range(operations):
            connection.send(TextMessage(data=_TEXT))

    return run


def _reads(codec_class: type[WebsocketsCodec | WsprotoCodec]) -> Make:
    def make() -> Callable[[int], object]:
        feed = _codec(codec_class).feed

        def run(operations: int) -> None:
            for _ in range(operations):
                feed(_FRAME)

        return run

    return make


def _writes(codec_class: type[WebsocketsCodec | WsprotoCodec]) -> Make:
    def make() -> Callable[[int], object]:
        write = _codec(codec_class).text

        def run(operations: int) -> None:
            for _ in range(operations):
                write(_TEXT)

        return run

    return make


def _codec(codec_class: type[WebsocketsCodec | WsprotoCodec]) -> FrameCodec:
    return codec_class(_Sink(), _LIMITS)


STAGES: Final = (
    Stage("read: websockets", _read_websockets),
    Stage("read: wsproto", _read_wsproto),
    Stage("read: srvctl", _reads(WebsocketsCodec)),
    Stage("read: srvctl, wsproto", _reads(WsprotoCodec)),
    Stage("write: websockets", _write_websockets),
    Stage("write: wsproto", _write_wsproto),
    Stage("write: srvctl", _writes(WebsocketsCodec)),
    Stage("write: srvctl, wsproto", _writes(WsprotoCodec)),
)

if __name__ == "__main__":
    sys.exit(main("benchmarks.micro.frames", STAGES))
