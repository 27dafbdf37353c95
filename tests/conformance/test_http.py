"""HTTP/1.1 as it is on the wire: exact bytes to a real server, and exactly what has to come back.

Each case names the clause it holds the server to. After an answer that keeps the connection, a further
request on it must be answered; after one that does not, the connection must end.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPEN = "open"
CLOSED = "closed"
HOST = b"Host: h\r\n"
PROBE = b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD_SIZE = 16 * 1024
FIELDS = 50


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    flags = ["--limit-request-head-size", str(HEAD_SIZE), "--limit-request-fields", str(FIELDS)]
    flags += ["--timeout-keep-alive", "60", "--no-access-log", "--timeout-graceful-shutdown", "1"]
    with ServerProcess("tests.conformance.served:app", *flags) as running:
        yield running


# -- a client that reads strictly ---------------------------------------------------------------------


@dataclass
class Answer:
    """One response, read as RFC 9112 section 6.3 says."""

    version: str
    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for other, value in self.fields if other.lower() == name]

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Wire:
    """A connection that reads strictly and keeps what belongs to no response."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def more(self) -> bool:
        """Read on; return whether there was anything."""
        data = self.socket.recv(65536)
        self.received += data
        return bool(data)

    def take(self, size: int) -> bytes:
        while len(self.received) < size:
            assert self.more(), f"the connection ended after {self.received!r}"
        data, self.received = self.received[:size], self.received[size:]
        return data

    def take_until(self, end: bytes) -> bytes:
        while end not in self.received:
            assert self.more(), f"the connection ended after {self.received!r}"
        return self.take(self.received.index(end) + len(end))[: -len(end)]

    def answer(self, method: str = "GET") -> Answer:
        """Read one response."""
        first, *lines = self.take_until(b"\r\n\r\n").split(b"\r\n")
        version, status, _ = first.decode().split(" ", 2)
        fields = []
        for line in lines:
            name, colon, value = line.partition(b": ")
            assert colon, line
            assert b"\n" not in line
            assert b"\r" not in line
            fields.append((name.decode(), value.decode()))
        answer = Answer(version, int(status), fields)
        lengths, codings = answer.all("content-length"), answer.all("transfer-encoding")
        assert len(lengths) + len(codings) <= 1, "two ways to tell the length"
        if method == "HEAD" or answer.status < 200 or answer.status in {204, 304}:
            return answer
        if codings:
            assert codings == ["chunked"]
            while (size := int(self.take_until(b"\r\n"), 16)) > 0:
                answer.chunks.append(self.take(size))
                assert self.take(2) == b"\r\n"
            assert self.take(2) == b"\r\n"
            answer.body = b"".join(answer.chunks)
        elif lengths:
            answer.body = self.take(int(lengths[0]))
        else:
            assert answer.all("connection") == ["close"]
            answer.body = self.rest()
        return answer

    def rest(self) -> bytes:
        """Read until the end."""
        while self.more():
            pass
        rest, self.received = self.received, b""
        return rest

    def check_end(self, end: str) -> None:
        """The connection is kept, with nothing more on it; or it is at its end."""
        if end == OPEN:
            assert self.received == b"", "more than was asked for"
            self.send(PROBE)
            answer = self.answer()
            assert (answer.status, answer.body) == (200, b"ok")
        else:
            with contextlib.suppress(ConnectionResetError):
                assert self.rest() == b""


def notes(server: ServerProcess, count: int) -> list[str]:
    """Return what the application noted since the last time, once it is so much."""
    found: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while True:
        with Wire(server) as wire:
            wire.send(b"GET /notes HTTP/1.1\r\nHost: h\r\n\r\n")
            found += wire.answer().json
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


# -- one request, one answer --------------------------------------------------------------------------

Check = Any


@dataclass(frozen=True)
class Case:
    """Bytes, and what has to come back.

    Attributes:
        name: What is tested.
        clause: What demands it.
        sent: The bytes.
        expected: The statuses of the responses.
        end: What becomes of the connection.
        check: Takes the responses.
        xfail: Why it is known to fail.
    """

    name: str
    clause: str
    sent: bytes
    expected: tuple[int, ...] = (200,)
    end: str = OPEN
    check: Callable[..., object] | None = None
    xfail: str = ""


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: h", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(*fields: str, body: bytes = b"", path: str = "/echo", version: str = "1.1") -> bytes:
    return get(path, *fields, method="POST", version=version, body=body)


def chunks(body: bytes, *fields: str) -> bytes:
    return post("Transfer-Encoding: chunked", *fields, body=body)


def has(name: str, *values: str) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        assert answer.all(name) == list(values)

    return check


def body_is(content: bytes) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        assert answer.body == content

    return check


def echoes(**wanted: object) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        seen = answer.json
        assert {name: seen[name] for name in wanted} == wanted

    return check


def both(*checks: Callable[[Answer], None]) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        for one in checks:
            one(answer)

    return check


def refused(name: str, clause: str, sent: bytes, status: int = 400, xfail: str = "") -> Case:
    """A request that is answered with an error and the end of the connection."""
    return Case(name, clause, sent, (status,), CLOSED, has("connection", "close"), xfail)


RESPONSES = [
    Case(
        "1.0 is never sent chunks",
        "RFC 9112 6.1",
        get("/stream", version="1.0"),
        end=CLOSED,
        check=both(has("transfer-encoding"), body_is(b"onetwo")),
    ),
    Case(
        "1.0 that keeps alive is closed after a stream",
        "RFC 9112 6.3",
        get("/stream", "Connection: keep-alive", version="1.0"),
        end=CLOSED,
        check=body_is(b"onetwo"),
    ),
    Case(
        "1.0 keeps alive on demand",
        "RFC 9112 9.3",
        get("/ok", "Connection: keep-alive", version="1.0"),
        check=has("connection", "keep-alive"),
    ),
    Case(
        "1.0 is closed otherwise", "RFC 9112 9.3", get("/ok", version="1.0"), end=CLOSED, check=body_is(b"ok")
    ),
    Case("1.0 without Host", "RFC 9112 3.2", b"GET /ok HTTP/1.0\r\n\r\n", end=CLOSED),
    Case(
        "the response says 1.1",
        "RFC 9110 6.2",
        get("/ok", version="1.0"),
        end=CLOSED,
        check=lambda a: a.version,
    ),
    Case(
        "1.1 is kept without a word",
        "RFC 9112 9.3",
        get("/ok"),
        check=both(has("connection"), body_is(b"ok")),
    ),
    Case(
        "Connection: close",
        "RFC 9112 9.6",
        get("/ok", "Connection: close"),
        end=CLOSED,
        check=has("connection", "close"),
    ),
    Case(
        "the application closes",
        "ASGI: response start",
        get("/close"),
        end=CLOSED,
        check=has("connection", "close"),
    ),
    Case(
        "stream",
        "RFC 9112 7.1",
        get("/stream"),
        check=lambda a: a.chunks == [b"one", b"two"] or pytest.fail(str(a)),
    ),
    Case(
        "HEAD has no body and keeps the length",
        "RFC 9110 9.3.2",
        get("/length", method="HEAD"),
        check=has("content-length", "3"),
    ),
    Case("HEAD of a stream", "RFC 9110 8.6", get("/stream", method="HEAD"), check=has("content-length")),
    Case("204 has neither body nor length", "RFC 9110 8.6", get("/204"), (204,), check=has("content-length")),
    Case("304 has no body", "RFC 9110 15.4.5", get("/304"), (304,), check=has("content-length", "3")),
    Case(
        "Transfer-Encoding of the application",
        "ASGI: response start",
        get("/te"),
        check=both(has("transfer-encoding"), has("content-length", "3"), body_is(b"abc")),
    ),
    Case(
        "Transfer-Encoding and Content-Length of the application",
        "ASGI: response start",
        get("/te-length"),
        check=both(has("transfer-encoding"), body_is(b"abc")),
    ),
    Case("shorter than its length", "RFC 9110 8.6", get("/short"), (500,)),
    Case("longer than its length", "RFC 9110 8.6", get("/long"), (500,)),
    Case("CR LF in a value", "RFC 9110 5.5", get("/cr-value"), (500,), check=has("x-evil")),
    Case("LF in a value", "RFC 9110 5.5", get("/lf-value"), (500,), check=has("x-evil")),
    Case("NUL in a value", "RFC 9110 5.5", get("/nul-value"), (500,)),
    Case("CR LF in a name", "RFC 9110 5.1", get("/crlf-name"), (500,), check=has("x-evil")),
    Case("exception before the start", "ASGI: server errors", get("/raises"), (500,)),
    Case("exception after the start", "ASGI: server errors", get("/raises-after-start"), (500,)),
    Case("exception, HEAD", "RFC 9110 9.3.2", get("/raises", method="HEAD"), (500,)),
    Case("return without a response", "ASGI: server errors", get("/returns"), (500,)),
    Case(
        "text as body", "ASGI: response body", get("/text"), (500,), check=body_is(b"Internal Server Error")
    ),
    Case(
        "order and spelling of fields",
        "RFC 9110 5.3",
        get("/order"),
        check=lambda a: (
            [pair for pair in a.fields if pair[0].lower() in {"x-b", "set-cookie"}]
            == [("X-B", "1"), ("Set-Cookie", "a"), ("x-b", "2"), ("SET-COOKIE", "b")]
            or pytest.fail(str(a))
        ),
    ),
    Case(
        "Date and Server",
        "RFC 9110 6.6.1",
        get("/ok"),
        check=lambda a: len(a.all("date")) == 1 or pytest.fail(str(a)),
    ),
    Case(
        "Date and Server of the application",
        "RFC 9110 6.6.1",
        get("/own"),
        check=both(has("date", "then"), has("server", "mine")),
    ),
    Case("bytearray", "ASGI: response body", get("/bytearray"), check=body_is(b"xxxxx")),
    Case("memoryview", "ASGI: response body", get("/memoryview"), check=body_is(b"xxxxx")),
    Case("large bytearray", "ASGI: response body", get("/bytearray-large"), check=body_is(b"x" * 50_000)),
    Case("large memoryview", "ASGI: response body", get("/memoryview-large"), check=body_is(b"x" * 50_000)),
    Case("unknown message", "ASGI: send", get("/unknown"), check=body_is(b"ok")),
]

SCOPES = [
    Case(
        "names in lower case, order and repetitions kept",
        "ASGI: HTTP scope",
        get("/echo", "X-B: 1", "x_a:  2 ", "X-b:", "X-B: \xe4"),
        check=echoes(headers=[["host", "h"], ["x-b", "1"], ["x_a", "2"], ["x-b", ""], ["x-b", "\xe4"]]),
    ),
    Case(
        "path, raw path and query",
        "ASGI: HTTP scope",
        get("/a%2Fb%C3%A4%ff?c=%20d?"),
        check=echoes(path="/a/b\xe4\ufffd", raw_path="/a%2Fb%C3%A4%ff", query_string="c=%20d?"),
    ),
    Case("double slash", "RFC 9112 3.2.1", get("//a//b"), check=echoes(path="//a//b", raw_path="//a//b")),
    Case(
        "absolute form beats Host",
        "RFC 9112 3.2.2",
        get("http://other.example:81/x?y"),
        check=echoes(path="/x", raw_path="/x", query_string="y", headers=[["host", "other.example:81"]]),
    ),
    Case("absolute form without a path", "RFC 9112 3.2.2", get("http://other"), check=body_is(b"ok")),
    Case(
        "asterisk form",
        "RFC 9112 3.2.4",
        get("*", method="OPTIONS"),
        check=echoes(path="*", method="OPTIONS"),
    ),
    Case(
        "version 1.0", "ASGI: HTTP scope", post(version="1.0"), end=CLOSED, check=echoes(http_version="1.0")
    ),
    Case(
        "version 1.1",
        "ASGI: HTTP scope",
        post(),
        check=echoes(http_version="1.1", scheme="http", method="POST"),
    ),
    Case(
        "versions of the specification",
        "ASGI: HTTP scope",
        get("/echo"),
        check=echoes(asgi={"version": "3.0", "spec_version": "2.5"}),
    ),
    Case(
        "addresses",
        "ASGI: HTTP scope",
        get("/echo"),
        check=lambda a: (
            [type(part) for name in ("client", "server") for part in a.json[name]] == [str, int] * 2
            or pytest.fail(str(a))
        ),
    ),
    *(
        Case(f"method {method}", "RFC 9110 9.1", get("/echo", method=method), check=echoes(method=method))
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "QUERY", "PURGE")
    ),
]

BODIES = [
    Case("length", "RFC 9112 6.2", post("Content-Length: 3", body=b"abc"), check=echoes(body="abc")),
    Case("length 0", "RFC 9112 6.2", post("Content-Length: 0"), check=echoes(body="")),
    Case(
        "chunks",
        "RFC 9112 7.1",
        chunks(b"3\r\nabc\r\nB\r\n01234567890\r\n0\r\n\r\n"),
        check=echoes(body="abc01234567890"),
    ),
    Case("no framing is no body", "RFC 9112 6.3", post(), check=echoes(body="")),
    Case(
        "chunk extensions",
        "RFC 9112 7.1.1",
        chunks(b'1;a;b=c;d="e f"\r\nx\r\n0;g\r\n\r\n'),
        check=echoes(body="x"),
    ),
    Case(
        "trailers never become fields",
        "RFC 9110 6.5.1",
        chunks(b"1\r\nx\r\n0\r\nX-Forwarded-For: evil\r\nHost: evil\r\n\r\n"),
        check=echoes(body="x", headers=[["host", "h"], ["transfer-encoding", "chunked"]]),
    ),
    Case("chunked in upper case", "RFC 9112 7", post("Transfer-Encoding: CHUNKED", body=b"0\r\n\r\n")),
    Case(
        "blanks behind values", "RFC 9112 5", post("Content-Length: 1 \t", body=b"x"), check=echoes(body="x")
    ),
    Case(
        "GET with a body",
        "RFC 9110 9.3.1",
        get("/echo", "Content-Length: 1", body=b"x"),
        check=echoes(body="x"),
    ),
    Case(
        "pipelined behind a body",
        "RFC 9112 9.3.2",
        post("Content-Length: 1", body=b"x") + chunks(b"1\r\ny\r\n0\r\n\r\n") + get("/ok"),
        (200, 200, 200),
    ),
    Case(
        "unread small body",
        "RFC 9112 9.3",
        get("/ok", "Content-Length: 5", body=b"abcde"),
        check=body_is(b"ok"),
    ),
    Case(
        "unread chunks",
        "RFC 9112 9.3",
        get("/ok", "Transfer-Encoding: chunked", body=b"5\r\nabcde\r\n0\r\nX: y\r\n\r\n"),
        check=body_is(b"ok"),
    ),
    Case(
        "1.0 with a length",
        "RFC 9112 6.2",
        post("Content-Length: 1", body=b"x", version="1.0"),
        end=CLOSED,
        check=echoes(body="x"),
    ),
]

UPGRADE = ("Connection: upgrade", "Upgrade: h2c")
CONNECTIONS = [
    Case(
        "pipelining",
        "RFC 9112 9.3.2",
        get("/slow") + get("/ok") + get("/stream") + get("/204"),
        (200, 200, 200, 204),
    ),
    Case("empty lines before a request", "RFC 9112 2.2", b"\r\n\r\n" + get("/ok")),
    Case("empty line behind a request", "RFC 9112 2.2", get("/ok") + b"\r\n"),
    Case(
        "nothing behind the last request",
        "RFC 9112 9.6",
        get("/ok", "Connection: close") + get("/ok"),
        end=CLOSED,
    ),
    Case(
        "garbage behind the last request",
        "RFC 9112 9.6",
        get("/ok", "Connection: close") + b"\0garbage",
        end=CLOSED,
    ),
    Case(
        "answers before the refusal",
        "RFC 9112 9.3.2",
        get("/slow") + get("/ok") + b"G@T\r\n\r\n",
        (200, 200, 400),
        CLOSED,
    ),
    Case(
        "Upgrade is declined",
        "RFC 9110 7.8",
        get("/ok", *UPGRADE),
        check=both(body_is(b"ok"), has("upgrade")),
    ),
    Case("Upgrade with a request behind", "RFC 9110 7.8", get("/ok", *UPGRADE) + get("/ok"), (200, 200)),
    Case(
        "Upgrade with a body and a request behind",
        "RFC 9110 7.8",
        post(*UPGRADE, "Content-Length: 3", body=b"abc") + get("/ok"),
        (200, 200),
        check=lambda a, _: echoes(body="abc")(a),
    ),
    Case(
        "Upgrade and close",
        "RFC 9112 9.6",
        get("/ok", "Connection: upgrade, close", "Upgrade: x") + get("/ok"),
        end=CLOSED,
    ),
    Case(
        "Expect without a body",
        "RFC 9110 10.1.1",
        get("/echo", "Expect: 100-continue"),
    ),
    Case(
        "Expect with the body sent along",
        "RFC 9110 10.1.1",
        post("Expect: 100-continue", "Content-Length: 1", body=b"x"),
    ),
    Case(
        "Expect in 1.0",
        "RFC 9110 10.1.1",
        post("Expect: 100-continue", "Content-Length: 1", body=b"x", version="1.0"),
        end=CLOSED,
    ),
]

REFUSALS = [
    refused(
        "CL and TE",
        "RFC 9112 6.1",
        post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    refused(
        "TE and CL",
        "RFC 9112 6.1",
        post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
    ),
    refused(
        "TE in 1.0", "RFC 9112 6.1", post("Transfer-Encoding: chunked", version="1.0", body=b"0\r\n\r\n")
    ),
    refused(
        "gzip, chunked", "RFC 9112 6.1", post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501
    ),
    refused("gzip", "RFC 9112 6.3", post("Transfer-Encoding: gzip"), 501),
    refused("identity", "RFC 9112 6.1", post("Transfer-Encoding: identity"), 501),
    refused("xchunked", "RFC 9112 6.1", post("Transfer-Encoding: xchunked"), 501),
    refused("two TE", "RFC 9112 6.1", post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 501),
    refused("chunked twice", "RFC 9112 7.1", post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
    refused("chunked not last", "RFC 9112 6.3", post("Transfer-Encoding: chunked, gzip")),
    refused("equal CLs", "RFC 9112 6.3", post("Content-Length: 1", "Content-Length: 1", body=b"x")),
    refused("different CLs", "RFC 9112 6.3", post("Content-Length: 1", "Content-Length: 2", body=b"x")),
    refused("list of CLs", "RFC 9112 6.3", post("Content-Length: 1, 1", body=b"x")),
    refused("CL +5", "RFC 9110 8.6", post("Content-Length: +5", body=b"abcde")),
    refused("CL -5", "RFC 9110 8.6", post("Content-Length: -5")),
    refused("CL 0x5", "RFC 9110 8.6", post("Content-Length: 0x5", body=b"abcde")),
    refused("CL empty", "RFC 9110 8.6", post("Content-Length:")),
    refused("CL beyond 64 bits", "RFC 9110 8.6", post("Content-Length: 99999999999999999999")),
    refused("bare LF", "RFC 9112 2.2", b"GET /ok HTTP/1.1\nHost: h\n\n"),
    refused("bare LF behind a field", "RFC 9112 2.2", b"GET /ok HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    refused("bare CR in a value", "RFC 9112 2.2", b"GET /ok HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
    refused("obs-fold", "RFC 9112 5.2", get("/ok", "X: y\r\n folded")),
    refused("blank before the first field", "RFC 9112 2.2", b"GET /ok HTTP/1.1\r\n Host: h\r\n\r\n"),
    refused("blank before the colon", "RFC 9112 5.1", get("/ok", "X : y")),
    refused("no colon", "RFC 9112 5", get("/ok", "X")),
    refused("empty name", "RFC 9110 5.1", get("/ok", ": y")),
    refused("no token as name", "RFC 9110 5.1", get("/ok", "X(y): z")),
    refused("NUL in a value", "RFC 9110 5.5", get("/ok", "X: \0")),
    refused("control character in a value", "RFC 9110 5.5", get("/ok", "X: a\x01b")),
    refused("NUL in a name", "RFC 9110 5.1", get("/ok", "X\0: y")),
    refused("NUL in the target", "RFC 9112 3.2", get("/\0")),
    refused("blank in the target", "RFC 9112 3.2", get("/a b")),
    refused("raw UTF-8 in the target", "RFC 9112 3.2", get("/\xc3\xa4")),
    refused("fragment", "RFC 9112 3.2.1", get("/a#b")),
    refused("authority as target", "RFC 9112 3.2.3", get("h:80")),
    refused("asterisk for GET", "RFC 9112 3.2.4", get("*")),
    refused("another scheme", "RFC 9112 3.2.2", get("ftp://h/")),
    refused("user in the target", "RFC 9110 4.2.4", get("http://user@h/")),
    refused("invalid authority", "RFC 9112 3.2", get("http://[::1/")),
    refused("lower-case method", "RFC 9110 9.1", get("/ok", method="get")),
    refused("no method", "RFC 9112 3", b"/ok HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("CONNECT", "RFC 9110 9.3.6", get("h:80", method="CONNECT"), 501),
    Case(
        "another method",
        "RFC 9110 9.1",
        get("/echo", method="PURGEX"),
        check=echoes(method="PURGEX"),
    ),
    refused("HTTP/1.9", "RFC 9110 15.6.6", get("/ok", version="1.9"), 505),
    refused("HTTP/2.0", "RFC 9110 15.6.6", get("/ok", version="2.0"), 505),
    refused("HTTP/0.9", "RFC 9110 15.6.6", b"GET /ok\r\n\r\n"),
    refused("the preface of HTTP/2", "RFC 9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("TLS", "RFC 9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused(
        "RTSP",
        "RFC 9112 2.3",
        b"GET /ok RTSP/1.0\r\nHost: h\r\n\r\n",
    ),
    refused("no Host", "RFC 9112 3.2", b"GET /ok HTTP/1.1\r\n\r\n"),
    refused("two Hosts", "RFC 9112 3.2", get("/ok", "Host: h")),
    refused("two Hosts in 1.0", "RFC 9112 3.2", get("/ok", "Host: h", version="1.0")),
    *(
        refused(
            f"Host {value}", "RFC 9110 7.2", f"GET /ok HTTP/1.1\r\nHost: {value}\r\n\r\n".encode("latin-1")
        )
        for value in ("a b", "a/b", "a@b", "a?b", "a#b", "a\\b", "a:b", "[::1", "\xe4", "a%zz", "a, b")
    ),
    refused("huge field", "RFC 6585 5", get("/ok", "X: " + "y" * HEAD_SIZE), 431),
    refused("huge name", "RFC 6585 5", get("/ok", "x" * HEAD_SIZE + ": y"), 431),
    refused("huge target", "RFC 9110 15.5.15", get("/" + "x" * HEAD_SIZE), 414),
    refused("huge, beyond one read", "RFC 6585 5", get("/ok", "X: " + "y" * 3_000_000), 431),
    refused("fields that are large together", "RFC 6585 5", get("/ok", *["X: " + "y" * 2000] * 9), 431),
    refused("many fields", "RFC 6585 5", get("/ok", *["X: y"] * FIELDS), 431),
    refused("bad second request", "RFC 9112 9.3", PROBE.replace(b"Host: h", b"Host : h")),
]
AS_MANY_FIELDS = Case("as many fields as allowed", "RFC 6585 5", get("/ok", *["X: y"] * (FIELDS - 1)))

BAD_CHUNKS = {
    "no size": b"\r\n",
    "size in words": b"five\r\n",
    "size with 0x": b"0x1\r\na\r\n0\r\n\r\n",
    "size with a sign": b"+1\r\na\r\n0\r\n\r\n",
    "size beyond 64 bits": b"fffffffffffffffff\r\n",
    "no CR LF behind the data": b"1\r\naXX0\r\n\r\n",
    "LF behind the size": b"1\na\r\n0\r\n\r\n",
    "LF behind the data": b"1\r\na\n0\r\n\r\n",
    "LF behind the last size": b"1\r\na\r\n0\n\r\n",
    "LF in an extension": b"1;a\nb\r\na\r\n0\r\n\r\n",
    "bad trailer": b"0\r\nX : y\r\n\r\n",
    "CL in the trailer": b"0\r\nContent-Length: 5\r\n\r\n",
    "huge trailer": b"0\r\n" + b"X: " + b"y" * 3_000_000 + b"\r\n\r\n",
    "many trailers": b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
}
FRAMING = [
    refused(
        f"chunks: {name}",
        "RFC 9112 7.1",
        chunks(data, *close),
        431 if name in {"huge trailer", "many trailers"} else 400,
    )
    for name, data in BAD_CHUNKS.items()
    for close in ((), ("Connection: close",))
]


def parameters(cases: list[Case]) -> pytest.MarkDecorator:
    def describe(case: Case) -> Any:
        marks = [pytest.mark.xfail(reason=case.xfail)] if case.xfail else []
        return pytest.param(case, id=case.name, marks=marks)

    return pytest.mark.parametrize("case", [describe(case) for case in cases])


def method_of(request: bytes) -> str:
    return request.split(b" ", 1)[0].decode("latin-1")


def send_quietly(wire: Wire, data: bytes) -> None:
    """Send; a server that refuses may not want to see it all."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        wire.send(data)


@parameters([*RESPONSES, *SCOPES, *BODIES, *CONNECTIONS, *REFUSALS, AS_MANY_FIELDS, *FRAMING])
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_wire(server: ServerProcess, case: Case, is_first: bool) -> None:
    """On a new connection, and behind another request."""
    with Wire(server) as wire:
        if not is_first:
            wire.send(PROBE)
            wire.answer()
        send_quietly(wire, case.sent)
        answers = [wire.answer(method_of(case.sent)) for _ in case.expected]
        assert tuple(answer.status for answer in answers) == case.expected, answers
        if case.check is not None:
            case.check(*answers)
        wire.check_end(case.end)


@parameters(
    [
        *SCOPES[:5],
        *BODIES,
        *CONNECTIONS[-5:],
        *(case for case in REFUSALS if len(case.sent) < 300),
        *FRAMING[:20],
    ]
)
def test_wire_in_pieces(server: ServerProcess, case: Case) -> None:
    """Cut in the middle, the answer is the same."""
    with Wire(server) as wire:
        middle = len(case.sent) // 2
        wire.send(case.sent[:middle])
        time.sleep(0.002)
        send_quietly(wire, case.sent[middle:])
        answers = [wire.answer(method_of(case.sent)) for _ in case.expected]
        assert tuple(answer.status for answer in answers) == case.expected
        if case.check is not None:
            case.check(*answers)
        wire.check_end(case.end)


# -- what takes more than one step --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/short-stream", "/long-stream", "/raises-in-stream", "/returns-in-stream"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_that_cannot_be_completed_is_visibly_cut_off(
    server: ServerProcess, path: str, version: str
) -> None:
    """RFC 9112 section 8: never more than its length, and never the end that a whole one has."""
    with Wire(server) as wire:
        wire.send(get(path, version=version))
        received = b""
        try:
            while data := wire.socket.recv(65536):
                received += data
            was_reset = False
        except ConnectionResetError:
            was_reset = True
        assert b"abc" not in received
        assert not received.endswith(b"0\r\n\r\n")
        assert was_reset, "or HTTP/1.0 would take it for the whole"


def test_100_continue_is_sent_when_the_application_reads(server: ServerProcess) -> None:
    """RFC 9110 section 10.1.1."""
    with Wire(server) as wire:
        begun = time.monotonic()
        wire.send(post("Expect: 100-continue", "Content-Length: 3", path="/late"))
        assert wire.answer().status == 100
        assert time.monotonic() - begun >= 0.05, "before it read"
        wire.send(b"abc")
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"3")
        wire.check_end(OPEN)


@pytest.mark.parametrize("path", ["/ok", "/raises"])
def test_no_100_continue_when_it_does_not(server: ServerProcess, path: str) -> None:
    """RFC 9110 section 10.1.1: the final answer at once, and a connection on which no body can be missed."""
    with Wire(server) as wire:
        wire.send(post("Expect: 100-continue", "Content-Length: 3", path=path))
        answer = wire.answer()
        assert answer.status in {200, 500}
        assert answer.all("connection") == ["close"]
        wire.check_end(CLOSED)


def test_a_large_unread_body_ends_the_connection_and_not_the_answer(server: ServerProcess) -> None:
    """RFC 9112 section 9.6: the client gets the whole answer, however much it goes on sending."""
    size = 4_000_000
    with Wire(server) as wire:
        wire.send(post(f"Content-Length: {size}", path="/ok"))
        with contextlib.suppress(ConnectionError):
            for _ in range(size // 100_000):
                wire.send(b"x" * 100_000)
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"ok")
        with contextlib.suppress(ConnectionResetError):
            assert wire.rest() == b""


@pytest.mark.parametrize("rest", [b"", get("/slow")], ids=["one", "two"])
def test_a_client_that_shut_down_its_side_gets_its_answers(server: ServerProcess, rest: bytes) -> None:
    """RFC 9112 section 9.6: half-closed is not gone."""
    with Wire(server) as wire:
        wire.send(get("/slow") + rest)
        wire.socket.shutdown(socket.SHUT_WR)
        for _ in range(2 if rest else 1):
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, b"ok")
        wire.check_end(CLOSED)


def test_a_client_that_shut_down_its_side_inside_a_request(server: ServerProcess) -> None:
    """RFC 9112 section 8: an incomplete request is not answered as if it were whole."""
    for sent in (b"GET /ok HTT", get("/ok")[:-2], post("Content-Length: 5", body=b"abc")):
        with Wire(server) as wire:
            wire.send(sent)
            wire.socket.shutdown(socket.SHUT_WR)
            assert not wire.rest().startswith(b"HTTP/1.1 2")


def test_receive_and_send_after_the_response(server: ServerProcess) -> None:
    """ASGI: disconnect, repeatedly; sending is an error."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/after-end"))
        assert wire.answer().body == b"ok"
        assert notes(server, 3) == ["http.disconnect", "http.disconnect", "send raised"]
        wire.check_end(OPEN)


@pytest.mark.parametrize("size", [0, 3, 300_000])
def test_a_client_that_leaves_is_noticed_at_once(server: ServerProcess, size: int) -> None:
    """ASGI: http.disconnect, also behind a large body."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(post(f"Content-Length: {size}", path="/watch", body=b"x" * size))
        time.sleep(0.1)
    assert notes(server, 1) == ["http.disconnect"]


def test_a_client_that_pipelines_and_leaves_is_noticed(server: ServerProcess) -> None:
    """ASGI: http.disconnect."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/watch") + get("/ok"))
    assert notes(server, 1) == ["http.disconnect"]


def test_sending_to_a_client_that_left_raises(server: ServerProcess) -> None:
    """ASGI HTTP spec 2.4: an OSError."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/for-ever"))
        wire.take(1000)
    assert notes(server, 1) == ["OSError: True"]


def test_state_is_copied_for_each_request_and_its_objects_are_shared(server: ServerProcess) -> None:
    """ASGI lifespan: a shallow copy."""
    seen = []
    with Wire(server) as wire:
        for _ in range(3):
            wire.send(get("/state"))
            seen.append(wire.answer().json)
    assert [mine for mine, _ in seen] == [None] * 3
    assert [len(pool) for _, pool in seen] == [len(seen[0][1]) + number for number in range(3)]


def test_the_next_request_has_its_own_host(server: ServerProcess) -> None:
    """RFC 9112 section 3.2.2: an authority does not outlive its request."""
    with Wire(server) as wire:
        for target in ("http://evil/echo", "/echo", "/echo", "http://evil/echo", "/echo"):
            wire.send(get(target))
            host = "evil" if target.startswith("http") else "h"
            assert wire.answer().json["headers"] == [["host", host]]


def test_a_body_that_looks_like_a_request_is_a_body(server: ServerProcess) -> None:
    """RFC 9112 section 6: however it is cut, and however alike it looks."""
    with Wire(server) as wire:
        wire.send(PROBE)
        wire.answer()
        wire.send(PROBE + PROBE + post(f"Content-Length: {len(PROBE)}"))
        time.sleep(0.05)
        wire.send(PROBE)
        assert [wire.answer().body for _ in range(2)] == [b"ok", b"ok"]
        assert wire.answer().json["body"] == PROBE.decode()
        wire.check_end(OPEN)


def test_a_slow_head_is_not_a_faulty_one(server: ServerProcess) -> None:
    """Byte by byte."""
    with Wire(server) as wire:
        for byte in get("/echo", "X: y", "Content-Length: 2", body=b"ab"):
            wire.send(bytes([byte]))
        assert wire.answer().json["body"] == "ab"
        wire.check_end(OPEN)
