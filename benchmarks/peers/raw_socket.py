"""A WebSocket on uvloop that checks nothing and sends frames back without their mask: the floor for Python.

``python -m benchmarks.peers.raw_socket PORT``. No application, no text, no fragments, and no compression.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from typing import Final, cast

import uvloop
from websockets.speedups import apply_mask

_KEY: Final = re.compile(rb"(?i)\r\nsec-websocket-key: *(\S+)")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE: Final = 0x88


class _Echoing(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._is_open = False
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._open(data)
            return
        if self._rest:
            data = self._rest + data
        at = 0
        while len(data) - at >= 6 and (end := at + _size(data, at)) <= len(data):
            self._echo(data[at:end])
            at = end
        self._rest = data[at:]

    def _open(self, request: bytes) -> None:
        found = _KEY.search(request)
        if found is None:  # the benchmark looks whether anybody listens
            self._transport.close()
            return
        accept = base64.b64encode(hashlib.sha1(found[1] + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        self._is_open = True

    def _echo(self, frame: bytes) -> None:
        start = 4 if frame[1] == 254 else 2
        payload = apply_mask(frame[start + 4 :], frame[start : start + 4])
        self._transport.write(bytes((frame[0], frame[1] & 127)) + frame[2:start] + payload)
        if frame[0] == _CLOSE:
            self._transport.close()


def _size(data: bytes, at: int) -> int:
    """Return the size of the frame that begins there, which is below 64 KiB."""
    length = data[at + 1] & 127
    return 6 + length if length < 126 else 8 + int.from_bytes(data[at + 2 : at + 4], "big")


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Echoing, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
