"""Compression: what is agreed on, and the two contexts."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.worker.websocket.deflate import Agreement, Deflater, Inflater, agree
from srvctl.worker.websocket.protocol import INVALID_DATA, TOO_BIG, MessageLimits, Violation

NAME = "permessage-deflate"
SYNC = b"\x00\x00\xff\xff"


def packed(*messages: bytes, bits: int = 15) -> list[bytes]:
    """Return messages as a client compresses them, one after the other in one context."""
    stream = zlib.compressobj(wbits=-bits)
    return [(stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[: -len(SYNC)] for data in messages]


def ended(data: bytes) -> bytes:
    """Return data compressed into a stream that ends."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def inflater(size: int = 1 << 24, ratio: int = 0, **agreement: Any) -> Inflater:
    agreed = Agreement("", **{"client_bits": 15, **agreement})
    return Inflater(agreed, MessageLimits(size=size, inflate_ratio=ratio))


# -- what is agreed on --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "answer", "client_bits", "server_bits"),
    [
        (NAME, f"{NAME}; server_max_window_bits=12", 15, 12),
        (
            f"{NAME}; client_max_window_bits",
            f"{NAME}; server_max_window_bits=12; client_max_window_bits=12",
            12,
            12,
        ),
        (
            f"{NAME}; client_max_window_bits=9",
            f"{NAME}; server_max_window_bits=12; client_max_window_bits=9",
            9,
            12,
        ),
        (f"{NAME}; server_max_window_bits=10", f"{NAME}; server_max_window_bits=10", 15, 10),
        (f'{NAME}; server_max_window_bits="10"', f"{NAME}; server_max_window_bits=10", 15, 10),
    ],
)
def test_windows(offer: str, answer: str, client_bits: int, server_bits: int) -> None:
    """Those of 4 KiB unless the client wants smaller ones, or cannot choose its own."""
    assert agree([offer]) == Agreement(answer, client_bits, server_bits)


def test_contexts() -> None:
    """Are kept unless the client says otherwise."""
    agreed = agree([f"{NAME}; client_no_context_takeover; server_no_context_takeover"])
    assert agreed is not None
    assert agreed.client_resets
    assert agreed.server_resets
    assert "server_no_context_takeover" in agreed.answer
    assert "client_no_context_takeover" in agreed.answer


@pytest.mark.parametrize(
    "offers",
    [
        [],
        ["x-webkit-deflate-frame"],
        [f"{NAME}; server_max_window_bits=8"],  # zlib has none
        [f"{NAME}; server_max_window_bits"],
        [f"{NAME}; client_max_window_bits=16"],
        [f"{NAME}; client_max_window_bits=012"],
        [f"{NAME}; unknown"],
        [f"{NAME}; client_no_context_takeover=1"],
        [f"{NAME}; client_no_context_takeover; client_no_context_takeover"],
    ],
)
def test_offers_that_cannot_be_met_are_passed_over(offers: list[str]) -> None:
    """RFC 7692 section 7."""
    assert agree(offers) is None


def test_the_first_offer_that_can_be_met_is_taken() -> None:
    """RFC 7692 section 5: they stand in the order of preference, in one field or in several."""
    offers = [f"foo, {NAME}; unknown, {NAME}; server_max_window_bits=9", NAME]
    agreed = agree(offers)
    assert agreed is not None
    assert agreed.server_bits == 9


@pytest.mark.parametrize(
    "offer", ["", ",", "=", f"{NAME};", f"{NAME}; a=", f'{NAME}; a="b', f"{NAME} x", "\xff"]
)
def test_malformed_offers(offer: str) -> None:
    """Are no offers at all."""
    with pytest.raises(ValueError):
        agree([offer])


tokens = st.sampled_from(
    [NAME, ";", ",", "=", '"', " ", "\t", "8", "15", "\\", "client_max_window_bits", "\xfc", "a"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(tokens, max_size=12).map("".join), max_size=3))
def test_any_offer_is_agreed_on_or_not(offers: list[str]) -> None:
    """And what is agreed on works."""
    try:
        agreed = agree(offers)
    except ValueError:
        return
    if agreed is not None:
        data = b"abc" * 100
        assert Deflater(agreed).deflate(data)
        [payload] = packed(data, bits=max(9, agreed.client_bits))
        Inflater(agreed, MessageLimits(size=1000)).inflate(payload, is_last=True)


# -- inflating ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_messages_are_inflated_in_one_context(step: int) -> None:
    """The second refers to the first; in whatever pieces they come."""
    messages = [b"hello, hello" * 50, b"hello, hello" * 50, b""]
    reader = inflater()
    for message, payload in zip(messages, packed(*messages), strict=True):
        pieces = [payload[at : at + step] for at in range(0, len(payload), step)]
        inflated = [reader.inflate(piece, is_last=False) for piece in pieces[:-1]]
        assert b"".join([*inflated, reader.inflate(pieces[-1], is_last=True)]) == message


def test_a_context_that_is_not_kept() -> None:
    """A message that refers to the one before cannot be read."""
    message = bytes(range(256))
    first, second = packed(message, message)
    reader = inflater(client_resets=True)
    assert reader.inflate(first, is_last=True) == message
    with pytest.raises(Violation) as caught:
        reader.inflate(second, is_last=True)
    assert caught.value.code == INVALID_DATA


def test_no_compressed_data() -> None:
    """1007: the client sent what is not of the kind that it said (RFC 6455 section 7.4.1)."""
    with pytest.raises(Violation) as caught:
        inflater().inflate(b"\xff\xff", is_last=False)
    assert caught.value.code == INVALID_DATA


@pytest.mark.parametrize("is_last", [False, True])
def test_a_block_may_end_for_good(is_last: bool) -> None:
    """RFC 7692 section 7.2.3.4; more blocks may follow, in the message and in the next."""
    reader = inflater()
    payload = ended(b"abc") + ended(b"def") + b"\x00"
    data = reader.inflate(payload, is_last=is_last)
    if not is_last:
        data += reader.inflate(b"", is_last=True)
    assert data == b"abcdef"
    [payload] = packed(b"ghi")
    assert reader.inflate(payload, is_last=True) == b"ghi"


def test_many_ended_blocks_are_read_in_linear_time() -> None:
    """Each copied all that was behind it: 256 KiB of them kept a worker busy for seconds."""
    reader = inflater()
    payload = ended(b"") * 100_000
    sizes: list[int] = []
    real = zlib.decompressobj

    class Stream:
        """Counts what it is given."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._real = real(*args, **options)

        def decompress(self, data: bytes, most: int) -> bytes:
            sizes.append(len(data))
            return self._real.decompress(data, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zlib, "decompressobj", Stream)
        assert reader.inflate(payload, is_last=False) == b""
    assert sum(sizes) < 1000 * len(payload)


# -- limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surplus", [0, 1])
@pytest.mark.parametrize("finish", [False, True])
def test_the_size_is_limited(surplus: int, finish: bool) -> None:
    """To the byte; also behind the end of a block."""
    reader = inflater(size=1000)
    first, second = b"x" * 400, b"y" * (600 + surplus)
    pieces = [ended(first), ended(second) + b"\x00"] if finish else [packed(first + second)[0]]
    if surplus:
        with pytest.raises(Violation) as caught:
            reader.inflate(b"".join(pieces), is_last=True)
        assert caught.value.code == TOO_BIG
    else:
        assert reader.inflate(b"".join(pieces), is_last=True) == first + second


def test_no_more_is_inflated_than_allowed() -> None:
    """A few KiB that would become many MiB do not, not even for a moment."""
    [payload] = packed(b"x" * 50_000_000)
    with pytest.raises(Violation):
        inflater(size=100_000).inflate(payload, is_last=True)


def test_the_ratio_is_limited_beyond_a_mebibyte() -> None:
    """Whatever the size allows."""
    reader = inflater(size=1 << 24, ratio=10)
    [payload] = packed(b"x" * (1 << 20))
    assert len(reader.inflate(payload, is_last=True)) == 1 << 20
    [payload] = packed(b"x" * ((1 << 20) + 1))
    with pytest.raises(Violation) as caught:
        inflater(size=1 << 24, ratio=10).inflate(payload, is_last=True)
    assert caught.value.code == TOO_BIG


def test_each_message_has_its_own_limit() -> None:
    """What came before is not counted."""
    reader = inflater(size=1000)
    for payload in packed(*[b"x" * 1000] * 5):
        assert len(reader.inflate(payload, is_last=True)) == 1000


# -- deflating ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("bits", range(9, 16))
def test_what_is_deflated_can_be_inflated(bits: int, resets: bool) -> None:
    """With a window of the size that is agreed on, and a context that is kept or not."""
    messages = [b"", b"a", bytes(range(256)) * 300, bytes(range(256)) * 300]
    writer = Deflater(Agreement("", server_bits=bits, server_resets=resets))
    reader = inflater(client_bits=bits, client_resets=resets)
    payloads = [writer.deflate(message) for message in messages]
    assert [reader.inflate(payload, is_last=True) for payload in payloads] == messages
    assert (payloads[2] == payloads[3]) == resets or bits < 13
