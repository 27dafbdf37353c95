"""What an application says, and what of it is sent."""

from __future__ import annotations

import pytest

from tests.conformance.cases import (
    Case,
    body_is,
    both,
    get,
    has,
)
from tests.conformance.wire import CLOSED

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
