"""Cases of RFC 9113 section 8: requests that are well-formed, and requests that are not."""

from __future__ import annotations

from typing import Final

from tests.conformance.http2_cases import Case, answered, refused
from tests.support.http2_frames import asked, block, data, get, headers, post

METHOD, SCHEME, PATH, AUTHORITY = asked()


def _without(name: str) -> bytes:
    return headers(1, block(*(field for field in asked() if field[0] != name)))


def _fields(*fields: tuple[str, str]) -> bytes:
    return headers(1, block(*fields))


BODIES: Final = [
    Case(
        "a length that is right",
        "8.1.1",
        (post(1, "/ok", ("content-length", "3")), data(1, b"abc", end=True)),
        answered(),
    ),
    Case("a length of 0", "8.1.1", get(1, "/ok", ("content-length", "0")), answered()),
    Case(
        "a length over many frames",
        "8.1.1",
        (post(1, "/ok", ("content-length", "3")), *(data(1, b"x") for _ in range(3)), data(1, end=True)),
        answered(),
    ),
    Case(
        "padding is no content",
        "8.1.1",
        (post(1, "/ok", ("content-length", "3")), data(1, b"abc", end=True, padding=99)),
        answered(),
    ),
    Case("a length and no body", "8.1.1", get(1, "/echo", ("content-length", "3")), refused()),
    Case(
        "more than the length",
        "8.1.1",
        (post(1, "/echo", ("content-length", "1")), data(1, b"ab", end=True)),
        refused(),
    ),
    Case(
        "more than the length, later",
        "8.1.1",
        (post(1, "/echo", ("content-length", "3")), data(1, b"ab"), data(1, b"cd", end=True)),
        refused(),
    ),
    Case(
        "less than the length",
        "8.1.1",
        (post(1, "/echo", ("content-length", "3")), data(1, b"ab", end=True)),
        refused(),
    ),
    Case(
        "less than the length, and trailers",
        "8.1.1",
        (post(1, "/echo", ("content-length", "3")), data(1, b"ab"), headers(1, block(("x-after", "1")))),
        refused(),
    ),
    *(
        Case(
            f"the length {value!r}",
            "8.1.1",
            (post(1, "/echo", ("content-length", value)), data(1, b"abc", end=True)),
            refused(),
        )
        for value in ("-3", "+3", "3.0", "0x3", "", "a", "3,4", "3 ", "9" * 30, "3\u00b2")
    ),
    Case(
        "two lengths",
        "8.1.1",
        (post(1, "/echo", ("content-length", "3"), ("content-length", "4")), data(1, b"abc", end=True)),
        refused(),
    ),
]

TRAILERS: Final = [
    Case("trailers behind no body", "8.1", post(1, "/ok") + headers(1, block(("x-after", "1"))), answered()),
    Case(
        "trailers that do not end the stream",
        "8.1",
        (post(1), data(1, b"x"), headers(1, block(("x-after", "1")), end=False)),
        refused(),
    ),
    Case("a second request on a stream", "8.1", (post(1), headers(1, block(*asked()), end=False)), refused()),
    Case("a pseudo-header in trailers", "8.1", (post(1), headers(1, block((":path", "/x")))), refused()),
    Case("upper case in trailers", "8.2.1", (post(1), headers(1, block(("X-After", "1")))), refused()),
    Case("connection in trailers", "8.2.2", (post(1), headers(1, block(("connection", "close")))), refused()),
    Case(
        "trailers with a value that ends a line",
        "8.2.1",
        (post(1), headers(1, block(("x-after", "1\r\nx: y")))),
        refused(),
    ),
]

_VALUES: Final = {
    "CR": "a\rb",
    "LF": "a\nb",
    "NUL": "a\0b",
    "CR LF": "a\r\nx-evil: 1",
    "a blank before it": " a",
    "a blank behind it": "a ",
    "a tab before it": "\ta",
    "a tab behind it": "a\t",
}
_NAMES: Final = {
    "upper case": "X-Upper",
    "one letter in upper case": "x-uppeR",
    "a blank": "x a",
    "a colon inside": "x:a",
    "a colon at its end": "x:",
    "NUL": "x\0",
    "CR LF": "x\r\ny",
    "LF": "x\ny",
    "a tab": "x\ta",
    "DEL": "x\x7f",
    "a byte above ASCII": "x\xe4",
    "nothing": "",
    "quotes": 'x"',
    "a comma": "x,y",
    "a slash": "x/y",
    "a bracket": "x(",
}
FIELDS: Final = [
    *(
        Case(f"a name with {what}", "8.2.1", get(1, "/ok", (name, "1")), refused())
        for what, name in _NAMES.items()
    ),
    *(
        Case(f"a value with {what}", "8.2.1", get(1, "/ok", ("x", value)), refused())
        for what, value in _VALUES.items()
    ),
    Case("a value with blanks inside", "8.2.1", get(1, "/ok", ("x", "a \t b")), answered()),
    Case("a value above ASCII", "8.2.1", get(1, "/ok", ("x", "\xe4\xff")), answered()),
    Case("an empty value", "8.2.1", get(1, "/ok", ("x", "")), answered()),
    Case("every character a name may have", "8.2.1", get(1, "/ok", ("!#$%&'*+-.^_`|~09az", "1")), answered()),
    *(
        Case(f"the field {name}: {value}", "8.2.2", get(1, "/ok", (name, value)), refused())
        for name, value in (
            ("connection", "keep-alive"),
            ("connection", "close"),
            ("proxy-connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("te", "trailers, deflate;q=0.5"),
        )
    ),
    Case("te: trailers", "8.2.2", get(1, "/ok", ("te", "trailers")), answered()),
]

PSEUDO: Final = [
    *(Case(f"no {name}", "8.3.1", _without(name), refused()) for name in (":method", ":scheme", ":path")),
    *(Case(f"two {name}", "8.3.1", _fields(*asked(), (name, value)), refused()) for name, value in asked()),
    *(
        Case(
            f"{name} behind a field",
            "8.3",
            _fields(*(f for f in asked() if f[0] != name), ("x", "1"), (name, value)),
            refused(),
        )
        for name, value in asked()
    ),
    Case("an unknown pseudo-header", "8.3", get(1, "/ok", (":unknown", "1")), refused()),
    Case("a pseudo-header of responses", "8.3", get(1, "/ok", (":status", "200")), refused()),
    Case("a pseudo-header without a name", "8.3", get(1, "/ok", (":", "1")), refused()),
    Case(":protocol without CONNECT", "RFC 8441 4", get(1, "/ok", (":protocol", "websocket")), refused()),
    Case("no fields at all", "8.3.1", headers(1, b""), refused()),
    Case("an empty :path", "8.3.1", _fields(METHOD, SCHEME, (":path", ""), AUTHORITY), refused()),
    Case("an empty :method", "8.3.1", _fields((":method", ""), SCHEME, PATH, AUTHORITY), refused()),
    Case("an empty :scheme", "8.3.1", _fields(METHOD, (":scheme", ""), PATH, AUTHORITY), refused()),
    Case(":path without a slash", "8.3.1", _fields(METHOD, SCHEME, (":path", "ok"), AUTHORITY), refused()),
    Case(
        ":path in absolute form",
        "8.3.1",
        _fields(METHOD, SCHEME, (":path", "http://h/ok"), AUTHORITY),
        refused(),
    ),
    Case(":path with a fragment", "8.3.1", _fields(METHOD, SCHEME, (":path", "/ok#x"), AUTHORITY), refused()),
    Case(":path * and GET", "8.3.1", _fields(METHOD, SCHEME, (":path", "*"), AUTHORITY), refused()),
    Case(
        ":path * and OPTIONS",
        "8.3.1",
        _fields((":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY),
        answered(body=None),
    ),
    *(
        Case(f":path with {what}", "8.3.1", _fields(METHOD, SCHEME, (":path", path), AUTHORITY), refused())
        for what, path in {
            "a blank": "/a b",
            "LF": "/a\nb",
            "CR LF": "/a HTTP/1.1\r\nx: y",
            "NUL": "/\0",
            "a byte above ASCII": "/\xe4",
            "a blank at its end": "/ok ",
        }.items()
    ),
    *(
        Case(f":method {method!r}", "8.3.1", _fields((":method", method), SCHEME, PATH, AUTHORITY), refused())
        for method in ("G T", "GET\r\n", "G\0", "GET /x HTTP/1.1\r\nx:", "(", "\xe4")
    ),
    *(
        Case(f":scheme {scheme!r}", "8.3.1", _fields(METHOD, (":scheme", scheme), PATH, AUTHORITY), refused())
        for scheme in ("ht tp", "http\r\n", "http://evil/?")
    ),
    *(
        Case(
            f":authority {value!r}", "8.3.1", _fields(METHOD, SCHEME, PATH, (":authority", value)), refused()
        )
        for value in ("", "a b", "a\r\nx: y", "user@h", "h/x", "h:x", "\0", "\xe4", "[::1")
    ),
    *(
        Case(
            f":authority {value!r} is good",
            "8.3.1",
            _fields(METHOD, SCHEME, PATH, (":authority", value)),
            answered(),
        )
        for value in ("h:80", "[::1]:8000", "example.org", "1.2.3.4")
    ),
    Case("Host in place of :authority", "8.3.1", _fields(METHOD, SCHEME, PATH, ("host", "h")), answered()),
    Case("Host as :authority", "8.3.1", get(1, "/ok", ("host", "h")), answered()),
    Case("Host unlike :authority", "8.3.1", get(1, "/ok", ("host", "other")), refused()),
    Case("neither Host nor :authority", "8.3.1", _without(":authority"), refused()),
    Case("two Hosts", "8.3.1", _fields(METHOD, SCHEME, PATH, ("host", "h"), ("host", "h")), refused()),
]

CONNECTS: Final = [
    Case("CONNECT", "8.5", _fields((":method", "CONNECT"), (":authority", "h:1")), refused(1, 400, 405, 501)),
    Case("CONNECT with :scheme", "8.5", _fields((":method", "CONNECT"), SCHEME, AUTHORITY), refused()),
    Case("CONNECT with :path", "8.5", _fields((":method", "CONNECT"), PATH, AUTHORITY), refused()),
    Case("CONNECT without :authority", "8.5", _fields((":method", "CONNECT")), refused()),
    Case(
        "extended CONNECT without :path",
        "RFC 8441 4",
        _fields((":method", "CONNECT"), (":protocol", "websocket"), SCHEME, AUTHORITY),
        refused(),
    ),
    Case(
        "extended CONNECT without :scheme",
        "RFC 8441 4",
        _fields((":method", "CONNECT"), (":protocol", "websocket"), PATH, AUTHORITY),
        refused(),
    ),
    Case(
        "extended CONNECT of an unknown protocol",
        "RFC 9220 3",
        _fields((":method", "CONNECT"), (":protocol", "connect-udp"), SCHEME, PATH, AUTHORITY),
        refused(1, 400, 501),
    ),
]

ALL: Final = [BODIES, TRAILERS, FIELDS, PSEUDO, CONNECTS]
