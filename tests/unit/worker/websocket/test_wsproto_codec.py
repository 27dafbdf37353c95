"""What wsproto does otherwise than it should, and where its codec is on its own."""

from __future__ import annotations

import pytest

from srvctl.worker.websocket.deflate import agree
from srvctl.worker.websocket.protocol import NO_STATUS, MessageLimits, Violation
from srvctl.worker.websocket.wsproto_codec import WsprotoCodec
from tests.support.wire_websocket import BINARY, CLOSE, COMPRESSED, FINAL, PING, TEXT, frame
from tests.support.wire_websocket_oracle import Outcome


def codec_for(outcome: Outcome, offer: str = "", limits: dict[str, int] | None = None) -> WsprotoCodec:
    agreement = agree([offer]) if offer else None
    return WsprotoCodec(outcome, MessageLimits(**{"size": 1000, **(limits or {})}), agreement)


def test_a_close_without_a_code() -> None:
    """Has none; wsproto makes 1000 of a plain number."""
    assert codec_for(Outcome()).close(NO_STATUS, "") == bytes((FINAL | CLOSE, 0))


def test_a_window_of_256_bytes() -> None:
    """Smaller than any that wsproto knows; the client says that it is enough."""
    outcome = Outcome()
    codec = codec_for(outcome, "permessage-deflate; client_max_window_bits=8")
    codec.feed(frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", first=FINAL | COMPRESSED))
    assert outcome.events == ["Hello"]


def test_a_ping_inside_a_compressed_message() -> None:
    """The rest is inflated as well."""
    outcome = Outcome()
    codec = codec_for(outcome, "permessage-deflate")
    codec.feed(frame(TEXT, b"\xf2\x48\xcd", first=COMPRESSED) + frame(PING) + frame(0, b"\xc9\xc9\x07\x00"))
    assert outcome.events == [("ping", b""), "Hello"]


@pytest.mark.parametrize("first", [FINAL | COMPRESSED | PING, FINAL | COMPRESSED])
def test_the_compression_bit_is_for_the_first_frame_of_a_message(first: int) -> None:
    """RFC 7692 section 6."""
    codec = codec_for(Outcome(), "permessage-deflate")
    codec.feed(frame(TEXT, b"\xf2", first=COMPRESSED))
    with pytest.raises(Violation) as caught:
        codec.feed(frame(first & 0x0F, first=first & 0xF0))
    assert caught.value.code == 1002


@pytest.mark.parametrize(
    ("limits", "data", "code"),
    [
        ({"size": 9}, frame(BINARY, bytes(10)), 1009),
        ({"size": 9}, frame(TEXT, "ü".encode() * 5), 1009),
        ({"size": 9}, frame(BINARY, bytes(5), first=0) + frame(0, bytes(5)), 1009),
        ({"fragments": 2}, frame(BINARY, first=0) + frame(0, first=0) * 2, 1008),
    ],
)
def test_limits(limits: dict[str, int], data: bytes, code: int) -> None:
    """Of a message; what is as large as it may be passes."""
    with pytest.raises(Violation) as caught:
        codec_for(Outcome(), limits=limits).feed(data)
    assert caught.value.code == code
    outcome = Outcome()
    codec_for(outcome, limits={name: value + 1 for name, value in limits.items()}).feed(data)
    assert not outcome.violation


def test_the_limit_of_the_ratio() -> None:
    """Counts what came of the message."""
    agreement = agree(["permessage-deflate"])
    assert agreement is not None
    sender = WsprotoCodec(Outcome(), MessageLimits(size=1 << 24), agreement)
    payload = sender.binary(bytes(3 << 20))[4:]
    data = frame(BINARY, payload, first=FINAL | COMPRESSED)
    for ratio, passes in ((500, False), (2000, True)):
        outcome = Outcome()
        codec = WsprotoCodec(outcome, MessageLimits(size=1 << 24, inflate_ratio=ratio), agreement)
        reached = 0
        try:
            while reached < len(data):
                reached = codec.feed(data, reached)
        except Violation as violation:
            outcome.violation = violation.code
        assert (outcome.violation == 0) is passes
        assert bool(outcome.events) is passes


def test_little_is_read_at_a_time() -> None:
    """Because wsproto inflates all it is given."""
    data = frame(BINARY, bytes(5)) * 10_000
    assert codec_for(Outcome()).feed(data) < 20_000
    assert codec_for(Outcome(), "permessage-deflate").feed(data) < 2_000
