"""Frames, and what has to come of them: how the tables about HTTP/2 are written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.http2_client import Http2
from tests.support.http2_frames import GOAWAY, PREFACE, RST_STREAM, Code, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Address

START = PREFACE + settings()


@dataclass(frozen=True)
class Case:
    """Frames, and what has to come of them.

    Attributes:
        name: What is tested.
        clause: What demands it.
        sent: The bytes behind the preface and the settings, all at once.
        outcome: Takes the connection.
        start: What is sent first.
        values: Settings that are sent behind it.
    """

    name: str
    clause: str
    sent: bytes | tuple[bytes, ...]
    outcome: Callable[[Http2], object]
    start: bytes = START
    values: dict[int, int] | None = None

    def run(self, address: Address) -> None:
        """Send it, and look what comes of it."""
        sent = self.sent if isinstance(self.sent, bytes) else b"".join(self.sent)
        with Http2(address, values=None) as client:
            client.new_stream()  # 1 is used by nearly every case
            client.send(self.start)
            if self.values is not None:
                client.send_settings(self.values)
            client.send(sent)
            self.outcome(client)


def failed(*codes: Code) -> Callable[[Http2], object]:
    """Expect the end of the connection, with one of these codes (section 5.4.1)."""
    return lambda client: client.check_failed(*codes)


def reset(stream: int, *codes: Code) -> Callable[[Http2], object]:
    """Expect the end of the stream, with one of these codes; the next one is served (section 5.4.2)."""

    def check(client: Http2) -> None:
        client.check_reset(stream, *codes)
        _serves_behind(client, stream)

    return check


def refused(stream: int = 1, *statuses: int) -> Callable[[Http2], object]:
    """Expect that a malformed request is answered so or reset; the next one is served (section 8.1.1)."""

    def check(client: Http2) -> None:
        answer = client.answer(stream)
        if answer.reset is None or answer.status:
            assert answer.status in (statuses or (400,)), answer
        else:
            assert answer.reset == Code.PROTOCOL_ERROR, answer
        _serves_behind(client, stream)

    return check


def reset_or_failed(stream: int, *codes: Code) -> Callable[[Http2], object]:
    """Expect the end of the stream or of the connection, where the specification leaves that open."""

    def check(client: Http2) -> None:
        ended = client.until(
            lambda frame: (
                (frame.kind == GOAWAY and frame.code != Code.NO_ERROR)
                or (frame.kind == RST_STREAM and frame.stream == stream)
            )
        )
        assert ended.code in codes, f"{ended} was to be {[code.name for code in codes]}"
        if ended.kind == GOAWAY:
            client.check_end()
        else:
            _serves_behind(client, stream)

    return check


def answered(stream: int = 1, status: int = 200, body: bytes | None = b"ok") -> Callable[[Http2], object]:
    """Expect a response; the next request is answered as well."""

    def check(client: Http2) -> None:
        answer = client.answer(stream)
        assert answer.status == status, answer
        assert answer.has_ended, answer
        if body is not None:
            assert answer.body == body, answer
        _serves_behind(client, stream)

    return check


def goes_on(stream: int = 1) -> Callable[[Http2], object]:
    """Expect that it does no harm: the next request is answered."""
    return lambda client: _serves_behind(client, stream)


def ends(client: Http2) -> None:
    """Expect the end of the connection, with whatever reason, or as HTTP/1.1 says it."""
    came = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while more := client.socket.recv(65536):
            came += more
    assert b" 200 " not in came, came


def _serves_behind(client: Http2, stream: int) -> None:
    while client.new_stream() < stream:
        pass
    client.check_open()
    client.check_serves()


def parameters(*tables: list[Case]) -> pytest.MarkDecorator:
    """Return the parameter ``case`` of a test: each case of the tables."""
    cases = [case for table in tables for case in table]
    assert len({case.name for case in cases}) == len(cases), "two cases have one name"
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.name} ({case.clause})")
