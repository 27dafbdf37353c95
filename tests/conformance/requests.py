"""What a client sends, and what the application sees of it; what connections go on behind."""

from __future__ import annotations

import pytest

from tests.conformance.cases import (
    Case,
    body_is,
    both,
    chunks,
    echoes,
    get,
    has,
    post,
)
from tests.conformance.wire import CLOSED

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
