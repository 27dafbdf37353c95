"""A file of 8 MB in three ways: two that leave it to the server, and one as a stream of pieces.

For servers that offer the ASGI extensions http.response.pathsend and http.response.zerocopysend; /stream
works with all. The file is made at import and is gone when the process is.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SIZE = 8_000_000  #: bytes
PIECE = 64 * 1024  #: bytes

_file = tempfile.NamedTemporaryFile(prefix="srvctl-bench-")  # noqa: SIM115 - open as long as the process lives
_file.write(bytes(range(256)) * (SIZE // 256))
_file.flush()


async def files(scope: Message, _receive: Receive, send: Send) -> None:
    """Answer /pathsend, /zerocopysend and /stream with the same 8 MB.

    Raises:
        NotImplementedError: The scope is not that of a request.
    """
    if scope["type"] != "http":
        raise NotImplementedError(f"This application does not speak {scope['type']!r}.")
    way = _WAYS.get(scope["path"])
    status, length = (200, SIZE) if way is not None else (404, 0)
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if way is not None:
        await way(send)
    else:
        await send({"type": "http.response.body"})


async def _pathsend(send: Send) -> None:
    await send({"type": "http.response.pathsend", "path": _file.name})


async def _zerocopysend(send: Send) -> None:
    await send({"type": "http.response.zerocopysend", "file": _file.fileno(), "offset": 0, "count": SIZE})


async def _stream(send: Send) -> None:
    """Read in a thread, as frameworks do."""
    with await asyncio.to_thread(open, _file.name, "rb") as file:
        left = SIZE
        while left:
            piece = await asyncio.to_thread(file.read, PIECE)
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})


_WAYS = {"/pathsend": _pathsend, "/zerocopysend": _zerocopysend, "/stream": _stream}
