"""Text that is UTF-8, and text that is not and is noticed at the first byte that cannot be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_served import ECHO, serving
from tests.conformance.websocket_wire import WebSocket, joined
from tests.support.websocket_frames import (
    BINARY,
    CONTINUATION,
    KEY,
    PING,
    TEXT,
    fragments,
    frame,
    head,
    masked,
)

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

server = serving(ECHO)

GREEK = "κόσμε".encode()
VALID = [
    b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
    GREEK,
    "한국어 日本語 ไทย".encode(),
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf4\x8f\xbf\xbf",
    b"\xef\xbb\xbfwith a mark",
]
#: Whatever comes before the last byte could still become text; with that one it never can.
INVALID = {
    "lone continuation": b"\x80",
    "last lone continuation": b"\xbf",
    "continuation too many": b"\xc2\x80\x80",
    "two bytes, overlong": b"\xc0",
    "two bytes, overlong too": b"\xc1",
    "two bytes, second missing": b"\xc2a",
    "two bytes, another begins": b"\xdf\xc2",
    "three bytes, overlong": b"\xe0\x80",
    "three bytes, overlong, last": b"\xe0\x9f",
    "three bytes, second missing": b"\xe1a",
    "three bytes, third missing": b"\xe1\x80a",
    "three bytes, another begins": b"\xef\xbf\xef",
    "four bytes, overlong": b"\xf0\x80",
    "four bytes, overlong, last": b"\xf0\x8f",
    "four bytes, second missing": b"\xf1a",
    "four bytes, third missing": b"\xf1\x80a",
    "four bytes, fourth missing": b"\xf1\x80\x80a",
    "beyond the last character": b"\xf4\x90",
    "far beyond": b"\xf5",
    "farther beyond": b"\xf7",
    "five bytes": b"\xf8",
    "last of five bytes": b"\xfb",
    "six bytes": b"\xfc",
    "last of six bytes": b"\xfd",
    "fe": b"\xfe",
    "ff": b"\xff",
}
#: Noticed with their last byte at the latest, since that is when Python's decoder does; the second is wrong.
SURROGATES = [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xbf\xbf"]
UNFINISHED = [b"\xc2", b"\xe1", b"\xe1\x80", b"\xf1", b"\xf1\x80", b"\xf1\x80\x80", GREEK[:-1]]

valid = pytest.mark.parametrize("content", VALID)
invalid = pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
before = pytest.mark.parametrize("start", [b"", GREEK], ids=["at the start", "behind text"])


@valid
def test_text(server: ServerProcess, content: bytes) -> None:
    """RFC 6455 section 5.6: however it is cut."""
    single = joined(fragments(TEXT, *(bytes([byte]) for byte in content)))
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, content) + single)
        ws.check_echoes(TEXT, content, content)
        ws.send_single(frame(TEXT, content) + single)
        ws.check_echoes(TEXT, content, content)
        ws.check_open()


@invalid
@before
def test_what_is_not_text(server: ServerProcess, content: bytes, start: bytes) -> None:
    """RFC 6455 section 8.1: 1007."""
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, start + content + b" and on"))
        ws.check_failed(1007)


@invalid
def test_what_is_not_text_behind_a_message(server: ServerProcess, content: bytes) -> None:
    """RFC 6455 section 8.1: all in one packet, and the message is still answered."""
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, GREEK) + frame(TEXT, content) + frame(TEXT, b"after"))
        ws.check_message(TEXT, GREEK)
        ws.check_failed(1007)


@invalid
@before
def test_it_is_noticed_within_a_message(server: ServerProcess, content: bytes, start: bytes) -> None:
    """RFC 6455 section 8.1: in the fragment in which it is, and not before."""
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, start, is_final=False))
        for byte in content[:-1]:
            ws.send(frame(CONTINUATION, bytes([byte]), is_final=False))
        ws.check_open()
        ws.send(frame(CONTINUATION, content[-1:], is_final=False))
        ws.check_failed(1007)


@invalid
@before
def test_it_is_noticed_within_a_frame(server: ServerProcess, content: bytes, start: bytes) -> None:
    """RFC 6455 section 8.1: at the first byte that is wrong, however much is still to come."""
    with WebSocket(server) as ws:
        ws.send(head(TEXT, 1000) + masked(start + content))
        ws.check_failed(1007)


@pytest.mark.parametrize("content", SURROGATES)
@before
def test_surrogates(server: ServerProcess, content: bytes, start: bytes) -> None:
    """RFC 3629 section 3: no character, whole or within a fragment or a frame."""
    for sent in (
        frame(TEXT, start + content),
        frame(TEXT, start, is_final=False) + frame(CONTINUATION, content, is_final=False),
        head(TEXT, 1000) + masked(start + content),
    ):
        with WebSocket(server) as ws:
            ws.send(sent)
            ws.check_failed(1007)


def test_it_is_noticed_in_single_bytes(server: ServerProcess) -> None:
    """RFC 6455 section 8.1: within a frame and within a message."""
    for content in INVALID.values():
        with WebSocket(server) as ws:
            ws.send_single(frame(TEXT, GREEK[:3], is_final=False))
            ws.send_single(head(CONTINUATION, 1000) + masked(GREEK[3:] + content))
            ws.check_failed(1007)


@pytest.mark.parametrize("content", UNFINISHED)
def test_a_character_may_not_be_missing_its_end(server: ServerProcess, content: bytes) -> None:
    """RFC 6455 section 8.1: but it may be in the next fragment, with a ping before it."""
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, content, is_final=False) + frame(PING, b"\xff"))
        ws.check_pong(b"\xff")
        ws.send(frame(CONTINUATION))
        ws.check_failed(1007)
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, b"whole") + frame(TEXT, content))
        ws.check_message(TEXT, b"whole")
        ws.check_failed(1007)


def test_a_long_text_is_noticed_too(server: ServerProcess) -> None:
    """In the last byte of a long fragment, the first of which ended within a character."""
    filler = GREEK * 10_000
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, filler + GREEK[:1], is_final=False))
        ws.send(frame(CONTINUATION, GREEK[1:] + filler + b"\xed", is_final=False))
        ws.check_open()
        ws.send(head(CONTINUATION, 5, key=KEY) + masked(b"\xa0\xa0"))
        ws.check_failed(1007)


@pytest.mark.parametrize("content", [*INVALID.values(), *UNFINISHED])
def test_binary_messages_need_not_be_text(server: ServerProcess, content: bytes) -> None:
    """RFC 6455 section 5.6."""
    with WebSocket(server) as ws:
        ws.send(frame(BINARY, content) + joined(fragments(BINARY, content, content)))
        ws.check_echoes(BINARY, content, content * 2)
        ws.check_open()
