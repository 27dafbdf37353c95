"""The opening handshake, with both who read requests: what opens a WebSocket, and what is answered else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_rules import rule
from tests.conformance.websocket_served import CODECS, FLAGS, RULED, serving
from tests.conformance.websocket_wire import KEY, WebSocket, accept_of, check_accepted, opening
from tests.conformance.wire import CLOSED, OPEN, Wire, notes
from tests.support.server import ServerProcess
from tests.support.websocket_frames import TEXT, close, fragments, frame

if TYPE_CHECKING:
    from tests.conformance.wire import Answer

server = serving(RULED, codecs=CODECS)

VERSION = "Sec-WebSocket-Version"
KEY_NAME = "Sec-WebSocket-Key"
PROTOCOLS = "Sec-WebSocket-Protocol"


def ask(server: ServerProcess, request: bytes, end: str = CLOSED) -> Answer:
    """Return the answer to a request that opens no WebSocket."""
    with Wire(server) as wire:
        wire.send(request)
        answer = wire.answer()
        assert answer.status != 101
        wire.check_end(CLOSED if answer.all("connection") == ["close"] else end)
        return answer


def test_the_example_of_the_rfc() -> None:
    """RFC 6455 section 1.3; else the other tests would prove nothing."""
    assert KEY == "dGhlIHNhbXBsZSBub25jZQ=="
    assert accept_of(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("without", "fields"),
    [
        ((), ()),
        (("Upgrade",), ("Upgrade: WebSocket",)),
        (("Connection",), ("Connection: keep-alive, Upgrade",)),
        (("Connection",), ("connection: UPGRADE",)),
        (("Connection",), ("Connection: keep-alive", "Connection: Upgrade")),
        ((VERSION,), ("sec-websocket-version:13",)),
        ((KEY_NAME,), (f"SEC-WEBSOCKET-KEY:  {KEY} ",)),
        ((), ("Origin: http://elsewhere", "Cookie: a=b")),
        ((), ("Content-Length: 0",)),
        ((), (f"{PROTOCOLS}: chat, superchat",)),
    ],
)
def test_what_opens(server: ServerProcess, without: tuple[str, ...], fields: tuple[str, ...]) -> None:
    """RFC 6455 section 4.2.1."""
    with Wire(server) as wire:
        wire.send(opening("/echo", *fields, without=without))
        answer = wire.answer()
        check_accepted(answer)
        assert answer.all("sec-websocket-protocol") == answer.all("sec-websocket-extensions") == []
        assert answer.all("content-length") == answer.all("transfer-encoding") == []
        assert answer.version == "HTTP/1.1"


@pytest.mark.parametrize("version", ["8", "0", "12", "14", "013", "x", "13, 8", ""])
@rule(45)
def test_another_version(server: ServerProcess, version: str) -> None:
    """RFC 6455 section 4.2.2, RFC 9110 section 15.5.22: 426, and the version that is spoken."""
    answer = ask(server, opening("/echo", f"{VERSION}: {version}", without=[VERSION]))
    assert answer.status == 426
    assert answer.all("sec-websocket-version") == ["13"]
    assert answer.all("upgrade") == ["websocket"]


@pytest.mark.parametrize(
    ("without", "fields"),
    [
        ((VERSION,), ()),
        ((), (f"{VERSION}: 13",)),
        ((KEY_NAME,), ()),
        ((), (f"{KEY_NAME}: {KEY}",)),
        ((KEY_NAME,), (f"{KEY_NAME}: ",)),
        ((KEY_NAME,), (f"{KEY_NAME}: short",)),
        ((KEY_NAME,), (f"{KEY_NAME}: AAAAAAAAAAAAAAAAAAAAAAA=",)),
        ((KEY_NAME,), (f"{KEY_NAME}: AAAAAAAAAAAAAAAAAAAAAAAA",)),
        ((KEY_NAME,), (f"{KEY_NAME}: {KEY[:-2]}",)),
        ((KEY_NAME,), (f"{KEY_NAME}: !!!!{KEY[4:]}",)),
        ((KEY_NAME,), (f"{KEY_NAME}: {KEY}\xe4",)),
    ],
    ids=[
        *("no version", "two versions", "no key", "two keys", "empty key", "short key"),
        *("long key", "longer key", "key without padding", "key of other letters", "key beyond ASCII"),
    ],
)
def test_what_is_not_well_formed(
    server: ServerProcess, without: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    """RFC 6455 section 4.2.1: 400."""
    assert ask(server, opening("/echo", *fields, without=without)).status == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
@rule(46)
def test_another_method(server: ServerProcess, method: str) -> None:
    """RFC 6455 section 4.1: it is not one that opens a WebSocket."""
    assert ask(server, opening("/echo", method=method, without=["Content-Length"])).status == 400


def test_http_1_0(server: ServerProcess) -> None:
    """RFC 9110 section 7.8: an Upgrade in HTTP/1.0 is ignored."""
    assert ask(server, opening("/ok", version="1.0")).status in {200, 400}


@pytest.mark.parametrize(
    ("without", "fields"),
    [
        (("Upgrade",), ()),
        (("Connection",), ()),
        (("Connection",), ("Connection: keep-alive",)),
        (("Connection",), ("Connection: upgraded",)),
        (("Upgrade",), ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")),
        (("Upgrade",), ("Upgrade: websockets",)),
        (("Upgrade",), ("Upgrade: not-websocket",)),
    ],
)
def test_what_is_an_ordinary_request(
    server: ServerProcess, without: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    """RFC 9110 section 7.8: nothing that is asked to be upgraded to this, so it is not."""
    answer = ask(server, opening("/ok", *fields, without=without), OPEN)
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("codec", CODECS)
def test_without_websockets(codec: str) -> None:
    """--ws none: RFC 9110 section 7.8."""
    with ServerProcess(RULED, "--ws", "none", "--http", codec, *FLAGS) as plain:
        answer = ask(plain, opening("/ok"), OPEN)
        assert (answer.status, answer.body) == (200, b"ok")


@rule(37)
def test_frames_in_the_packet_of_the_handshake(server: ServerProcess) -> None:
    """RFC 6455 section 4.1 forbids the client nothing of the kind but to trust; they are not lost."""
    early = frame(TEXT, b"early") + b"".join(fragments(TEXT, b"ear", b"lier")) + frame(TEXT, b"cut")[:5]
    for _ in range(5):
        with WebSocket(server, "/echo", early=early) as ws:
            ws.check_echoes(TEXT, b"early", b"earlier")
            ws.send(frame(TEXT, b"cut")[5:])
            ws.check_message(TEXT, b"cut")
            ws.check_open()


def test_a_close_in_the_packet_of_the_handshake(server: ServerProcess) -> None:
    """It is the end, once the WebSocket is open."""
    notes(server, 0)
    with WebSocket(server, "/echo", early=frame(TEXT, b"early") + close(4000)) as ws:
        ws.check_message(TEXT, b"early")
        ws.check_close(4000)
    assert notes(server, 1) == ["disconnect 4000 "]


def test_a_handshake_in_single_bytes(server: ServerProcess) -> None:
    """A slow one is not a faulty one."""
    with Wire(server) as wire:
        for byte in opening("/echo"):
            wire.send(bytes([byte]))
        check_accepted(wire.answer())


def test_a_handshake_behind_another_request(server: ServerProcess) -> None:
    """RFC 9112 section 9.3: on the same connection, also in the same packet."""
    with Wire(server) as wire:
        wire.send(b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n" + opening("/echo") + frame(TEXT, b"early"))
        assert wire.answer().body == b"ok"
        check_accepted(wire.answer())
        assert wire.take(7) == b"\x81\x05early"


# -- what the application answers ---------------------------------------------------------------------


@rule(38)
def test_the_headers_of_accept_are_sent(server: ServerProcess) -> None:
    """ASGI: accept. In order, with their spelling."""
    with WebSocket(server, "/headers?name=X-Last&value=z") as ws:
        sent = [(name, value) for name, value in ws.opened.fields if name.lower() in {"x-one", "set-cookie"}]
        assert sent == [("X-One", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
        assert ws.opened.all("x-last") == ["z"]
        ws.check_open()


@pytest.mark.parametrize(
    "query",
    [
        "name=x&value=a%0D%0Ax-evil:%201",
        "name=x&value=a%0Ax-evil:%201",
        "name=x&value=a%00",
        "name=x%0D%0Ax-evil&value=1",
        "name=x%20y&value=1",
        "name=&value=1",
    ],
)
def test_headers_that_would_split_the_answer(server: ServerProcess, query: str) -> None:
    """RFC 9110 section 5.5: 500, and none of it."""
    answer = ask(server, opening(f"/headers?{query}"))
    assert answer.status == 500
    assert answer.all("x-evil") == []


@pytest.mark.parametrize("name", ["chat", "superchat", "v1.x+json"])
@rule(47)
def test_a_subprotocol_that_was_offered(server: ServerProcess, name: str) -> None:
    """RFC 6455 section 4.2.2: in one line or in two."""
    offers = [f"{PROTOCOLS}: chat,superchat", f"{PROTOCOLS}: v1.x+json"]
    with WebSocket(server, f"/subprotocol?name={name.replace('+', '%2B')}", *offers) as ws:
        assert ws.opened.all("sec-websocket-protocol") == [name]
        ws.check_open()


@pytest.mark.parametrize(
    "name", ["chat2", "Chat", "a, b", "chat, superchat", "ch%C3%A4t", "a%0D%0Ab", "a%20b"]
)
@pytest.mark.parametrize("offers", [(), (f"{PROTOCOLS}: chat, superchat",)])
@rule(47)
def test_a_subprotocol_that_was_not_offered(
    server: ServerProcess, name: str, offers: tuple[str, ...]
) -> None:
    """RFC 6455 section 4.2.2: 500, as the application is wrong."""
    answer = ask(server, opening(f"/subprotocol?name={name.replace(' ', '%20')}", *offers))
    assert (answer.status, answer.all("sec-websocket-protocol")) == (500, [])


def test_no_subprotocol(server: ServerProcess) -> None:
    """RFC 6455 section 4.2.2: the application need not choose one."""
    with WebSocket(server, "/subprotocol", f"{PROTOCOLS}: chat") as ws:
        assert ws.opened.all("sec-websocket-protocol") == []
        ws.check_open()


# -- what the application is told ---------------------------------------------------------------------


def test_the_scope(server: ServerProcess) -> None:
    """ASGI: WebSocket connection scope."""
    offers = [f"{PROTOCOLS}: chat , superchat", "X-Two: 1", f"{PROTOCOLS}: third", "x-two: 2"]
    with WebSocket(server, "/a%20b/%C3%BC?c=%20d&e", *offers) as ws:
        seen = json.loads(ws.message().payload)
        client = list(ws.socket.getsockname())
    headers = seen.pop("headers")
    assert [name for name, _ in headers] == [
        *("host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"),
        *("sec-websocket-protocol", "x-two", "sec-websocket-protocol", "x-two"),
    ]
    assert [value for name, value in headers if name == "x-two"] == ["1", "2"]
    assert "method" not in seen
    assert "websocket.http.response" in seen["extensions"]
    assert not [name for name in seen["extensions"] if name.startswith("http.")]
    wanted = {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/a b/ü",
        "raw_path": "/a%20b/%C3%BC",
        "query_string": "c=%20d&e",
        "root_path": "",
        "client": client,
        "server": ["127.0.0.1", server.port],
        "subprotocols": ["chat", "superchat", "third"],
        "state": ["pool"],
    }
    assert {name: seen[name] for name in wanted} == wanted
    assert seen["asgi"]["version"] == "3.0"
    assert seen["asgi"]["spec_version"] in {"2.4", "2.5"}


def test_state_is_copied_and_its_objects_are_shared(server: ServerProcess) -> None:
    """ASGI lifespan: a shallow copy."""
    seen = []
    for _ in range(3):
        with WebSocket(server, "/state") as ws:
            seen.append(json.loads(ws.message().payload))
    assert seen == [[None, seen[0][1] + number] for number in range(3)]
