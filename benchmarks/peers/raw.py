"""A protocol on uvloop that parses nothing and answers each empty line with hello: the floor for Python.

``python -m benchmarks.peers.raw PORT``
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final, cast

import uvloop

from benchmarks.apps.bare import HELLO

_RESPONSE: Final = (
    b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: raw\r\n"
    b"content-type: text/plain\r\ncontent-length: %d\r\n\r\n%b" % (len(HELLO), HELLO)
)


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        self._write(_RESPONSE * data.count(b"\r\n\r\n"))  # of pipelined requests there are more than one


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
