"""Compressed messages: what is agreed on, and that both sides keep to it; RFC 7692."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_deflate import AGREED, Terms, ask
from tests.conformance.websocket_served import ECHO, FLAGS, fails_with_wsproto, serving
from tests.conformance.websocket_wire import WebSocket, joined
from tests.support.server import ServerProcess
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    fragments,
    frame,
    head,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

server = serving(ECHO)

OFFERS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    *(f"permessage-deflate; server_max_window_bits={bits}" for bits in range(8, 16)),
    *(f"permessage-deflate; client_max_window_bits={bits}" for bits in range(8, 16)),
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11; server_no_context_takeover",
    'permessage-deflate; server_max_window_bits="10"',
    "permessage-deflate;client_max_window_bits;server_no_context_takeover",
]
WRONG = [
    *(
        f"permessage-deflate; {side}_max_window_bits={bits}"
        for side in ("server", "client")
        for bits in (7, 16)
    ),
    *(f"permessage-deflate; server_max_window_bits={bits}" for bits in ("0", "08", "-9", "x", "1e1")),
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; client_no_context_takeover=true",
    "permessage-deflate; unknown",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=11",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflated",
    "x-webkit-deflate-frame",
]
MESSAGES = [b"Hello", b"", b"Hello", b"abc" * 5000, bytes(range(128)) * 300, b"Hello", b"y" * 100_000]


@pytest.mark.parametrize("offer", OFFERS)
def test_both_sides_keep_to_what_is_agreed_on(server: ServerProcess, offer: str) -> None:
    """RFC 7692 section 7.1: the answer is within the offer, and the messages within the answer."""
    with ask(server, offer) as (ws, terms):
        if terms is None:
            ws.send(frame(TEXT, b"plain"))
            ws.check_message(TEXT, b"plain")
            assert "bits=8" in offer, "declined without need"
            return
        terms.check_is_within(offer)
        packer = terms.new_packer()
        for payload in MESSAGES:
            for opcode in (TEXT, BINARY):
                ws.send(frame(opcode, terms.packed(packer, payload), rsv=RSV1))
                check_within(ws, terms, opcode, payload)
                if terms.client_resets:
                    packer = terms.new_packer()
        ws.check_open()


def check_within(ws: WebSocket, terms: Terms, opcode: int, payload: bytes) -> None:
    """The next message is this one, and inflates in no more than was agreed on."""
    if terms.server_resets:
        ws.inflater = zlib.decompressobj(-terms.server_bits)
    ws.check_message(opcode, payload)


@pytest.mark.parametrize("offer", WRONG)
def test_what_cannot_be_agreed_on_is_declined(server: ServerProcess, offer: str) -> None:
    """RFC 7692 section 7.1: the WebSocket is opened without compression, which then is a violation."""
    with ask(server, offer) as (ws, terms):
        assert terms is None
        ws.send(frame(TEXT, b"plain"))
        ws.check_message(TEXT, b"plain")
        ws.send(frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=RSV1))
        ws.check_failed(1002)


@pytest.mark.parametrize(
    "offers",
    [
        ["permessage-deflate; server_max_window_bits=7, permessage-deflate; server_no_context_takeover"],
        ["permessage-deflate; unknown", "permessage-deflate; server_no_context_takeover"],
        ["x-other, permessage-deflate; server_no_context_takeover, permessage-deflate"],
        ["permessage-deflate; server_no_context_takeover", "permessage-deflate"],
    ],
)
def test_the_first_offer_that_can_be_met(server: ServerProcess, offers: Sequence[str]) -> None:
    """RFC 7692 section 5.1: in one line or in two; and exactly one of them."""
    with ask(server, *offers) as (ws, terms):
        assert terms is not None
        assert terms.server_resets
        ws.send(frame(TEXT, terms.packed(terms.new_packer(), b"Hello"), rsv=RSV1))
        ws.check_message(TEXT, b"Hello")


@pytest.mark.parametrize("backend", ["websockets", "wsproto"])
def test_it_can_be_switched_off(backend: str) -> None:
    """--ws-per-message-deflate false."""
    with (
        ServerProcess(ECHO, "--ws", backend, *FLAGS, "--ws-per-message-deflate", "false") as plain,
        ask(plain, "permessage-deflate") as (ws, terms),
    ):
        assert terms is None
        ws.send(frame(TEXT, b"plain"))
        ws.check_message(TEXT, b"plain")
        ws.send(frame(TEXT, b"packed", rsv=RSV1))
        ws.check_failed(1002)


# -- messages -----------------------------------------------------------------------------------------


def test_not_every_message_need_be_compressed(server: ServerProcess) -> None:
    """RFC 7692 section 6: each says of itself whether it is."""
    with ask(server, AGREED) as (ws, terms):
        assert terms is not None
        packer = terms.new_packer()
        for _ in range(3):
            ws.send(frame(TEXT, b"plain") + frame(TEXT, terms.packed(packer, b"packed"), rsv=RSV1))
            ws.check_echoes(TEXT, b"plain", b"packed")


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_compressed_messages_in_fragments(server: ServerProcess, step: int) -> None:
    """RFC 7692 section 6.1: cut anywhere, with control frames between, which are never compressed."""
    payload = "größer ".encode() * 100
    with ask(server, AGREED) as (ws, terms):
        assert terms is not None
        packer = terms.new_packer()
        for opcode in (TEXT, BINARY):
            data = terms.packed(packer, payload)
            frames = fragments(opcode, *(data[at : at + step] for at in range(0, len(data), step)), rsv=RSV1)
            ws.send(joined(frames[:1]) + frame(PING, b"p") + frame(PONG) + joined(frames[1:]))
            if len(frames) > 1:
                ws.check_pong(b"p")
                ws.check_message(opcode, payload)
            else:
                assert {ws.frame().opcode for _ in range(2)} == {PONG, opcode}
                return
        ws.check_open()


def test_compressed_messages_in_single_bytes(server: ServerProcess) -> None:
    """RFC 6455 section 5.2: a frame is not a packet."""
    with ask(server, AGREED) as (ws, terms):
        assert terms is not None
        ws.send_single(frame(TEXT, terms.packed(terms.new_packer(), b"Hello" * 9), rsv=RSV1))
        ws.check_message(TEXT, b"Hello" * 9)


#: RFC 7692 sections 7.2.3.1 to 7.2.3.6: each inflates to this.
HELLOS = {
    "one block": bytes.fromhex("f248cdc9c90700"),
    "no compression": bytes.fromhex("000500faff48656c6c6f00"),
    "two blocks": bytes.fromhex("f248050000 00ffffcac9c90700"),
    "a last block": bytes.fromhex("f348cdc9c9070000"),
}


@pytest.mark.parametrize("name", HELLOS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_examples_of_the_rfc(
    server: ServerProcess, name: str, count: int, request: pytest.FixtureRequest
) -> None:
    """RFC 7692 section 7.2.3: again and again, and with another kind behind it."""
    if name == "a last block":
        fails_with_wsproto(request, "wsproto inflates nothing behind a block that says it is the last")
    with ask(server, AGREED) as (ws, _):
        data = HELLOS[name]
        pieces = [data] if count == 1 else [data[:4], data[4:6], data[6:]]
        for _ in range(3):
            ws.send(joined(fragments(TEXT, *pieces, rsv=RSV1)))
        ws.send(frame(TEXT, HELLOS["one block"], rsv=RSV1))
        ws.check_echoes(TEXT, *[b"Hello"] * 4)
        ws.check_open()


def test_an_empty_message(server: ServerProcess) -> None:
    """RFC 7692 section 7.2.3.6: one octet, or in an empty last fragment."""
    with ask(server, AGREED) as (ws, _):
        ws.send(frame(TEXT, b"\0", rsv=RSV1) + joined(fragments(BINARY, b"\0", b"", rsv=RSV1)))
        ws.check_message(TEXT, b"")
        ws.check_message(BINARY, b"")


# -- violations ---------------------------------------------------------------------------------------

VIOLATIONS = {
    "rsv 1 of a continuation": frame(TEXT, b"\xf2\x48", is_final=False, rsv=RSV1)
    + frame(CONTINUATION, b"\xcd", rsv=RSV1),
    "rsv 1 of a continuation only": frame(TEXT, b"a", is_final=False) + frame(CONTINUATION, rsv=RSV1),
    "rsv 2": frame(TEXT, HELLOS["one block"], rsv=RSV1 | RSV2),
    "rsv 3": frame(TEXT, HELLOS["one block"], rsv=RSV3),
    **{f"rsv 1 of opcode {opcode}": frame(opcode, rsv=RSV1) for opcode in (CLOSE, PING, PONG)},
    "unmasked": frame(TEXT, HELLOS["one block"], rsv=RSV1, key=None),
    "a head of opcode 3": head(3, 10, rsv=RSV1),
}


@pytest.mark.parametrize("sent", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation(server: ServerProcess, sent: bytes) -> None:
    """RFC 7692 section 6.1: 1002; the compressed message before it, in the same packet, is answered."""
    with ask(server, AGREED) as (ws, _):
        ws.send(frame(TEXT, HELLOS["one block"], rsv=RSV1) + sent)
        ws.check_message(TEXT, b"Hello")
        ws.check_failed(1002)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x06",
        b"\x00\x05\x00\x05\x00Hello",
        b"\x04\xff\xff\xff\xff",
        b"\xed\xfd\x01\x01\x00\x00\x00\x40",
    ],
)
def test_what_cannot_be_inflated(server: ServerProcess, data: bytes) -> None:
    """RFC 7692 section 7: 1007."""
    with ask(server, AGREED) as (ws, _):
        ws.send(frame(BINARY, b"before") + frame(BINARY, data, rsv=RSV1))
        ws.check_message(BINARY, b"before")
        ws.check_failed(1007)


def test_a_window_that_was_to_be_forgotten(server: ServerProcess) -> None:
    """RFC 7692 section 7.1.1.2: a client that said it would begin anew does not go back any further."""
    with ask(server, "permessage-deflate; client_no_context_takeover") as (ws, terms):
        assert terms is not None
        assert terms.client_resets
        packer = terms.new_packer()
        payload = bytes(range(256))
        first, second = terms.packed(packer, payload), terms.packed(packer, payload)
        assert len(second) < len(first)
        ws.send(frame(BINARY, first, rsv=RSV1) + frame(BINARY, second, rsv=RSV1))
        ws.check_message(BINARY, payload)
        ws.check_failed(1007)


@pytest.mark.parametrize("content", [b"\xff", b"ok\xe2\x82", b"\xc0\x80"])
def test_what_is_inflated_is_text_or_not(server: ServerProcess, content: bytes) -> None:
    """RFC 6455 section 8.1: 1007; the check is of what was meant."""
    with ask(server, AGREED) as (ws, terms):
        assert terms is not None
        packer = terms.new_packer()
        ws.send(frame(BINARY, terms.packed(packer, content), rsv=RSV1))
        ws.check_message(BINARY, content)
        ws.send(frame(TEXT, terms.packed(packer, content), rsv=RSV1))
        ws.check_failed(1007)


@pytest.mark.xfail(reason="a block that says it is the last empties the window", strict=True)
@pytest.mark.parametrize("count", [1, 3])
def test_the_window_goes_on_behind_a_last_block(server: ServerProcess, count: int) -> None:
    """RFC 7692 section 7.2.3.2: what came before may be referred to, whatever kind of block it ended with."""
    payload = bytes(range(256)) * 2
    with ask(server, AGREED) as (ws, terms):
        assert terms is not None
        ends = zlib.compressobj(wbits=-terms.client_bits)
        first = ends.compress(payload) + ends.flush() + b"\0"
        goes_on = zlib.compressobj(wbits=-terms.client_bits, zdict=payload)
        second = terms.packed(goes_on, payload)
        step = -(-len(first) // count)
        pieces = [first[at : at + step] for at in range(0, len(first), step)]
        ws.send(joined(fragments(BINARY, *pieces, rsv=RSV1)) + frame(BINARY, second, rsv=RSV1))
        ws.check_echoes(BINARY, payload, payload)
