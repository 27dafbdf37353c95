"""The frames a server sends."""

from __future__ import annotations

import pytest

from srvctl.worker.websocket.writing import close_payload, frame
from tests.support.wire_websocket import BINARY, COMPRESSED, FINAL, read_frames


@pytest.mark.parametrize(("size", "head"), [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_lengths_have_their_shortest_form(size: int, head: int) -> None:
    """RFC 6455 section 5.2."""
    data = frame(BINARY, bytes(size))
    assert len(data) == head + size
    assert read_frames(data) == ([(FINAL | BINARY, bytes(size))], b"")


@pytest.mark.parametrize("size", [1, 200, 70_000])
def test_flags(size: int) -> None:
    """Stand in the first byte."""
    assert frame(BINARY, bytes(size), COMPRESSED)[0] == FINAL | COMPRESSED | BINARY


@pytest.mark.parametrize(
    ("code", "reason", "payload"),
    [
        (1000, "", b"\x03\xe8"),
        (4999, "a", b"\x13\x87a"),
        (1005, "lost", b""),
        (1000, "x" * 200, b"\x03\xe8" + b"x" * 123),
        (1000, "ü" * 100, b"\x03\xe8" + "ü".encode() * 61),
        (1000, "x" * 122 + "€", b"\x03\xe8" + b"x" * 122),
    ],
)
def test_closes(code: int, reason: str, payload: bytes) -> None:
    """Fit a control frame, and no character is cut."""
    assert close_payload(code, reason) == payload
