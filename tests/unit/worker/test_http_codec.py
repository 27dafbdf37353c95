"""What the codec makes of a byte stream, one rule at a time."""

from __future__ import annotations

import tracemalloc

import pytest

from srvctl.worker.http.protocol import ProtocolError
from tests.unit.worker import recording
from tests.unit.worker.recording import CODECS, Head, Outcome, RecordingSink, Request, feed, make_codec, read


@pytest.fixture(autouse=True, params=list(CODECS))
def _codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every codec keeps every rule."""
    monkeypatch.setattr(recording, "default_codec", CODECS[request.param])


HOST = b"Host: h\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
NEXT_REQUEST = Request(Head("GET", b"/next"), is_complete=True)
MIB = 1024 * 1024


def message(line: bytes, fields: bytes = b"", body: bytes = b"") -> bytes:
    """A message with a valid Host."""
    return line + b"\r\n" + HOST + fields + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    return message(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\n", body)


UPGRADE = b"Connection: upgrade\r\nUpgrade: x\r\n"

STREAMS = {
    "two simple": NEXT * 2,
    "repeated, then another": NEXT * 2 + message(b"PUT /x?y HTTP/1.1", b"A: b\r\n"),
    "empty lines": b"\r\n\r\n" + NEXT + b"\r\n" + NEXT,
    "length": message(b"POST / HTTP/1.1", b"Content-Length: 5\r\n", b"abcde") + NEXT,
    "length 0": message(b"POST / HTTP/1.1", b"Content-Length: 0\r\n") + NEXT,
    "chunked": chunked(b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n") + NEXT,
    "trailers": chunked(b"1\r\na\r\n0\r\nHost: evil\r\nX: y\r\n\r\n") + NEXT,
    "1.0": b"GET / HTTP/1.0\r\n\r\n",
    "1.0 kept": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + NEXT,
    "many fields": message(b"GET / HTTP/1.1", b"A:1\r\nB:  2\r\nA: 3\r\nC:\r\n") + NEXT,
    "absolute": message(b"GET http://other/x HTTP/1.1") + NEXT,
    "upgrade": message(b"GET / HTTP/1.1", UPGRADE) + NEXT,
    "upgrade and length": message(b"POST / HTTP/1.1", UPGRADE + b"Content-Length: 3\r\n", b"abc") + NEXT,
    "upgrade and chunks": message(
        b"POST / HTTP/1.1", UPGRADE + b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"
    )
    + NEXT,
    "bad host behind": NEXT + b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "bad syntax behind": NEXT + b"G@T / HTTP/1.1\r\n\r\n",
    "bad chunk": chunked(b"1\r\nab\r\n"),
    "cut off": NEXT + message(b"POST / HTTP/1.1", b"Content-Length: 9\r\n", b"abc"),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_means_the_same_wherever_it_is_cut(stream: bytes) -> None:
    """In two at every place, and byte by byte."""
    whole = read(stream)
    assert whole.requests
    for at in range(1, len(stream)):
        assert read(stream[:at], stream[at:]) == whole, (stream[:at], stream[at:])
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_means_the_same_behind_another_request(stream: bytes) -> None:
    """What the codec remembers of a request does not change the next ones."""
    for before in (NEXT, message(b"GET /b HTTP/1.1", b"A: b\r\n"), b"\r\n" + NEXT):
        alone = read(stream)
        behind = read(before, stream)
        assert behind.requests[1:] == alone.requests
        assert behind.error == alone.error


def test_a_head() -> None:
    """Method, target and values as sent; names in lower case; order and repetitions kept."""
    stream = (
        b"PATCH /A%2f?b=C HTTP/1.1\r\nHOST: h\r\nX-One: A\r\nx-one:  b\r\nX-One:\r\nX_two: \xe4 b\r\n\r\n"
    )
    fields = ((b"host", b"h"), (b"x-one", b"A"), (b"x-one", b"b"), (b"x-one", b""), (b"x_two", b"\xe4 b"))
    assert read(stream) == Outcome([Request(Head("PATCH", b"/A%2f?b=C", headers=fields), is_complete=True)])


def test_is_inside_head() -> None:
    """Known from its first byte on, behind empty lines, and over with the head."""
    sink = RecordingSink()
    codec = make_codec(sink)
    rest = (b" HTTP/1.1\r\nHo", b"st: h\r\nContent-Length: 1\r\n\r", b"\n", b"a", b"\r", b"\n", b"\r\nP")
    seen = []
    for piece in (b"\r", b"\n", b"G", b"ET /", b"x", *rest):
        feed(codec, sink, piece)
        seen.append(codec.is_inside_head)
    assert seen == [False, False, True, True, True, True, True, False, False, False, False, True]


def test_reading_stops_at_the_end_of_a_request() -> None:
    """What lies behind is fed when the next request may begin; an empty line before it belongs to it."""
    length = message(b"POST / HTTP/1.1", b"Content-Length: 3\r\n", b"abc")
    for first in (NEXT, b"\r\n" + NEXT, length, chunked(b"1\r\na\r\n0\r\nX: y\r\n\r\n")):
        for cut in range(len(first)):
            sink = RecordingSink()
            codec = make_codec(sink)
            if cut:
                assert codec.feed(b"before" + first[:cut], 6) == 6 + cut
            assert codec.feed(first[cut:] + b"\r\n" + NEXT) == len(first) - cut
            assert [request.is_complete for request in sink.requests] == [True]


# -- memory of the last head --------------------------------------------------------------------------


def test_a_repeated_section_behind_another_line() -> None:
    """Only the request line is new."""
    heads = read(NEXT, message(b"DELETE /a HTTP/1.1"), message(b"GET /b HTTP/1.1"), NEXT).heads
    assert [(head.method, head.target) for head in heads] == [
        ("GET", b"/next"),
        ("DELETE", b"/a"),
        ("GET", b"/b"),
        ("GET", b"/next"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"GET /x HTTP/1.0",
        b"GET /x HTTP/1.9",
        b"GET /x HTTP/2.0",
        b"GET /x http/1.1",
        b"get /x HTTP/1.1",
        b"GET  HTTP/1.1",
        b"GET /x\x01 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /x\tHTTP/1.1",
        b"GET /x HTTP/1.1\nA: b",
        b"GET /x HTTP/1.1 ",
        b" GET /x HTTP/1.1",
        b"CONNECT h:1 HTTP/1.1",
        b"GET\r\n/x HTTP/1.1",
        b"/x HTTP/1.1",
        b"GET x HTTP/1.1",
        b'GET http://a"b/ HTTP/1.1',
    ],
)
def test_a_repeated_section_excuses_no_bad_line(line: bytes) -> None:
    """What is refused, or is HTTP/1.0, at first sight is the same at the second."""
    first, second = read(message(line)), read(NEXT, message(line))
    if line.startswith((b"GET x", b"GET http:")):
        assert all(head.target == line.split()[1] for head in second.heads[1:]), "the sink refuses these"
        return
    assert second.requests[1:] == first.requests
    assert second.error == first.error


def test_a_section_of_the_same_length_is_another() -> None:
    """Every byte counts."""
    fields = [read(message(b"GET / HTTP/1.1", b"A: %d\r\n" % number)).heads[0].headers for number in range(3)]
    stream = [message(b"GET / HTTP/1.1", b"A: %d\r\n" % number) for number in range(3)]
    assert [head.headers for head in read(*stream).heads] == fields


# -- limits -------------------------------------------------------------------------------------------


def test_a_head_within_the_limits_is_taken() -> None:
    """Of almost the largest size, and with the most fields."""
    assert not read(message(b"GET /" + b"a" * 900 + b" HTTP/1.1")).error
    assert not read(message(b"GET / HTTP/1.1", b"A: b\r\n" * 9)).error
    assert not read(message(b"GET / HTTP/1.1", b"A: " + b"b" * 950 + b"\r\n")).error


TOO_LARGE = {
    "target": message(b"GET /" + b"a" * 1100 + b" HTTP/1.1"),
    "value": message(b"GET / HTTP/1.1", b"A: " + b"b" * 1100 + b"\r\n"),
    "name": message(b"GET / HTTP/1.1", b"a" * 1100 + b": b\r\n"),
    "fields together": message(b"GET / HTTP/1.1", b"".join(b"A: " + b"b" * 300 + b"\r\n" for _ in range(4))),
    "count": message(b"GET / HTTP/1.1", b"A: b\r\n" * 10),
    "huge": message(b"GET / HTTP/1.1", b"A: " + b"b" * 200_000 + b"\r\n"),
    "huge target": message(b"GET /" + b"a" * 200_000 + b" HTTP/1.1"),
    "huge, without an end": b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 200_000,
    "target without an end": b"GET /" + b"a" * 1100,
    "first value without an end": b"GET / HTTP/1.1\r\nA: " + b"b" * 1100,
}


@pytest.mark.parametrize("step", [1, 7, 1000, MIB])
@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_head_beyond_the_limits(name: str, step: int) -> None:
    """RFC 6585 section 5, RFC 9112 section 3: by size and by count, in one piece or in many."""
    stream = TOO_LARGE[name][: 3000 if step < 10 else MIB]
    outcome = read(*(stream[at : at + step] for at in range(0, len(stream), step)))
    assert outcome == Outcome([], 414 if "target" in name else 431)


def test_the_request_line_has_a_limit_of_its_own() -> None:
    """Its line end does not count, nor do empty lines before it."""
    line = b"GET /" + b"a" * 86 + b" HTTP/1.1"
    assert not read(b"\r\n\r\n" + message(line), line_size=100).error
    assert read(message(line), line_size=99).error == 414
    stream = message(line)
    assert not [at for at in range(1, 120) if read(stream[:at], stream[at:], line_size=100).error]


def test_a_repeated_section_excuses_no_large_target() -> None:
    """414 as for the first request."""
    assert read(NEXT, TOO_LARGE["target"]).error == 414


@pytest.mark.parametrize("step", [1, MIB])
@pytest.mark.parametrize(
    "trailers",
    [
        pytest.param(b"A: b\r\n" * 20, id="count"),
        pytest.param(b"A: b\r\nB: " + b"b" * 600 + b"\r\nC: " + b"c" * 600 + b"\r\nD: ", id="size"),
    ],
)
def test_a_trailer_section_has_the_same_limits(trailers: bytes, step: int) -> None:
    """It is held in memory, too (RFC 9112 section 7.1.2)."""
    stream = chunked(b"1\r\na\r\n0\r\n" + trailers)
    assert read(*(stream[at : at + step] for at in range(0, len(stream), step))).error == 431


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"A", id="method"),
        pytest.param(b"GET /", id="target"),
        pytest.param(b"GET / HTTP/1.1\r\nA", id="first name"),
        pytest.param(b"GET / HTTP/1.1\r\nA: ", id="first value"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\nA", id="second name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\nA: ", id="second value"),
        pytest.param(chunked(b"0\r\nA: "), id="trailer"),
        pytest.param(
            message(b"POST / HTTP/1.1", UPGRADE + b"Transfer-Encoding: chunked\r\n", b"0\r\nA: "),
            id="trailer behind an upgrade",
        ),
        pytest.param(chunked(b"0\r\nA: b\r\nB: "), id="second trailer"),
    ],
)
def test_no_client_fills_the_memory(start: bytes) -> None:
    """Whatever never ends is refused long before it is large."""
    codec = make_codec(RecordingSink())
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError) as refused:  # noqa: PT012 - which piece it is does not matter
            codec.feed(start)
            for _ in range(32):
                codec.feed(b"a" * 65536)
                assert tracemalloc.get_traced_memory()[0] < MIB
    finally:
        tracemalloc.stop()
    assert refused.value.status == (431 if b"HTTP" in start else 414)


BATCHES = {
    "body": message(b"POST / HTTP/1.1", b"Content-Length: 2000\r\n", b"x" * 2000) + NEXT,
    "requests": NEXT * 60,
    "chunks": chunked(b"fff\r\n" + b"x" * 4095 + b"\r\n0\r\n\r\n") + NEXT,
    "upgrade": message(b"GET / HTTP/1.1", UPGRADE) + NEXT * 40,
}


@pytest.mark.parametrize("name", BATCHES)
def test_what_comes_before_a_head_does_not_count(name: str) -> None:
    """A read may bring far more than a head before one that it cuts."""
    stream = BATCHES[name]
    wrong = [at for at in range(1, len(stream), 7) if read(stream[:at], stream[at:]).error]
    assert wrong == []
    assert read(stream).error == 0


# -- Host ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a",
        b"a.example",
        b"A.Example:8080",
        b"a:",
        b"127.0.0.1:1",
        b"[::1]",
        b"[::1]:80",
        b"[::ffff:1.2.3.4]",
        b"[v1.a]",
        b"a_b",
        b"a%20b",
        b"a~b!c$d",
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_valid_hosts(value: bytes, version: str) -> None:
    """RFC 9110 section 7.2, RFC 3986 section 3.2.2; each is found twice, the second time in memory."""
    for _ in range(2):
        outcome = read(b"GET / HTTP/" + version.encode() + b"\r\nHost: " + value + b"\r\n\r\n")
        assert not outcome.error
        assert outcome.heads[0].headers == ((b"host", value),)


@pytest.mark.parametrize(
    "value",
    [
        b"a b",
        b"a/b",
        b"a@b",
        b"a?b",
        b"a#b",
        b"a\\b",
        b'a"b',
        b"<a>",
        b"a:b",
        b"a:1:2",
        b":a",
        b"[::1",
        b"::1",
        b"[::1]a",
        b"[]",
        b"a%zz",
        b"a%2",
        b"\xe4",
        b"a, b",
        b"{a}",
        b"a|b",
        b"a^b",
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_invalid_hosts(value: bytes, version: str) -> None:
    """RFC 9112 section 3.2: 400, again and again."""
    for _ in range(2):
        assert read(b"GET / HTTP/" + version.encode() + b"\r\nHost: " + value + b"\r\n\r\n") == Outcome(
            [], 400
        )


@pytest.mark.parametrize(
    ("version", "fields", "error"),
    [
        (b"1.1", b"", 400),
        (b"1.1", b"X: h\r\n", 400),
        (b"1.1", b"Host: h\r\nHost: h\r\n", 400),
        (b"1.1", b"Host: h\r\nX: y\r\nhost:\r\n", 400),
        (b"1.1", b"Connection: close\r\n", 400),
        (b"1.0", b"", 0),
        (b"1.0", b"Connection: keep-alive\r\n", 0),
        (b"1.0", b"Host: h\r\nHost: h\r\n", 400),
    ],
)
def test_there_is_one_host(version: bytes, fields: bytes, error: int) -> None:
    """RFC 9112 section 3.2: exactly one; HTTP/1.0 may leave it out."""
    assert read(b"GET / HTTP/" + version + b"\r\n" + fields + b"\r\n").error == error
    assert read(NEXT, b"GET / HTTP/" + version + b"\r\n" + fields + b"\r\n").error == error


# -- the length of a body -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Content-Length: 5, 5\r\n", 400),
        (b"Content-Length: +5\r\n", 400),
        (b"Content-Length: -5\r\n", 400),
        (b"Content-Length: 5 5\r\n", 400),
        (b"Content-Length: 0x5\r\n", 400),
        (b"Content-Length: 5a\r\n", 400),
        (b"Content-Length:\r\n", 400),
        (b"Content-Length: 18446744073709551616\r\n", 400),
        (b"Content-Length : 5\r\n", 400),
        (b"Transfer-Encoding:\r\n", 400),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: gzip\r\n", 501),
        (b"Transfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: xchunked\r\n", 501),
        (b"Transfer-Encoding: chunked;a=b\r\n", 501),
        (b"Transfer-Encoding: ,chunked\r\n", 501),
        (b'Transfer-Encoding: "chunked"\r\n', 501),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"Transfer-Encoding: chunked, chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding : chunked\r\n", 400),
    ],
)
def test_a_body_has_one_length(fields: bytes, error: int) -> None:
    """RFC 9112 section 6: anything two readers could read in two ways is refused, before a head is out."""
    stream = message(b"POST / HTTP/1.1", fields, b"0\r\n\r\n")
    assert read(stream) == Outcome([], error)
    assert read(NEXT, stream).error == error


@pytest.mark.parametrize("value", [b"chunked", b"CHUNKED", b"Chunked"])
def test_chunked_in_any_case(value: bytes) -> None:
    """RFC 9112 section 7: transfer coding names are case-insensitive."""
    outcome = read(
        message(b"POST / HTTP/1.1", b"Transfer-Encoding: " + value + b"\r\n", b"1\r\na\r\n0\r\n\r\n")
    )
    assert outcome.requests[0].body == b"a"


def test_no_transfer_coding_in_1_0() -> None:
    """RFC 9112 section 6.1: a sign of smuggling."""
    assert read(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == Outcome([], 400)


@pytest.mark.parametrize("field", [b"X: y \t ", b"Host: h ", b"Expect: 100-continue\t"])
def test_blanks_around_a_value_are_not_part_of_it(field: bytes) -> None:
    """RFC 9112 section 5: they must be excluded before the value is looked at."""
    host = b"" if field.startswith(b"Host") else HOST
    outcome = read(b"GET / HTTP/1.1\r\n" + host + field + b"\r\n\r\n")
    assert [value.strip(b" \t") for _, value in outcome.heads[0].headers] == [
        value for _, value in outcome.heads[0].headers
    ]


def test_blanks_behind_the_transfer_coding() -> None:
    """RFC 9112 section 5."""
    stream = message(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked \r\n", b"0\r\n\r\n")
    assert not read(stream).error


# -- chunks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"1\r\na\r\n0\r\n\r\n", b"a"),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
        (b"0001\r\na\r\n000\r\n\r\n", b"a"),
        (b"1;x\r\na\r\n0;y\r\n\r\n", b"a"),
        (b'1;x=y;z="a b"\r\na\r\n0\r\n\r\n', b"a"),
        (b'1;x="a\\"\\\\;\t";y\r\na\r\n0;z=""\r\n\r\n', b"a"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"1\r\na\r\n0\r\nX: y\r\n\r\n", b"a"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ],
)
def test_chunks(body: bytes, content: bytes) -> None:
    """RFC 9112 section 7.1."""
    assert read(chunked(body) + NEXT).requests[0].body == content
    assert read(chunked(body) + NEXT).requests[1:] == [NEXT_REQUEST]


@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"1_0\r\n",
        b"1\ra\r\n",
        b"1\na\r\n",
        b"1\r\naXX0\r\n\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\na\r\n0\n\r\n",
        b"1\r\na\r\n0\r\n\n",
        b"1;x\na\r\n",
        b"1;\r\na\r\n",
        b"1 ;x\r\na\r\n",
        b"1; x\r\na\r\n",
        b"1;x \r\na\r\n",
        b"1;x=\r\na\r\n",
        b"1;x;;y\r\na\r\n",
        b'1;x="a\r\na\r\n',
        b'1;x="a"b\r\na\r\n',
        b'1;x="a\xe4"\r\na\r\n',
        b"1;=y\r\na\r\n",
        b"1;x\0\r\na\r\n",
        b"10000000000000000\r\n",
        b"fffffffffffffffff\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: \0\r\n\r\n",
        b"0\r\nX: y\r\n folded\r\n\r\n",
        b"0\r\nContent-Length: 1\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_bad_chunks(body: bytes) -> None:
    """RFC 9112 section 7.1: the request never ends, and nothing behind it is read."""
    outcome = read(chunked(body) + NEXT)
    assert outcome.error == 400
    assert [request.is_complete for request in outcome.requests] == [False]


def test_bad_chunks_of_a_last_request() -> None:
    """Connection: close changes nothing about it: the application must not wait for ever."""
    fields = b"Connection: close\r\nTransfer-Encoding: chunked\r\n"
    assert read(message(b"POST / HTTP/1.1", fields, b"zz\r\n")).error == 400


def test_trailers_are_dropped() -> None:
    """RFC 9110 section 6.5.1: they never become fields, neither of this request nor of the next."""
    trailers = b"X-Forwarded-For: evil\r\nHost: evil\r\nExpect: 100-continue\r\nUpgrade: x\r\n"
    outcome = read(chunked(b"1\r\na\r\n0\r\n" + trailers + b"\r\n") + NEXT)
    assert outcome.heads[0].headers == ((b"host", b"h"), (b"transfer-encoding", b"chunked"))
    assert outcome.requests[1:] == [NEXT_REQUEST]


# -- versions and methods -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.9", 505),
        (b"GET / HTTP/3.0", 505),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/01.1", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/11", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTPS/1.1", 400),
        (b"GET / HTTP/1.1 x", 400),
        (b"GET /", 400),
        (b"GET / ", 400),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / RTSP/1.0", 400),
        (b"SOURCE / ICE/1.0", 400),
    ],
)
def test_versions(line: bytes, error: int) -> None:
    """RFC 9110 section 2.5: 505 for what is HTTP of another version, 400 for what is none."""
    assert read(message(line)) == Outcome([], error)
    assert read(NEXT, message(line)).error == error


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"x, close, y", False),
        (b"1.1", b"closed", True),
        (b"1.0", b"", False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"close", False),
        (b"1.0", b"x", False),
        (b"1.0", b"x, KEEP-ALIVE", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"close\r\nConnection: keep-alive", False),
        (b"1.1", b"close\r\nConnection: keep-alive", False),
    ],
)
def test_persistence(version: bytes, connection: bytes, keep_alive: bool) -> None:
    """RFC 9112 section 9.3."""
    fields = b"Connection: " + connection + b"\r\n" if connection else b""
    for before in ([], [NEXT]):
        head = read(*before, message(b"GET / HTTP/" + version, fields)).heads[-1]
        assert (head.version, head.keep_alive) == (version.decode(), keep_alive)


@pytest.mark.parametrize(
    "method",
    [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "PATCH",
        "TRACE",
        "PURGE",
        "QUERY",
        "PURGEX",
        "M-X1",
        "!",
    ],
)
def test_methods(method: str) -> None:
    """RFC 9110 section 9.1: any token is one, as sent."""
    assert read(message(method.encode() + b" / HTTP/1.1")).heads == [Head(method, b"/")]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"get / HTTP/1.1", 400),
        (b"Get / HTTP/1.1", 400),
        (b"G\0T / HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"/ HTTP/1.1", 400),
        (b"CONNECT h:1 HTTP/1.1", 501),
        (b"get2 / HTTP/1.1", 400),
        (b"PURGEx / HTTP/1.1", 400),
        (b"P(X) / HTTP/1.1", 400),
        (b"P\xe4 / HTTP/1.1", 400),
    ],
)
def test_methods_that_are_refused(line: bytes, error: int) -> None:
    """RFC 9110 section 9.1: case matters, and ASGI has no words in lower case."""
    assert read(message(line)).error == error


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\n",
        b"GET / HTTP/1.1\rHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\tfolded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\t: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n(X): y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\xe4: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\0: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x7f\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\x1b[31m HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_bad_syntax(head: bytes) -> None:
    """RFC 9112 sections 2.2, 3 and 5: 400, alone and behind another request."""
    assert read(head) == Outcome([], 400)
    assert read(NEXT, head) == Outcome([NEXT_REQUEST], 400)
    assert read(NEXT + head) == Outcome([NEXT_REQUEST], 400)


@pytest.mark.parametrize(
    ("fields", "expects"),
    [
        (b"Expect: 100-continue\r\nContent-Length: 1\r\n", True),
        (b"EXPECT: 100-Continue\r\nContent-Length: 1\r\n", True),
        (b"Content-Length: 1\r\n", False),
    ],
)
def test_expectations(fields: bytes, expects: bool) -> None:
    """RFC 9110 section 10.1.1: HTTP/1.0 has none; those of one request are not the next one's."""
    outcome = read(
        message(b"POST / HTTP/1.1", fields, b"a") + message(b"POST / HTTP/1.1", b"A: b\r\n") + NEXT
    )
    assert [head.expects_continue for head in outcome.heads] == [expects, False, False]
    assert not read(message(b"POST / HTTP/1.0", fields)).heads[0].expects_continue


@pytest.mark.parametrize("value", [b"", b"something", b"100-continue, something", b"100-continue=1"])
def test_an_unknown_expectation_is_417(value: bytes) -> None:
    """RFC 9110 section 10.1.1: with a body or without one, but never in HTTP/1.0."""
    for fields in (b"", b"Content-Length: 1\r\n"):
        fields += b"Expect: " + value + b"\r\n"  # noqa: PLW2901 - the rest of it
        assert read(message(b"POST / HTTP/1.1", fields, b"a")) == Outcome([], 417)
        assert not read(message(b"POST / HTTP/1.0", fields, b"a")).error


def test_an_expectation_without_a_body_is_none() -> None:
    """RFC 9110 section 10.1.1: a client must not send one, and nobody has to wait for it."""
    assert not read(message(b"GET / HTTP/1.1", b"Expect: 100-continue\r\n")).heads[0].expects_continue


# -- the end of a connection, and other protocols -----------------------------------------------------


@pytest.mark.parametrize(
    "last", [message(b"GET / HTTP/1.1", b"Connection: close\r\n"), b"GET / HTTP/1.0\r\n\r\n"]
)
@pytest.mark.parametrize("rest", [b"garbage\0", b"\r\n", b"\r\n\r\nGET", NEXT, b"GET / HTTP/9.9\r\n\r\n"])
def test_nothing_is_read_behind_the_last_request(last: bytes, rest: bytes) -> None:
    """RFC 9112 section 9.6: the client has said so."""
    alone = read(last)
    assert len(alone.requests) == 1
    assert read(last + rest) == alone
    assert read(last, rest) == alone


def test_no_repetition_behind_the_last_request() -> None:
    """RFC 9112 section 9.6."""
    assert len(read(NEXT, message(b"GET / HTTP/1.1", b"Connection: close\r\n"), NEXT).requests) == 2


def test_nothing_is_read_behind_a_last_request_for_an_upgrade() -> None:
    """RFC 9112 section 9.6."""
    last = message(b"GET / HTTP/1.1", b"Connection: upgrade, close\r\nUpgrade: x\r\n")
    assert len(read(last + NEXT).requests) == 1


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0", b"x, y"])
def test_an_upgrade_is_declined(protocol: bytes) -> None:
    """RFC 9110 section 7.8: answered in HTTP, and so is what follows."""
    head = message(b"GET / HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n")
    outcome = read(head + NEXT)
    assert [(head.target, head.keep_alive) for head in outcome.heads] == [(b"/", True), (b"/next", True)]
    assert read(head, NEXT) == outcome


@pytest.mark.parametrize(
    ("fields", "body", "content"),
    [
        (b"Content-Length: 3\r\n", b"abc", b"abc"),
        (b"Content-Length: 0\r\n", b"", b""),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"Transfer-Encoding: chunked\r\n", b"0\r\nHost: evil\r\n\r\n", b""),
    ],
)
def test_a_body_beside_an_upgrade_is_read(fields: bytes, body: bytes, content: bytes) -> None:
    """It belongs to the request, whatever protocol was wished for."""
    for _ in range(2):
        outcome = read(message(b"POST / HTTP/1.1", UPGRADE + fields, body) + NEXT)
        assert outcome.requests[0].body == content
        assert outcome.requests[0].is_complete
        assert outcome.requests[1:] == [NEXT_REQUEST]


def test_a_bad_head_behind_an_upgrade() -> None:
    """400 as anywhere else."""
    assert read(message(b"GET / HTTP/1.1", UPGRADE) + b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").error == 400


def test_many_upgrades_in_one_read() -> None:
    """A quarter of a megabyte has room for thousands."""
    assert len(read(message(b"GET / HTTP/1.1", UPGRADE) * 3000).requests) == 3000


def test_the_same_two_requests_again() -> None:
    """A read that repeats the last one has as many requests."""
    pair = message(b"GET / HTTP/1.1", UPGRADE) + NEXT
    assert len(read(pair, pair).requests) == 4


def test_a_request_line_is_no_field() -> None:
    """Not even behind an empty line."""
    assert read(b"\r\n" + NEXT, b"GET /evil HTTP/1.1\r\n" + NEXT).error == 400


def test_a_method_that_is_cut_in_two_valid_ones() -> None:
    """PROPPATCH stays PROPPATCH."""
    heads = read(NEXT, NEXT + NEXT + b"PROP", message(b"PATCH /x HTTP/1.1")).heads
    assert heads[-1].method == "PROPPATCH"


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /a HTTP/1.1\r\nX: ",
        message(b"POST /a HTTP/1.1", b"Content-Length: 39\r\n"),
        message(b"POST /a HTTP/1.1", UPGRADE + b"Content-Length: 39\r\n"),
    ],
)
def test_what_looks_like_a_request_inside_another_is_none(begun: bytes) -> None:
    """Or a field, or a body, that somebody else chose would be a request of its own."""
    inside = b"GET /stolen HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
    assert len(inside) == 39
    simple = message(b"GET / HTTP/1.1", b"A: b\r\n")
    targets = [head.target for head in read(simple, simple + simple + begun, inside).heads]
    assert targets == [b"/", b"/", b"/", b"/a"]


@pytest.mark.parametrize("end", [b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r\n\r\n\r\n\r\n"])
@pytest.mark.parametrize("before", [(), (NEXT,)])
def test_empty_lines_are_no_header_section(before: tuple[bytes, ...], end: bytes) -> None:
    """A request without Host is one, whatever came before it and however it ends."""
    outcome = read(*before, b"GET / HTTP/1.1" + end)
    assert len(outcome.requests) == len(before)
    assert outcome.error == (0 if end == b"\r\n" else 400)


PLAIN = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "pair", [PLAIN + PLAIN, b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" + PLAIN]
)
def test_requests_of_the_same_line_in_one_read_stay_two(pair: bytes) -> None:
    """However often the read is repeated."""
    assert len(read(pair, pair, pair).requests) == 6


def test_a_line_that_is_a_value_begins_no_section() -> None:
    """It continues a field of the read before."""
    rest = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    outcome = read(b"GET / HTTP/1.1\r\nX: ", rest, rest)
    assert [len(request.head.headers) for request in outcome.requests] == [2, 1]
