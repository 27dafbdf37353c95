"""What is no acceptable request: each is answered with an error and the end of the connection."""

from __future__ import annotations

from tests.conformance.cases import (
    FIELDS,
    HEAD_SIZE,
    Case,
    chunks,
    echoes,
    get,
    post,
    refused,
)
from tests.conformance.wire import PROBE

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
    refused(
        "unknown expectation", "RFC 9110 10.1.1", post("Expect: tea", "Content-Length: 1", body=b"x"), 417
    ),
    refused("a second expectation", "RFC 9110 10.1.1", get("/ok", "Expect: 100-continue, tea"), 417),
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
