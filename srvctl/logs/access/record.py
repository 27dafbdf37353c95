"""What a worker tells about a finished request."""

from __future__ import annotations

from typing import Final, NamedTuple

from srvctl.logs.access.escape import plain

#: Takes the place of the method in the record of a WebSocket.
WEBSOCKET: Final = "WebSocket"


class AccessRecord(NamedTuple):
    """One finished request. Those from ``size`` on are read only where the format asks for them.

    Attributes:
        client: Host and port of the client, as `client_text` gives them; empty without one.
        method: Its method, or `WEBSOCKET`.
        target: Path and query, not decoded.
        version: The HTTP version, ``1.1``.
        status: The status; for a WebSocket a text such as ``[accepted]``.
        size: Bytes of the response's body that were sent.
        duration: Seconds from the head of the request to the end of the response.
        time: When it ended, in seconds since the epoch.
        scheme: ``http`` or ``https``.
        headers: Header fields of the request, names in lower case.
        fields: Header fields of the response as lines, each ended by CR LF.
        request_id: What the request is called, or nothing.
    """

    client: str
    method: str
    target: bytes
    version: str
    status: int | str
    size: int = 0
    duration: float = 0.0
    time: float = 0.0
    scheme: str = "http"
    headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...] = ()
    fields: bytes = b""
    request_id: bytes = b""

    @property
    def request_line(self) -> str:
        """The first line of the request, not escaped; one of a WebSocket shows no version."""
        line = f"{self.method} {self.target.decode('latin-1')}"
        return line if self.method == WEBSOCKET else f"{line} HTTP/{self.version}"

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """The query without its question mark."""
        return self.target.partition(b"?")[2]

    @property
    def host(self) -> str:
        """The client's address without its port; empty without a client."""
        return self.client.rpartition(":")[0]

    def header(self, name: bytes) -> bytes | None:
        """Return what the request says under this name (lower case), or None; several are joined."""
        found = None
        for key, value in self.headers:
            if key == name:
                found = value if found is None else b"%b, %b" % (found, value)
        return found

    def response_header(self, name: bytes) -> bytes | None:
        """Return what the response says under this name (lower case), or None; several are joined."""
        pairs = (line.partition(b":") for line in self.fields.split(b"\r\n"))
        values = [value.strip() for key, _, value in pairs if key.lower() == name]
        return b", ".join(values) if values else None


def client_text(address: tuple[str, int | None] | None) -> str:
    """Return the client's host and port as records have them; made once for each connection."""
    return plain(f"{address[0]}:{address[1]}") if address else ""
