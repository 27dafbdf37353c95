"""WebSockets over HTTP/2 (RFC 8441): each is a stream, beside others and beside requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.conformance.http2_served import FLAGS, address_of
from tests.conformance.websocket_served import BACKENDS, RULED
from tests.conformance.wire import notes
from tests.support.certificates import Authority
from tests.support.http2_client import Http2
from tests.support.http2_frames import (
    ENABLE_CONNECT_PROTOCOL,
    FRAME_SIZE,
    INITIAL_WINDOW_SIZE,
    Code,
    block,
    data,
    headers,
    rst_stream,
)
from tests.support.http2_websocket import WebSocket, asked
from tests.support.server import ServerProcess
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close,
    fragments,
    frame,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.http2_frames import Field

CALM: Final = ("--ws-ping-interval", "0", "--no-access-log")


@pytest.fixture(scope="module", params=BACKENDS)
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with ServerProcess(RULED, *FLAGS, *CALM, "--ws", request.param) as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Http2]:
    with Http2(address_of(server)) as opened:
        opened.wait_settings()
        assert opened.theirs[ENABLE_CONNECT_PROTOCOL] == 1
        yield opened


def check_echoes(ws: WebSocket, opcode: int, payload: bytes) -> None:
    ws.send(frame(opcode, payload))
    got = ws.frame()
    assert (got.opcode, got.payload) == (opcode, payload)


def test_echo(client: Http2) -> None:
    """Section 5: the answer is 200, and says nothing of keys."""
    ws = WebSocket(client)
    assert ws.opened.status == 200
    for name in ("sec-websocket-accept", "upgrade", "connection", "content-length", "transfer-encoding"):
        assert ws.opened.all(name) == []
    for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
        check_echoes(ws, BINARY, bytes(size))
    check_echoes(ws, TEXT, "aä€😀".encode())
    ws.send(frame(PING, b"ping"))
    assert ws.frame() == Frame(PONG, b"ping")
    for piece in fragments(TEXT, b"ab", b"c", b"d"):
        ws.send(piece)
    got = ws.frame()
    while not got.is_final:
        more = ws.frame()
        assert more.opcode == CONTINUATION
        got = Frame(TEXT, got.payload + more.payload, more.is_final)
    assert got.payload == b"abcd"
    ws.send(close(1000))
    ws.check_closed(1000)
    client.check_serves()


def test_the_scope(server: ServerProcess, client: Http2) -> None:
    """ASGI: WebSocket connection scope."""
    ws = WebSocket(
        client,
        "/a%20b?c=d",
        ("x-b", "1"),
        ("sec-websocket-protocol", "one, two"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    )
    seen: dict[str, Any] = json.loads(ws.frame().payload)
    assert (seen["type"], seen["http_version"], seen["scheme"]) == ("websocket", "2", "ws")
    assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/a b", "/a%20b", "c=d")
    assert seen["subprotocols"] == ["one", "two"]
    assert seen["client"] == list(client.socket.getsockname())
    assert seen["server"] == ["127.0.0.1", server.port]
    assert ["host", "h"] in seen["headers"]
    assert ["cookie", "a=1; b=2"] in seen["headers"]
    assert not [name for name, _ in seen["headers"] if name.startswith(":")]
    assert "websocket.http.response" in seen["extensions"]


def test_frames_of_either_layer_need_not_agree(client: Http2) -> None:
    """Section 5: a frame of a WebSocket is not a DATA frame."""
    ws = WebSocket(client)
    for byte in text("abc"):
        client.send_data(ws.stream, bytes([byte]))
    assert ws.frame().payload == b"abc"
    ws.send(b"".join(text(str(number)) for number in range(200)))
    assert [ws.frame().payload for _ in range(200)] == [b"%d" % number for number in range(200)]


def test_windows_hold_for_websockets(server: ServerProcess) -> None:
    """RFC 9113 section 5.2: those of HTTP/2, for each stream."""
    with Http2(address_of(server), values={INITIAL_WINDOW_SIZE: 10}, gives_back=False) as client:
        client.wait_settings()
        ws = WebSocket(client)
        other = WebSocket(client)
        ws.send(text("x" * 100))
        client.wait_body(ws.stream, 10)
        client.check_open()
        assert len(ws.opened.body) == 10
        check_echoes(other, TEXT, b"y")
        client.give_back(ws.stream, 1000)
        assert ws.frame().payload == b"x" * 100


def test_a_websocket_that_nobody_reads_takes_no_more(server: ServerProcess, client: Http2) -> None:
    """RFC 9113 section 5.2: back-pressure reaches the client, and no other stream."""
    client.gives_back = False
    ws = WebSocket(client)
    sent = 0
    message = frame(BINARY, bytes(10_000))
    while sent < 100 << 20:
        room = client.room(ws.stream)
        if room < len(message):
            client.check_open()
            client.check_open()
            if client.room(ws.stream) < len(message):
                break
            continue
        assert len(message) < FRAME_SIZE
        client.send_data(ws.stream, message)
        sent += len(message)
        while sent % 200_000 == 0 and client.room(ws.stream) < len(message):
            client.check_open()
            break
    assert sent < 10 << 20
    client.gives_back = True
    client.give_back(0, 1 << 20)
    client.check_serves()


def test_many_beside_requests(client: Http2) -> None:
    """Section 1: that is what it is for."""
    sockets = [WebSocket(client) for _ in range(50)]
    for number, ws in enumerate(sockets):
        ws.send(text(f"socket {number}"))
    client.check_serves()
    for number, ws in reversed([*enumerate(sockets)]):
        assert ws.frame().payload == b"socket %d" % number


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_client_closes(server: ServerProcess, client: Http2, code: int) -> None:
    """RFC 6455 section 7: and the application is told."""
    notes(server, 0)
    ws = WebSocket(client)
    ws.send(close(code, "bye"))
    ws.check_closed(code)
    assert notes(server, 1) == [f"disconnect {code} bye"]


def test_the_application_closes(client: Http2) -> None:
    """RFC 6455 section 7."""
    ws = WebSocket(client, "/close?code=4001&reason=enough")
    ws.check_closed(4001)
    client.check_serves()


@pytest.mark.parametrize("how", ["RST_STREAM", "END_STREAM", "the connection"])
def test_a_client_that_leaves(server: ServerProcess, how: str) -> None:
    """Section 5: RST_STREAM is the end of a connection, and END_STREAM its orderly end."""
    notes(server, 0)
    with Http2(address_of(server)) as client:
        client.wait_settings()
        ws = WebSocket(client)
        check_echoes(ws, TEXT, b"there")
        if how == "RST_STREAM":
            client.send(rst_stream(ws.stream))
        elif how == "END_STREAM":
            client.send(data(ws.stream, end=True))
            client.answer(ws.stream)
        if how != "the connection":
            assert notes(server, 1)[0].startswith(("disconnect 1006", "disconnect 1005"))
            client.check_serves()
    if how == "the connection":
        assert notes(server, 1)[0].startswith(("disconnect 1006", "disconnect 1005"))


@pytest.mark.parametrize("path", ["/returns", "/raises"])
def test_an_application_that_ends(client: Http2, path: str) -> None:
    """ASGI: WebSocket; what it said before arrives."""
    ws = WebSocket(client, path)
    assert ws.frame().payload == b"last"
    ws.check_closed(1011 if path == "/raises" else 1000)
    client.check_serves()


@pytest.mark.parametrize(
    ("path", "status"), [("/close-first", 403), ("/returns-first", 500), ("/raises-first", 500)]
)
def test_denials(client: Http2, path: str, status: int) -> None:
    """ASGI: WebSocket close before accept; the stream ends with a response."""
    ws = WebSocket(client, path)
    assert ws.opened.status == status
    assert client.answer(ws.stream).is_over
    client.check_serves()


def test_a_denial_with_a_response(client: Http2) -> None:
    """ASGI: websocket.http.response."""
    ws = WebSocket(client, "/deny?status=401")
    answer = client.answer(ws.stream)
    assert (answer.status, answer.body, answer.all("x-why")) == (401, b"denied", ["because"])
    client.check_serves()


def test_subprotocols_and_fields(client: Http2) -> None:
    """ASGI: WebSocket accept."""
    ws = WebSocket(client, "/subprotocol?name=two", ("sec-websocket-protocol", "one, two"))
    assert (ws.opened.status, ws.opened.all("sec-websocket-protocol")) == (200, ["two"])
    ws = WebSocket(client, "/headers")
    assert ws.opened.all("set-cookie") == ["a=1", "b=2"]
    assert ws.opened.all("x-one") == ["1"]


def test_deflate(client: Http2) -> None:
    """RFC 7692: extensions are agreed on as with HTTP/1.1."""
    ws = WebSocket(client, "/echo", ("sec-websocket-extensions", "permessage-deflate"))
    assert len(ws.opened.all("sec-websocket-extensions")) == 1
    ws.send(text("x" * 1000))
    got = ws.frame()
    assert got.rsv == 4
    assert len(got.payload) < 100


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT, b"abc", key=None),
        frame(TEXT, b"\xff"),
        frame(CONTINUATION, b"x"),
        frame(3, b"x"),
        frame(PING, bytes(126)),
        frame(TEXT, b"x", rsv=2),
    ],
    ids=["not masked", "not UTF-8", "no beginning", "an unknown opcode", "a long PING", "a reserved bit"],
)
def test_frames_that_are_wrong(client: Http2, sent: bytes) -> None:
    """RFC 6455 section 7.1.7: the WebSocket fails, its neighbours do not."""
    neighbour = WebSocket(client)
    ws = WebSocket(client)
    ws.send(sent)
    got = ws.frame()
    assert got.opcode == CLOSE
    assert got.code in {1002, 1007}
    client.send(data(ws.stream, close(got.code), end=True))
    assert client.answer(ws.stream).is_over
    check_echoes(neighbour, TEXT, b"unharmed")
    client.check_serves()


ASKED: Final = (
    *((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")),
    *((":path", "/"), (":authority", "h"), ("sec-websocket-version", "13")),
)


def _without(name: str) -> tuple[Field, ...]:
    return tuple(field for field in ASKED if field[0] != name)


#: What each gets wrong is all that is wrong with it.
BAD: Final = {
    "no version": _without("sec-websocket-version"),
    "an old version": (*_without("sec-websocket-version"), ("sec-websocket-version", "8")),
    "GET": ((":method", "GET"), *_without(":method")),
    "no :path": _without(":path"),
    "no :scheme": _without(":scheme"),
    "no :authority": _without(":authority"),
    "upgrade": (*ASKED, ("upgrade", "websocket")),
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_bad_requests(client: Http2, fields: tuple[Field, ...]) -> None:
    """Sections 4 and 5; RFC 6455 section 4.4: an old version is answered with the one that is spoken."""
    stream = client.new_stream()
    client.send(headers(stream, block(*fields), end=False))
    while stream not in client.answers or not (
        client.answers[stream].status or client.answers[stream].is_over
    ):
        client.step()
    answer = client.answers[stream]
    assert answer.status in {400, 426} or answer.reset == Code.PROTOCOL_ERROR, answer
    if fields == BAD["an old version"]:
        assert answer.all("sec-websocket-version") == ["13"]
    client.check_serves()


def test_a_request_that_ends_at_once(server: ServerProcess, client: Http2) -> None:
    """Section 5: END_STREAM with the request leaves no way to close it in order."""
    stream = client.new_stream()
    client.send(headers(stream, asked("/echo"), end=True))
    assert client.answer(stream).is_over
    client.check_serves()


def test_tls(tmp_path: Path) -> None:
    """ASGI: WebSocket connection scope."""
    authority = Authority(tmp_path)
    context = authority.client()
    context.set_alpn_protocols(["h2"])
    with (
        ServerProcess(RULED, *FLAGS, *CALM, *authority.issue("localhost").flags) as server,
        Http2(address_of(server), tls=context) as client,
    ):
        seen = json.loads(WebSocket(client, "/tell", scheme="https").frame().payload)
        assert seen["scheme"] == "wss"


def test_switched_off() -> None:
    """--ws none: it is not offered, and refused."""
    with ServerProcess(RULED, *FLAGS, *CALM, "--ws", "none") as server, Http2(address_of(server)) as client:
        client.wait_settings()
        assert client.theirs.get(ENABLE_CONNECT_PROTOCOL, 0) == 0
        stream = client.new_stream()
        client.send(headers(stream, asked("/echo"), end=False))
        while stream not in client.answers:
            client.step()
        answer = client.answers[stream]
        assert answer.status >= 400 or answer.reset == Code.PROTOCOL_ERROR
        client.check_serves()
