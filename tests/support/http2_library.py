"""A client made of Python's h2, whose HPACK, frames and windows are not ours."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from h2.events import Event

    from tests.support.client import Address


class Outcome:
    """What became of a request."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()
        self.has_ended = self.was_reset = False

    def __repr__(self) -> str:
        return f"<{self.status} {bytes(self.body[:200])!r} ended={self.has_ended} reset={self.was_reset}>"


class LibraryClient:
    """A connection.

    Args:
        address: Where.

    Attributes:
        h2: The library's side of it.
        outcomes: By stream.
        pongs: How many PINGs were answered.
        acks: How often settings were acknowledged.
    """

    def __init__(self, address: Address) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        self.outcomes: dict[int, Outcome] = {}
        self.pongs = self.acks = 0
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(address)
            self.h2.initiate_connection()
            self._wait_acknowledged()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def flush(self) -> None:
        """Send what the library has to say."""
        self._socket.sendall(self.h2.data_to_send())

    def update_settings(self, values: dict[int, int]) -> None:
        """Send settings and wait until they hold: the library does not tell acknowledgements apart."""
        self.h2.update_settings(values)
        self._wait_acknowledged()

    def _wait_acknowledged(self) -> None:
        self.flush()
        before = self.acks
        while self.acks == before:
            self.read()

    def ask(self, fields: list[tuple[str, str]], *, end: bool) -> int:
        """Begin a request; return its stream."""
        stream: int = self.h2.get_next_available_stream_id()
        self.outcomes[stream] = Outcome()
        self.h2.send_headers(stream, fields, end_stream=end)
        self.flush()
        return stream

    def send_body(self, stream: int, body: bytes, *, end: bool, padding: int | None = None) -> None:
        """Send a piece of a body, as windows allow."""
        while body:
            while (room := min(self.h2.local_flow_control_window(stream), 16_000) - 300) <= 0:
                self.read()
            self.h2.send_data(stream, body[:room], pad_length=padding)
            body = body[room:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def read(self) -> None:
        """Take in what came."""
        came = self._socket.recv(65536)
        assert came, f"the connection ended: {self.outcomes}"
        for event in self.h2.receive_data(came):
            self._take_in(event)
        self.flush()

    def _take_in(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self.outcomes[event.stream_id].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, ResponseReceived):
            fields = {str(name): value for name, value in event.headers}  # texts, as the library is told to
            self.outcomes[event.stream_id].status = int(fields[":status"])
        elif isinstance(event, StreamEnded):
            self.outcomes[event.stream_id].has_ended = True
        elif isinstance(event, StreamReset):
            self.outcomes[event.stream_id].was_reset = True
        elif isinstance(event, PingAckReceived):
            self.pongs += 1
        elif isinstance(event, SettingsAcknowledged):
            self.acks += 1
        else:
            assert not isinstance(event, ConnectionTerminated), event
            assert not isinstance(event, InformationalResponseReceived | TrailersReceived), event

    def wait(self, stream: int) -> Outcome:
        """Read until a request has its outcome."""
        outcome = self.outcomes[stream]
        while not (outcome.has_ended or outcome.was_reset):
            self.read()
        return outcome
