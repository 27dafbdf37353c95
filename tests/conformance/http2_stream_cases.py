"""Cases of RFC 9113 section 5: what may come on a stream in each of its states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.conformance.http2_cases import Case, answered, failed, goes_on, reset, reset_or_failed
from tests.support.http2_frames import (
    HAS_PRIORITY,
    MOST,
    Code,
    asked,
    block,
    continuation,
    data,
    dependency,
    frame,
    get,
    headers,
    post,
    priority,
    rst_stream,
    window_update,
)

if TYPE_CHECKING:
    from tests.support.http2_client import Http2


def _is_answered(client: Http2) -> None:
    """Behind the highest stream no other can be opened, so that none is tried."""
    answer = client.answer(MOST)
    assert (answer.status, answer.body) == (200, b"ok"), answer
    client.check_open()


PROTOCOL: Final = failed(Code.PROTOCOL_ERROR)
ASKED: Final = block(*asked())
TRAILERS: Final = block(("x-after", "1"))
#: The server has all of the request; what the application does with it takes until the client leaves.
HALF_CLOSED: Final = get(1, "/watch")
#: The client gave up on it, which the server knows.
CANCELLED: Final = HALF_CLOSED + rst_stream(1)
UNKNOWN: Final = frame(0x16, 0xFF, 1, b"what")

IDLE: Final = [
    Case("idle: HEADERS", "5.1", get(1), answered()),
    Case("idle: PRIORITY", "5.1", priority(1) + get(1), answered()),
    Case("idle: PRIORITY of a later stream", "5.1", priority(7) + get(1), answered()),
    Case("idle: DATA", "5.1", data(1, b"x", end=True), PROTOCOL),
    Case("idle: RST_STREAM", "5.1", rst_stream(1), PROTOCOL),
    Case("idle: WINDOW_UPDATE", "5.1", window_update(1, 100), PROTOCOL),
    Case("idle: CONTINUATION", "5.1", continuation(1, ASKED), PROTOCOL),
    Case("idle: an unknown type", "5.5", UNKNOWN + get(1), answered()),
    Case("idle, and above a used one: DATA", "5.1", get(1) + data(3, b"x"), PROTOCOL),
    Case("idle, and above a used one: RST_STREAM", "5.1", get(1) + rst_stream(3), PROTOCOL),
    Case("idle, and of the server: WINDOW_UPDATE", "5.1", get(1) + window_update(2, 1), PROTOCOL),
    Case("idle, and of the server: RST_STREAM", "5.1", get(1) + rst_stream(2), PROTOCOL),
    Case("idle, and of the server: DATA", "5.1", get(1) + data(2, b"x"), PROTOCOL),
]

OPEN: Final = [
    Case("open: DATA", "5.1", (post(1, "/ok"), data(1, b"ab"), data(1, b"c", end=True)), answered()),
    Case("open: empty DATA ends it", "5.1", post(1, "/ok") + data(1, end=True), answered()),
    Case("open: trailers", "8.1", post(1, "/ok") + data(1, b"x") + headers(1, TRAILERS), answered()),
    Case("open: PRIORITY", "5.1", post(1, "/ok") + priority(1) + data(1, end=True), answered()),
    Case("open: WINDOW_UPDATE", "5.1", post(1, "/ok") + window_update(1, 9) + data(1, end=True), answered()),
    Case("open: RST_STREAM", "5.1", post(1, "/watch") + rst_stream(1), goes_on()),
    Case("open: an unknown type", "5.5", post(1, "/ok") + UNKNOWN + data(1, end=True), answered()),
]

HALF: Final = [
    Case("half-closed: DATA", "5.1", HALF_CLOSED + data(1, b"x"), reset(1, Code.STREAM_CLOSED)),
    Case("half-closed: empty DATA", "5.1", HALF_CLOSED + data(1, end=True), reset(1, Code.STREAM_CLOSED)),
    Case("half-closed: HEADERS", "5.1", HALF_CLOSED + get(1), reset(1, Code.STREAM_CLOSED)),
    Case("half-closed: trailers", "5.1", HALF_CLOSED + headers(1, TRAILERS), reset(1, Code.STREAM_CLOSED)),
    Case("half-closed: CONTINUATION", "5.1", HALF_CLOSED + continuation(1, TRAILERS), PROTOCOL),
    Case("half-closed: PRIORITY", "5.1", HALF_CLOSED + priority(1), goes_on()),
    Case("half-closed: WINDOW_UPDATE", "5.1", HALF_CLOSED + window_update(1, 100), goes_on()),
    Case("half-closed: RST_STREAM", "5.1", CANCELLED, goes_on()),
    Case("half-closed: an unknown type", "5.5", HALF_CLOSED + UNKNOWN, goes_on()),
    Case(
        "trailers end it: DATA",
        "5.1",
        (post(1, "/watch"), headers(1, TRAILERS), data(1, b"x")),
        reset(1, Code.STREAM_CLOSED),
    ),
]

_ENDED: Final = (Code.STREAM_CLOSED,)
CLOSED: Final = [
    Case("reset by the client: DATA", "5.1", CANCELLED + data(1, b"x"), reset_or_failed(1, *_ENDED)),
    Case("reset by the client: HEADERS", "5.1", CANCELLED + get(1), reset_or_failed(1, *_ENDED)),
    Case("reset by the client: CONTINUATION", "5.1", CANCELLED + continuation(1, b""), PROTOCOL),
    Case("reset by the client: PRIORITY", "5.1", CANCELLED + priority(1), goes_on()),
    Case("reset by the client: WINDOW_UPDATE", "5.1", CANCELLED + window_update(1, 100), goes_on()),
    Case("reset by the client: RST_STREAM", "5.1", CANCELLED + rst_stream(1), goes_on()),
    Case("reset by the client: an unknown type", "5.5", CANCELLED + UNKNOWN, goes_on()),
]

IDENTIFIERS: Final = [
    Case("an even stream", "5.1.1", get(2), PROTOCOL),
    Case("streams may be left out", "5.1.1", get(7), answered(7)),
    Case("a lower stream", "5.1.1", get(5, "/watch") + get(3), failed(Code.PROTOCOL_ERROR, *_ENDED)),
    Case("DATA of a stream that was left out", "5.1.1", get(5) + data(3, b"x"), reset_or_failed(3, *_ENDED)),
    Case("WINDOW_UPDATE of one that was left out", "5.1.1", get(5) + window_update(3, 1), goes_on(5)),
    Case("RST_STREAM of one that was left out", "5.1.1", get(5) + rst_stream(3), goes_on(5)),
    Case("the highest stream", "5.1.1", get(MOST), _is_answered),
]

DEPENDENCIES: Final = [
    Case(
        "HEADERS that depend on themselves",
        "5.3.1",
        headers(1, dependency(1) + ASKED, flags=HAS_PRIORITY),
        goes_on(),
    ),
    Case("PRIORITY of a stream on itself", "5.3.1", priority(1, 1), goes_on()),
]

ALL: Final = [IDLE, OPEN, HALF, CLOSED, IDENTIFIERS]
