"""What only the codec that is the default does."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from srvctl.worker.websocket.protocol import MessageLimits
from srvctl.worker.websocket.websockets_codec import WebsocketsCodec


def codec() -> WebsocketsCodec:
    return WebsocketsCodec(Mock(), MessageLimits(size=1 << 24))


@pytest.mark.parametrize(("kind", "message"), [("text", "to all"), ("binary", b"to all")])
def test_what_is_sent_to_many_is_made_once(kind: str, message: str | bytes) -> None:
    """All get the very same bytes, until something else is sent."""
    first = getattr(codec(), kind)(message)
    assert getattr(codec(), kind)(message) is first
    other = getattr(codec(), kind)(2 * message)
    assert other != first
    assert getattr(codec(), kind)(message) == first


def test_text_and_bytes_are_not_taken_for_each_other() -> None:
    assert codec().text("a") == b"\x81\x01a"
    assert codec().binary(b"a") == b"\x82\x01a"


def test_what_is_large_is_not_kept() -> None:
    """It would take memory for as long as nothing else is sent."""
    large = "a" * 1_000_000
    assert codec().text(large) is not codec().text(large)
