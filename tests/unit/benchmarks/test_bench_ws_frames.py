"""Frames, handshakes and scripts of the WebSocket client."""

from __future__ import annotations

import json

import pytest
from websockets import frames as theirs
from websockets.extensions.permessage_deflate import PerMessageDeflate

from benchmarks.errors import WrongAnswerError
from benchmarks.ws import handshake
from benchmarks.ws.frames import PING, TEXT, Frame, FrameReader, Inflater, deflated, masked, plain
from benchmarks.ws.script import Script, json_messages, text_of


def test_a_masked_frame_is_that_of_rfc_6455_section_5_7() -> None:
    assert masked(b"Hello") == bytes.fromhex("818537fa213d7f9f4d5158")
    assert plain(b"Hello") == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_frame_is_read_however_it_is_cut(size: int) -> None:
    payload = text_of(size)
    data = plain(payload) + plain(b"ping", opcode=PING) + plain(b"more", is_compressed=True)
    for cut in {1, 2, 3, 9, 10, 11, len(data) // 2, len(data) - 1} - {len(data)}:
        reader = FrameReader()
        frames = reader.feed(data[:cut]) + reader.feed(data[cut:])
        assert frames == [
            Frame(TEXT, False, payload),
            Frame(PING, False, b"ping"),
            Frame(TEXT, True, b"more"),
        ]
        assert not reader.is_amid_frame


def test_a_reader_knows_that_it_waits() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x81") == []
    assert reader.is_amid_frame


@pytest.mark.parametrize("data", [b"\x01\x00", masked(b"no")])
def test_frames_no_server_here_sends_are_wrong(data: bytes) -> None:
    with pytest.raises(WrongAnswerError, match="fragmented, or masked"):
        FrameReader().feed(data)


def test_a_message_compressed_once_can_be_sent_many_times_whatever_was_sent_before() -> None:
    """The server's inflater keeps its window (context takeover), which is as small as uvicorn's."""
    server = PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=12,
        local_max_window_bits=12,
    )
    one, two = json_messages(2, 1000)
    for payload in [one, one, two, one]:
        frame = theirs.Frame(theirs.Opcode.TEXT, deflated(payload), rsv1=True)
        assert server.decode(frame).data == payload


def test_replies_that_refer_to_earlier_ones_are_inflated() -> None:
    server = PerMessageDeflate(False, False, 15, 15)
    inflater = Inflater()
    sizes = []
    for payload in json_messages(3, 1000) * 2:
        data = bytes(server.encode(theirs.Frame(theirs.Opcode.TEXT, payload)).data)
        sizes.append(len(data))
        assert inflater.inflate(data) == payload
    assert sizes[3] < sizes[0] / 4


def test_what_cannot_be_inflated_is_wrong() -> None:
    with pytest.raises(WrongAnswerError, match="cannot be inflated"):
        Inflater().inflate(b"\xff\xff\xff")


def test_json_messages_differ_and_are_of_their_size() -> None:
    messages = json_messages(64, 1000)
    assert len(set(messages)) == 64
    assert all(1000 <= len(message) < 1200 for message in messages)
    assert all(json.loads(message)["type"] == "order.updated" for message in messages)
    assert messages == json_messages(64, 1000)


def test_a_script_has_the_reply_to_each_message() -> None:
    script = Script.of(b"one", b"three")
    assert script.replies == (plain(b"one"), plain(b"three"))
    compressed = Script.of(b"one" * 30, is_compressed=True)
    assert compressed.replies == (b"",)
    assert len(compressed.frames[0]) < 30


def head(accept: str = handshake._ACCEPT, status: str = "101 Switching Protocols", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nsec-websocket-accept: {accept}{more}".encode()


DEFLATE = "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12"


def test_the_key_is_of_sixteen_bytes_and_compression_is_offered_when_wanted() -> None:
    assert len(handshake._KEY) == 24
    assert b"permessage-deflate" not in handshake.request(80, "/", offers_deflate=False)
    assert b"permessage-deflate" in handshake.request(80, "/", offers_deflate=True)


def test_right_responses_are_accepted() -> None:
    handshake.check_response(head(), offered_deflate=False)
    handshake.check_response(head(more=DEFLATE), offered_deflate=True)


@pytest.mark.parametrize(
    ("response", "offered", "reason"),
    [
        (head(status="403 Forbidden"), False, "No WebSocket"),
        (b"nonsense", False, "No WebSocket"),
        (head(accept="wrong"), False, "Sec-WebSocket-Accept"),
        (head(), True, "does not compress"),
        (head(more=DEFLATE), False, "nobody offered"),
    ],
)
def test_wrong_responses_are_not(response: bytes, offered: bool, reason: str) -> None:
    with pytest.raises(WrongAnswerError, match=reason):
        handshake.check_response(response, offered_deflate=offered)
