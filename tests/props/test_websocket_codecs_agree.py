"""Every codec reads the same messages out of the same frames as the library websockets does by itself."""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import State
from websockets.uri import parse_uri
from wsproto.connection import Connection, ConnectionType
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate

from srvctl.worker.websocket.deflate import Agreement
from srvctl.worker.websocket.protocol import MessageLimits
from srvctl.worker.websocket.websockets_codec import WebsocketsCodec
from srvctl.worker.websocket.wsproto_codec import WsprotoCodec
from tests.support.wire_websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    FINAL,
    MASK,
    PING,
    PONG,
    TEXT,
    frame,
    masked,
)
from tests.support.wire_websocket_oracle import SIZE, Outcome, oracle, read

if TYPE_CHECKING:
    from collections.abc import Callable

CODECS: dict[str, Any] = {"websockets": WebsocketsCodec, "wsproto": WsprotoCodec}
PADDING = bytes(70_000)  #: finishes whatever frame a stream ends in, unless it is very long
_SYNC = 4  #: bytes at the end of a flushed block that are not sent

# -- what clients send --------------------------------------------------------------------------------


class Deflate:
    """A client's context of compression."""

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._stream = self._new()

    def _new(self) -> Any:
        return zlib.compressobj(wbits=-max(9, self._agreement.client_bits))

    def message(self, data: bytes) -> bytes:
        if self._agreement.client_resets:
            self._stream = self._new()
        packed: bytes = self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return packed[:-_SYNC]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def message(
    opcode: int, data: bytes, cuts: list[int], controls: list[bytes], *, packs: bool
) -> Callable[[Deflate | None], bytes]:
    """A message in fragments, with control frames between them."""

    def build(deflate: Deflate | None) -> bytes:
        first = 0
        payload = data
        if packs and deflate is not None:
            payload, first = deflate.message(data), COMPRESSED
        parts = pieces_of(payload, cuts)
        frames = []
        for number, part in enumerate(parts):
            flags = first | (FINAL if number == len(parts) - 1 else 0)
            frames.append(frame(0 if number else opcode, part, first=flags))
            first = 0
            frames += controls[number : number + 1] if number < len(parts) - 1 else ()
        return b"".join(frames)

    return build


def odd(first: int, payload: bytes, form: int, *, masks: bool) -> bytes:
    """A frame with anything in its first byte, and a length in any form."""
    second = 0x80 if masks else 0
    size = len(payload)
    if form == 0 and size < 126:
        length = bytes((second | size,))
    elif form < 2:
        length = bytes((second | 126,)) + size.to_bytes(2)
    else:
        length = bytes((second | 127,)) + (size | (1 << 63) * (form > 2)).to_bytes(8)
    return bytes((first,)) + length + (MASK + masked(payload, MASK) if masks else payload)


texts = st.text(max_size=60).map(str.encode)
long = st.sampled_from([126, 4096, 65_535, 65_540]).map(
    lambda size: b"ab\xc3\xbc" * (size // 4) + b"x" * (size % 4)
)
bad_texts = st.tuples(
    texts, st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"]), texts
)
contents = texts | st.binary(max_size=130)
some_cuts = st.lists(st.integers(0, 10_000), max_size=3)
controls = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))
codes = st.sampled_from(
    [0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000]
)
closes = st.builds(
    lambda code, reason: frame(CLOSE, code.to_bytes(2) + reason), codes, st.text(max_size=30).map(str.encode)
) | st.sampled_from([frame(CLOSE), frame(CLOSE, b"\x03"), frame(CLOSE, b"\x03\xe8\xff")])
valid: st.SearchStrategy[Any] = st.builds(
    message, st.just(TEXT), texts | long, some_cuts, st.lists(controls, max_size=3), packs=st.booleans()
) | st.builds(
    message, st.just(BINARY), contents | long, some_cuts, st.lists(controls, max_size=3), packs=st.booleans()
)
broken: st.SearchStrategy[Any] = st.builds(
    message,
    st.just(TEXT),
    bad_texts.map(b"".join),
    some_cuts,
    st.lists(controls, max_size=3),
    packs=st.booleans(),
)
anything = st.one_of(
    valid,
    valid,
    broken,
    controls,
    closes,
    st.builds(odd, st.integers(0, 255), contents, st.integers(0, 3), masks=st.booleans()),
    st.builds(
        odd, st.sampled_from([0x01, 0x00, 0x80, 0xC1, 0xC2, 0x41]), contents, st.just(0), masks=st.just(True)
    ),
    st.binary(max_size=20),
)
agreements = st.none() | st.builds(
    lambda bits, resets: Agreement("", client_bits=bits, client_resets=resets),
    st.integers(9, 15),
    st.booleans(),
)
cuts = st.lists(st.integers(0, 100_000), max_size=12)


def built(parts: list[Any], agreement: Agreement | None) -> bytes:
    deflate = None if agreement is None else Deflate(agreement)
    return b"".join(part(deflate) if callable(part) else part for part in parts)


# -- reading ------------------------------------------------------------------------------------------


def check(mine: Outcome, stream: bytes, agreement: Agreement | None, *, name: str) -> None:
    """Compare what a codec of ours made of a stream with what websockets does."""
    theirs = oracle(stream, agreement)
    if mine.violation and not theirs.violation:
        # We do not wait for the end of a frame whose head, or whose text so far, is wrong.
        theirs = oracle(stream + PADDING, agreement)
    if theirs.is_undefined:
        assert mine.events[: len(theirs.events)] == theirs.events
        return
    if name == "wsproto" and mine.violation == 1002 and theirs.events[len(mine.events) :][:1]:
        # Its list of close codes does not have the latest of IANA's registry.
        assert theirs.events[len(mine.events)][:2] == ("close", 1014)
        return
    surplus = mine.events[len(theirs.events) :]
    if name == "wsproto" and theirs.violation == 1007 and surplus:
        # Its decoder waits for the third byte of a surrogate; control frames may come before that.
        assert mine.events[: len(theirs.events)] == theirs.events
        assert all(isinstance(event, tuple) for event in surplus)
        return
    if name == "wsproto" and theirs.violation and not mine.violation:
        # It judges some heads only with the bytes that follow, and no length before the payload is too much.
        assert mine.events == theirs.events
        later = read(WsprotoCodec, [stream + PADDING], agreement)
        assert later.violation or theirs.violation == 1009
        return
    assert mine.events == theirs.events
    if name == "wsproto" and agreement is not None and mine.violation == 1007:
        # It inflates what is said inside a compressed message before it looks whether it may be said there.
        assert theirs.violation in {1002, 1007}
        return
    # What is wrong with the head of a frame we say before we look at its length or at its payload.
    assert mine.violation == theirs.violation or (mine.violation == 1002 and theirs.violation)


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=200, deadline=None)
@given(st.lists(valid | controls, max_size=5), st.none() | closes, cuts, agreements)
def test_valid_frames_are_read_alike(
    name: str, parts: list[Any], end: bytes | None, cuts: list[int], agreement: Agreement | None
) -> None:
    """Whatever is in them and however they are cut."""
    stream = built([*parts, end or b""], agreement)
    outcome = read(CODECS[name], pieces_of(stream, cuts), agreement)
    check(outcome, stream, agreement, name=name)
    assert end is not None or not outcome.violation


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=500, deadline=None)
@given(st.lists(anything, max_size=5), cuts, agreements)
@example([frame(TEXT, b"", first=0), frame(CLOSE, b"\x03\xe8"), b"\xff"], [1], None)
@example([odd(0x82, b"x" * 10, 1, masks=True)], [], None)
def test_any_frames_are_read_alike(
    name: str, parts: list[Any], cuts: list[int], agreement: Agreement | None
) -> None:
    """Messages, pings, closes and the code of a violation."""
    stream = built(parts, agreement)
    check(read(CODECS[name], pieces_of(stream, cuts), agreement), stream, agreement, name=name)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("compressed", [False, True])
def test_frames_are_read_byte_by_byte(name: str, compressed: bool) -> None:
    """And in two pieces, cut anywhere."""
    agreement = Agreement("", client_bits=15) if compressed else None
    parts = [
        message(TEXT, "grüße".encode() * 30, [5, 150], [frame(PING, b"1"), frame(PONG)], packs=True),
        message(BINARY, bytes(range(256)), [], [], packs=False),
        message(TEXT, "grüße".encode() * 30, [3], [frame(PING, b"2")], packs=True),
        frame(CLOSE, b"\x0f\xa0bye"),
    ]
    stream = built(parts, agreement)
    whole = read(CODECS[name], [stream], agreement)
    assert len(whole.events) == 6
    check(whole, stream, agreement, name=name)
    for at in range(1, len(stream)):
        assert read(CODECS[name], [stream[:at], stream[at:]], agreement) == whole
    assert read(CODECS[name], [stream[at : at + 1] for at in range(len(stream))], agreement) == whole


# -- writing ------------------------------------------------------------------------------------------

sent = st.lists(
    st.tuples(
        st.just("text"), st.text(max_size=200) | st.sampled_from([125, 126, 65_535, 65_536]).map("x".__mul__)
    )
    | st.tuples(
        st.just("binary"), st.binary(max_size=200) | st.sampled_from([125, 126, 65_535, 65_536]).map(bytes)
    )
    | st.tuples(st.just("pong"), st.binary(max_size=125))
    | st.tuples(st.just("ping"), st.just(b"")),
    max_size=8,
)


def write(name: str, parts: list[tuple[str, Any]], agreement: Agreement | None) -> tuple[Any, bytes]:
    codec = CODECS[name](Outcome(), MessageLimits(size=SIZE), agreement)
    written = [getattr(codec, kind)(*(() if kind == "ping" else (data,))) for kind, data in parts]
    return codec, b"".join(written)


def read_by_websockets(data: bytes, agreement: Agreement | None) -> list[tuple[Any, ...]]:
    client = ClientProtocol(parse_uri("ws://h/"), state=State.OPEN, max_size=None)
    if agreement is not None:
        client.extensions = [
            PerMessageDeflate(
                remote_no_context_takeover=agreement.server_resets,
                local_no_context_takeover=False,
                remote_max_window_bits=agreement.server_bits,
                local_max_window_bits=15,
            )
        ]
    client.receive_data(data)
    events: list[tuple[Any, ...]] = []
    for got in client.events_received():
        kind = got.opcode.name.lower()  # type: ignore[union-attr]
        payload = bytes(got.data)  # type: ignore[union-attr]
        events.append((kind, payload.decode() if kind == "text" else payload))
    assert client.parser_exc is None
    return events


def read_by_wsproto(data: bytes, agreement: Agreement | None) -> list[tuple[Any, ...]]:
    extensions: list[Any] = []
    if agreement is not None:
        deflate = WsprotoDeflate(
            server_max_window_bits=agreement.server_bits, server_no_context_takeover=agreement.server_resets
        )
        deflate.finalize("")
        extensions.append(deflate)
    client = Connection(ConnectionType.CLIENT, extensions)
    client.receive_data(data)
    kinds = {"TextMessage": "text", "BytesMessage": "binary", "Ping": "ping", "Pong": "pong"}
    events: list[tuple[Any, ...]] = []
    for event in client.events():
        kind = kinds.get(type(event).__name__)
        if kind is None:
            events.append(("close", int(event.code), event.reason))  # type: ignore[attr-defined]
        elif kind in {"ping", "pong"}:
            events.append((kind, bytes(event.payload)))  # type: ignore[attr-defined]
        else:
            assert event.message_finished  # type: ignore[attr-defined]
            data_ = event.data  # type: ignore[attr-defined]
            events.append((kind, data_ if kind == "text" else bytes(data_)))
    return events


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=200, deadline=None)
@given(
    sent,
    st.none()
    | st.builds(
        lambda bits, resets: Agreement("", server_bits=bits, server_resets=resets),
        st.integers(9, 15),
        st.booleans(),
    ),
    st.none() | st.tuples(st.sampled_from([1000, 1001, 1005, 1011, 1012, 3000, 4999]), st.text(max_size=150)),
)
def test_what_is_written_is_read_by_others(
    name: str, parts: list[tuple[str, Any]], agreement: Agreement | None, end: tuple[int, str] | None
) -> None:
    """Texts, binary messages, pings, pongs and the close; of its reason, what fits."""
    codec, data = write(name, parts, agreement)
    payload = b""
    if end is not None:
        code, reason = end
        data += codec.close(code, "" if code == 1005 else reason)
        fits = reason.encode()[:123].decode(errors="ignore")
        payload = b"" if code == 1005 else code.to_bytes(2) + fits.encode()
    closing = [] if end is None else [("close", payload)]
    assert read_by_websockets(data, agreement) == [*parts, *closing]
    if end is not None:
        closing = [("close", end[0], "" if end[0] == 1005 else payload[2:].decode())]  # type: ignore[list-item]
    assert read_by_wsproto(data, agreement) == [*parts, *closing]
