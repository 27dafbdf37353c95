"""A client that sends exact bytes and says exactly what came back. It never retries."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: Host and port, or the path of a Unix socket.
Address = tuple[str, int] | str


class ConnectionEnded(Exception):  # noqa: N818 - an outcome, not always an error
    """The server ended the connection before the response was whole.

    Attributes:
        received: What had come of it.
    """

    def __init__(self, received: bytes) -> None:
        super().__init__(f"after {received!r:.200}" if received else "before any response")
        self.received = received


@dataclass(frozen=True, slots=True)
class Response:
    """One response, whole.

    Attributes:
        status: Its status.
        reason: Its reason phrase.
        headers: Names in lower case; of repeated fields the last.
        body: Its content, without the framing.
        chunks: The pieces it came in, when it was chunked.
    """

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The body as a string."""
        return self.body.decode()

    @property
    def pid(self) -> int:
        """The process that answered, as the applications for tests say it."""
        return int(self.headers["x-pid"])

    @property
    def is_last(self) -> bool:
        """Whether the server closes the connection after this."""
        return self.headers.get("connection") == "close"


def _family_of(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


class Connection:
    """One connection to a server."""

    def __init__(self, address: Address, *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket(_family_of(address))
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send_get(self, target: str = "/", *fields: str) -> None:
        """Send a GET request."""
        lines = [f"GET {target} HTTP/1.1", "Host: test", *fields, "", ""]
        self.send("\r\n".join(lines).encode())

    def get(self, target: str = "/", *fields: str) -> Response:
        """Send a GET request and read its response."""
        self.send_get(target, *fields)
        return self.read_response()

    # -- reading ---------------------------------------------------------------------------------------

    def read_response(self) -> Response:
        """Read one response.

        Raises:
            ConnectionEnded: The connection ended before it was whole.
            ConnectionError: The connection was reset.
        """
        status_line, *lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        _, status, reason = status_line.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            chunks = list(iter(self._read_chunk, b""))
            return Response(int(status), reason, headers, b"".join(chunks), chunks)
        if "content-length" in headers:
            body = self.read_exactly(int(headers["content-length"]))
        else:
            body = self.read_until_end()
        return Response(int(status), reason, headers, body)

    def read_until_end(self) -> bytes:
        """Read whatever comes until the server closes the connection."""
        while self._read_more():
            pass
        rest, self._received = bytes(self._received), bytearray()
        return rest

    def stream(self) -> Iterator[bytes]:
        """Read the head of a chunked response, and then yield its pieces as they come."""
        head = self._read_until(b"\r\n\r\n").lower()
        assert b"\r\ntransfer-encoding: chunked" in head, head
        while piece := self._read_chunk():
            yield piece

    def _read_chunk(self) -> bytes:
        size = int(self._read_until(b"\r\n"), 16)
        data = self.read_exactly(size)
        assert self.read_exactly(2) == b"\r\n"
        return data

    def _read_until(self, end: bytes) -> bytes:
        while (at := self._received.find(end)) < 0:
            self._need_more()
        return self._take(at + len(end))[: -len(end)]

    def read_exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._received) < size:
            self._need_more()
        return self._take(size)

    def _need_more(self) -> None:
        if not self._read_more():
            raise ConnectionEnded(bytes(self._received))

    def _read_more(self) -> bool:
        data = self.socket.recv(65536)
        self._received += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data
