"""The opening handshake: what is valid, and what is answered."""

from __future__ import annotations

import pytest

from srvctl.worker.http.protocol import ProtocolError, RequestHead
from srvctl.worker.websocket.handshake import Handshake

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")  # of RFC 6455 section 1.3
VERSION = (b"sec-websocket-version", b"13")


def read(
    *fields: tuple[bytes, bytes], method: str = "GET", length: int | None = 0, compress: bool = True
) -> Handshake:
    return Handshake.read(RequestHead(method, b"/", "1.1", fields, True, length), compress=compress)


def test_the_answer_of_the_specification() -> None:
    """RFC 6455 section 1.3."""
    answer = read(KEY, VERSION).answer(None)
    assert answer == (
        b"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    )


def test_what_is_agreed_on_is_answered() -> None:
    """A subprotocol and compression."""
    offer = (b"sec-websocket-extensions", b"permessage-deflate; client_no_context_takeover")
    handshake = read(KEY, VERSION, offer, (b"sec-websocket-protocol", b"a"))
    lines = handshake.answer("a").split(b"\r\n")
    assert b"sec-websocket-protocol: a" in lines
    [extensions] = [line for line in lines if line.startswith(b"sec-websocket-extensions: ")]
    assert b"client_no_context_takeover" in extensions
    assert read(KEY, VERSION, offer, compress=False).agreement is None


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], ()),
        ([b"a"], ("a",)),
        ([b"a, b,\tc"], ("a", "b", "c")),
        ([b"a,,b, ,"], ("a", "b")),
        ([b"b", b"a"], ("b", "a")),
        ([b"A, a"], ("A", "a")),
        ([b""], ()),
    ],
)
def test_subprotocols(values: list[bytes], names: tuple[str, ...]) -> None:
    """In the order of the client's preference, from one field or several."""
    assert read(KEY, VERSION, *((b"sec-websocket-protocol", value) for value in values)).subprotocols == names


@pytest.mark.parametrize("value", [b"a b", b"a, a", b"\xff", b'"a"', b"a;b"])
def test_what_is_no_subprotocol(value: bytes) -> None:
    """RFC 6455 section 4.1: tokens, and each but once."""
    with pytest.raises(ProtocolError) as caught:
        read(KEY, VERSION, (b"sec-websocket-protocol", value))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "fields",
    [
        (VERSION,),
        (KEY, KEY, VERSION),
        ((b"sec-websocket-key", b""), VERSION),
        ((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ"), VERSION),
        ((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZTE="), VERSION),
        ((b"sec-websocket-key", b"\xfc" * 24), VERSION),
        ((b"sec-websocket-key", b"dGhl IHNhbXBsZSBub25jZQ=="), VERSION),
        (KEY,),
        (KEY, VERSION, VERSION),
        (KEY, VERSION, (b"sec-websocket-extensions", b"=")),
    ],
)
def test_malformed(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """400."""
    with pytest.raises(ProtocolError) as caught:
        read(*fields)
    assert caught.value.status == 400


@pytest.mark.parametrize(("method", "length"), [("POST", 0), ("GET", 5), ("GET", None), ("HEAD", 0)])
def test_no_request_for_a_websocket(method: str, length: int | None) -> None:
    """It is a GET without a body."""
    with pytest.raises(ProtocolError) as caught:
        read(KEY, VERSION, method=method, length=length)
    assert caught.value.status == 400


@pytest.mark.parametrize("version", [b"8", b"14", b"013", b"", b"13, 8", b"x"])
def test_another_version(version: bytes) -> None:
    """426, with the one that is spoken."""
    with pytest.raises(ProtocolError) as caught:
        read(KEY, (b"sec-websocket-version", version))
    assert caught.value.status == 426
    assert b"sec-websocket-version: 13\r\n" in caught.value.fields
    assert b"upgrade: websocket\r\n" in caught.value.fields
