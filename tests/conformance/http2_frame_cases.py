"""Cases of RFC 9113 sections 3.4, 4, 5.5 and 6: the preface, frames, and the rules of each kind."""

from __future__ import annotations

from typing import Final

from tests.conformance.http2_cases import Case, answered, ends, failed, goes_on, reset_or_failed
from tests.support.http2_frames import (
    ACK,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MOST,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Code,
    asked,
    block,
    continuation,
    data,
    dependency,
    frame,
    get,
    goaway,
    headers,
    literal,
    ping,
    post,
    priority,
    rst_stream,
    settings,
    window_update,
)

PROTOCOL, SIZE = failed(Code.PROTOCOL_ERROR), failed(Code.FRAME_SIZE_ERROR)
FLOW: Final = failed(Code.FLOW_CONTROL_ERROR)
ASKED: Final = block(*asked())
LARGE: Final = literal("x-large", "x" * 16300) + literal("x-more", "y" * 200)

PREFACES: Final = [
    Case("a preface that goes wrong in its second half", "3.4", b"", ends, PREFACE[:18] + b"XX\r\n\r\n"),
    Case("PING before SETTINGS", "3.4", b"", PROTOCOL, PREFACE + ping()),
    Case("a request before SETTINGS", "3.4", b"", PROTOCOL, PREFACE + get(1)),
    Case("an acknowledgement before SETTINGS", "3.4", b"", PROTOCOL, PREFACE + settings(ack=True)),
    Case("an empty SETTINGS frame will do", "3.4", get(1), answered()),
    Case("a second preface", "3.4", PREFACE, failed(Code.FRAME_SIZE_ERROR, Code.PROTOCOL_ERROR)),
]

FRAMES: Final = [
    Case("an unknown type", "4.1", frame(0x16, payload=bytes(8)) + get(1), answered()),
    Case("an unknown type of 16384 bytes", "4.2", frame(0x16, payload=bytes(16384)) + get(1), answered()),
    Case("an unknown type on a stream", "5.5", (post(1), frame(0xFE, 0xFF, 1), data(1, end=True)), goes_on()),
    Case("an unknown type that is too long", "4.2", frame(0x16, payload=bytes(16385)), SIZE),
    Case("flags that mean nothing to PING", "4.1", frame(PING, 0xFE, 0, b"12345678") + get(1), answered()),
    Case("flags that mean nothing to DATA", "4.1", (post(1, "/ok"), frame(DATA, 0xF7, 1)), answered()),
    Case(
        "flags that mean nothing to HEADERS",
        "4.1",
        frame(HEADERS, 0xD2 | END_STREAM | END_HEADERS, 1, ASKED),
        answered(),
    ),
    Case("the reserved bit of PING", "4.1", frame(PING, 0, 0, bytes(8), reserved=True) + get(1), answered()),
    Case(
        "the reserved bit of a request",
        "4.1",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, ASKED, reserved=True),
        answered(),
    ),
    Case("DATA of 16384 bytes", "4.2", (post(1, "/ok"), data(1, bytes(16384), end=True)), answered()),
    Case(
        "DATA of 16385 bytes",
        "4.2",
        (post(1), data(1, bytes(16385))),
        reset_or_failed(1, Code.FRAME_SIZE_ERROR),
    ),
    Case("HEADERS of 16385 bytes", "4.2", headers(1, ASKED + LARGE[: 16385 - len(ASKED)]), SIZE),
    Case("SETTINGS of 16386 bytes", "4.2", frame(SETTINGS, payload=bytes(16386)), SIZE),
    Case("the longest length", "4.2", frame(DATA, 0, 1, bytes(100), length=2**24 - 1), SIZE),
]

CONTINUATIONS: Final = [
    Case(
        "fields in two frames",
        "6.10",
        headers(1, ASKED[:9], is_whole=False) + continuation(1, ASKED[9:]),
        answered(),
    ),
    Case(
        "fields in one frame for each byte",
        "4.3",
        (
            headers(1, ASKED[:1], is_whole=False),
            *(continuation(1, ASKED[at : at + 1], is_last=False) for at in range(1, len(ASKED))),
            continuation(1, b""),
        ),
        answered(),
    ),
    Case(
        "no fields in the first frame",
        "6.2",
        headers(1, b"", is_whole=False) + continuation(1, ASKED),
        answered(),
    ),
    Case("CONTINUATION behind nothing", "6.10", continuation(1, ASKED), PROTOCOL),
    Case("CONTINUATION behind the last fields", "6.10", get(1, "/watch") + continuation(1, b""), PROTOCOL),
    Case(
        "CONTINUATION behind the last CONTINUATION",
        "6.10",
        headers(1, ASKED, is_whole=False) + continuation(1, b"") + continuation(1, b""),
        PROTOCOL,
    ),
    Case("CONTINUATION behind DATA", "6.10", post(1) + data(1) + continuation(1, b""), PROTOCOL),
    Case(
        "CONTINUATION of another stream",
        "6.10",
        headers(1, ASKED, is_whole=False) + continuation(3, b""),
        PROTOCOL,
    ),
    Case(
        "CONTINUATION of no stream",
        "6.10",
        headers(1, ASKED, is_whole=False) + continuation(0, b""),
        PROTOCOL,
    ),
    *(
        Case(f"{name} between fields", "4.3", headers(1, ASKED, is_whole=False) + between, PROTOCOL)
        for name, between in {
            "DATA": data(1),
            "HEADERS of the stream": headers(1, ASKED),
            "HEADERS of another stream": get(3),
            "PRIORITY": priority(1),
            "RST_STREAM": rst_stream(1),
            "SETTINGS": settings(),
            "PING": ping(),
            "GOAWAY": goaway(),
            "WINDOW_UPDATE": window_update(0, 1),
            "an unknown type": frame(0x16, 0, 1),
        }.items()
    ),
]

DATA_FRAMES: Final = [
    Case("DATA of no stream", "6.1", data(0, b"x"), PROTOCOL),
    Case("DATA with padding", "6.1", (post(1, "/ok"), data(1, b"x", end=True, padding=200)), answered()),
    Case(
        "DATA of padding only", "6.1", (post(1, "/ok"), data(1, padding=255), data(1, end=True)), answered()
    ),
    Case(
        "DATA with padding of no bytes",
        "6.1",
        (post(1, "/ok"), data(1, b"x", end=True, padding=0)),
        answered(),
    ),
    Case(
        "DATA with as much padding as payload", "6.1", (post(1), frame(DATA, PADDED, 1, b"\x04abc")), PROTOCOL
    ),
    Case(
        "DATA with more padding than payload", "6.1", (post(1), frame(DATA, PADDED, 1, b"\xffabc")), PROTOCOL
    ),
    Case(
        "DATA without the length of its padding",
        "6.1",
        (post(1), frame(DATA, PADDED, 1)),
        failed(Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR),
    ),
]

HEADERS_FRAMES: Final = [
    Case("HEADERS of no stream", "6.2", headers(0, ASKED), PROTOCOL),
    Case("HEADERS with padding", "6.2", headers(1, b"\x05" + ASKED + bytes(5), flags=PADDED), answered()),
    Case(
        "HEADERS with padding and priority",
        "6.2",
        headers(1, b"\x05" + dependency(3) + ASKED + bytes(5), flags=PADDED | HAS_PRIORITY),
        answered(),
    ),
    Case("HEADERS with priority", "6.2", headers(1, dependency(0) + ASKED, flags=HAS_PRIORITY), answered()),
    Case(
        "HEADERS with as much padding as payload",
        "6.2",
        headers(1, bytes([len(ASKED) + 1]) + ASKED, flags=PADDED),
        PROTOCOL,
    ),
    Case(
        "HEADERS with more padding than the priority leaves",
        "6.2",
        headers(1, b"\x06" + dependency(0) + bytes(5), flags=PADDED | HAS_PRIORITY),
        PROTOCOL,
    ),
    Case(
        "HEADERS too short for their priority",
        "6.2",
        headers(1, b"\0\0\0\0", flags=HAS_PRIORITY),
        failed(Code.FRAME_SIZE_ERROR, Code.PROTOCOL_ERROR),
    ),
    Case(
        "HEADERS without the length of its padding",
        "6.2",
        headers(1, b"", flags=PADDED),
        failed(Code.FRAME_SIZE_ERROR, Code.PROTOCOL_ERROR),
    ),
]

PRIORITIES: Final = [
    Case("PRIORITY of no stream", "6.3", priority(0), PROTOCOL),
    Case(
        "PRIORITY of 4 bytes",
        "6.3",
        frame(PRIORITY, 0, 1, bytes(4)),
        reset_or_failed(1, Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "PRIORITY of 6 bytes",
        "6.3",
        frame(PRIORITY, 0, 1, bytes(6)),
        reset_or_failed(1, Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "PRIORITY says nothing any more", "5.3.2", priority(1, 3) + priority(3, 1, 255) + get(1), answered()
    ),
]

RST_STREAMS: Final = [
    Case("RST_STREAM of no stream", "6.4", rst_stream(0), PROTOCOL),
    Case("RST_STREAM of an idle stream", "6.4", rst_stream(1), PROTOCOL),
    Case("RST_STREAM of 3 bytes", "6.4", get(1, "/watch") + frame(RST_STREAM, 0, 1, bytes(3)), SIZE),
    Case("RST_STREAM of 5 bytes", "6.4", get(1, "/watch") + frame(RST_STREAM, 0, 1, bytes(5)), SIZE),
    Case("RST_STREAM with an unknown code", "7", get(1, "/watch") + rst_stream(1, 0xFFFFFFFF), goes_on()),
]

#: Both ends of each range, and what is just outside (section 6.5.2).
_SETTINGS_VALUES: Final = {
    "no header table": (HEADER_TABLE_SIZE, 0, None),
    "the largest header table": (HEADER_TABLE_SIZE, 2**32 - 1, None),
    "no push": (ENABLE_PUSH, 0, None),
    "push": (ENABLE_PUSH, 1, None),
    "push of 2": (ENABLE_PUSH, 2, PROTOCOL),
    "no streams": (MAX_CONCURRENT_STREAMS, 0, None),
    "the largest window": (INITIAL_WINDOW_SIZE, MOST, None),
    "a window of 2^31": (INITIAL_WINDOW_SIZE, 2**31, FLOW),
    "a window of 2^32-1": (INITIAL_WINDOW_SIZE, 2**32 - 1, FLOW),
    "the smallest frames": (MAX_FRAME_SIZE, 2**14, None),
    "the largest frames": (MAX_FRAME_SIZE, 2**24 - 1, None),
    "frames below the smallest": (MAX_FRAME_SIZE, 2**14 - 1, PROTOCOL),
    "frames above the largest": (MAX_FRAME_SIZE, 2**24, PROTOCOL),
    "the largest list of fields": (MAX_HEADER_LIST_SIZE, 2**32 - 1, None),
    "an unknown setting": (0xFF, 1, None),
    "a reserved setting": (0xFFFF, 2**32 - 1, None),
    "setting number 0": (0, 7, None),
}

SETTINGS_FRAMES: Final = [
    Case("SETTINGS of a stream", "6.5", frame(SETTINGS, 0, 1), PROTOCOL),
    Case("an acknowledgement with a payload", "6.5", frame(SETTINGS, ACK, 0, bytes(6)), SIZE),
    Case("SETTINGS of 3 bytes", "6.5", frame(SETTINGS, 0, 0, bytes(3)), SIZE),
    Case("SETTINGS of 7 bytes", "6.5", frame(SETTINGS, 0, 0, bytes(7)), SIZE),
    Case(
        "the last of two values counts",
        "6.5.3",
        frame(SETTINGS, 0, 0, bytes.fromhex("0002 00000000 0002 00000001")) + get(1),
        answered(),
    ),
    *(
        Case(name, "6.5.2", get(1), outcome or answered(), values={key: value})
        for name, (key, value, outcome) in _SETTINGS_VALUES.items()
    ),
]

PUSHES: Final = [
    Case(
        "PUSH_PROMISE of a client",
        "8.4",
        get(1, "/watch") + frame(PUSH_PROMISE, END_HEADERS, 1, bytes([0, 0, 0, 2]) + ASKED),
        PROTOCOL,
    ),
    Case(
        "PUSH_PROMISE of no stream",
        "6.6",
        frame(PUSH_PROMISE, END_HEADERS, 0, bytes([0, 0, 0, 2]) + ASKED),
        PROTOCOL,
    ),
]

PINGS: Final = [
    Case("PING of a stream", "6.7", frame(PING, 0, 1, bytes(8)), PROTOCOL),
    Case("PING of 7 bytes", "6.7", frame(PING, 0, 0, bytes(7)), SIZE),
    Case("PING of 9 bytes", "6.7", frame(PING, 0, 0, bytes(9)), SIZE),
    Case("an answer to no PING", "6.7", ping(ack=True) + get(1), answered()),
]

GOAWAYS: Final = [
    Case("GOAWAY of a stream", "6.8", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    Case("GOAWAY of 7 bytes", "6.8", frame(GOAWAY, 0, 0, bytes(7)), SIZE),
]

WINDOW_UPDATES: Final = [
    Case("WINDOW_UPDATE of 3 bytes", "6.9", frame(WINDOW_UPDATE, 0, 0, bytes(3)), SIZE),
    Case("WINDOW_UPDATE of 5 bytes", "6.9", frame(WINDOW_UPDATE, 0, 0, bytes(5)), SIZE),
    Case("WINDOW_UPDATE of 0 for the connection", "6.9", window_update(0, 0), PROTOCOL),
    Case(
        "WINDOW_UPDATE of 0 for a stream",
        "6.9",
        get(1, "/watch") + window_update(1, 0),
        reset_or_failed(1, Code.PROTOCOL_ERROR),
    ),
    Case("the reserved bit of WINDOW_UPDATE", "6.9", window_update(0, 2**31 + 1) + get(1), answered()),
]

ALL: Final = [
    *(PREFACES, FRAMES, CONTINUATIONS, DATA_FRAMES, HEADERS_FRAMES, PRIORITIES, RST_STREAMS),
    *(SETTINGS_FRAMES, PUSHES, PINGS, GOAWAYS, WINDOW_UPDATES),
]
