"""What the properties of HTTP are tried on: valid requests, nearly valid ones, any bytes; cut anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from tests.support.http_requests import RECORDED, TYPICAL
from tests.unit.worker.recording import Head, Request

PLAIN = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 10_000), max_size=20)

# -- valid requests -----------------------------------------------------------------------------------

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "X-ANY_TOKEN",
]
SPECIAL = {b"host", b"connection", b"upgrade", b"transfer-encoding", b"content-length", b"expect", b"te"}
VISIBLE = bytes(range(0x21, 0x7F))
TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def bytes_of(alphabet: bytes, *, least: int = 0, most: int = 12) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=least, max_size=most).map(bytes)


targets = bytes_of(VISIBLE.replace(b"#", b"")).map(lambda rest: b"/" + rest)
names = bytes_of(TOKEN, least=1).filter(lambda name: name.lower() not in SPECIAL)
values = bytes_of(VISIBLE + b" \t" + bytes(range(0x80, 0x100))).map(lambda value: value.strip(b" \t"))
blanks = st.sampled_from([b"", b" ", b"\t", b"  \t"])
extensions = st.sampled_from([b"", b";a", b";a=b", b';a="b c";d'])


@dataclass(frozen=True)
class Sent:
    """A valid request, as bytes and as it must be understood."""

    data: bytes
    request: Request


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    """A request with a body in either framing or none, maybe one that wishes for another protocol."""
    method, target = draw(st.sampled_from(METHODS)), draw(targets)
    lines, fields = [b"Host:h"], [(b"host", b"h")]
    for name, value in draw(st.lists(st.tuples(names, values), max_size=4)):
        lines.append(name + b":" + draw(blanks) + value + draw(blanks))
        fields.append((name.lower(), value))
    if draw(st.integers(0, 4)) == 0:
        lines += [b"Connection: upgrade", b"Upgrade: x"]
        fields += [(b"connection", b"upgrade"), (b"upgrade", b"x")]
    takes_trailers = draw(st.integers(0, 4)) == 0
    if takes_trailers:
        lines.append(b"TE: trailers")
        fields.append((b"te", b"trailers"))
    content, body = draw(st.binary(max_size=30)), b""
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "none":
        content = b""
    elif framing == "length":
        lines.append(b"Content-Length: %d" % len(content))
        fields.append((b"content-length", b"%d" % len(content)))
        body = content
    else:
        lines.append(b"Transfer-Encoding: chunked")
        fields.append((b"transfer-encoding", b"chunked"))
        for piece in pieces_of(content, draw(cuts)):
            if piece:
                body += b"%x%b\r\n%b\r\n" % (len(piece), draw(extensions), piece)
        body += b"0%b\r\n" % draw(extensions)
        for name, value in draw(st.lists(st.tuples(names, values), max_size=2)):
            body += name + b": " + value + b"\r\n"
        body += b"\r\n"
    data = method.encode() + b" " + target + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body
    length = {"none": 0, "length": len(content), "chunked": None}[framing]
    head = Head(method, target, headers=tuple(fields), length=length, takes_trailers=takes_trailers)
    return Sent(data, Request(head, content, is_complete=True))


#: Several requests, some of them the same or with the same header section as the one before.
conversations = st.lists(
    st.tuples(sent(), st.sampled_from(["new", "again", "plain"])), min_size=1, max_size=5
).map(
    lambda drawn: [
        Sent(PLAIN, Request(Head("GET", b"/"), is_complete=True))
        if how == "plain"
        else drawn[max(0, number - 1)][0]
        if how == "again"
        else new
        for number, (new, how) in enumerate(drawn)
    ]
)


# -- any bytes ----------------------------------------------------------------------------------------

LINES = [
    b"GET / HTTP/1.1\r\n",
    b"GET /a?b HTTP/1.1\r\n",
    b"PATCH /x HTTP/1.1\r\n",
    b"POST / HTTP/1.0\r\n",
    b"GET http://a/b HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n",
    b"GET / HTTP/1.9\r\n",
]
FIELD_LINES = [
    b"Host: h\r\n",
    b"Host: a b\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 33\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\n",
    b"Upgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"X: y\r\n",
    b"X: y \r\n",
    b"X : y\r\n",
    b" folded\r\n",
]
OTHERS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"abc",
    b"3\r\nabc\r\n",
    b"3;a=b\r\nabc\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"PROP",
    b"G",
    b"\0",
    PLAIN,
]
near_requests = st.lists(
    st.sampled_from([*LINES, *FIELD_LINES, *OTHERS, *FIELD_LINES[:1] * 4, *OTHERS[:1] * 6, *[PLAIN] * 4])
    | st.binary(max_size=3),
    max_size=16,
).map(b"".join)
#: What clients send, one behind the other.
recorded = st.lists(st.sampled_from([*RECORDED.values(), *TYPICAL.values()]), min_size=1, max_size=3).map(
    b"".join
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """What clients send, with a few bytes changed, taken out, put in or put in twice."""
    stream = draw(recorded | conversations.map(lambda all_sent: b"".join(one.data for one in all_sent)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(stream)))
        end = at + draw(st.integers(0, 8))
        new = draw(st.sampled_from([b"", *OTHERS, *FIELD_LINES]) | st.binary(max_size=2)) + draw(
            st.sampled_from([b"", stream[at:end], stream[at:end].swapcase()])
        )
        stream = stream[:at] + new + stream[end:]
    return stream


streams = (
    st.binary(max_size=60)
    | near_requests
    | near_requests.map(lambda rest: PLAIN + PLAIN + rest)
    | recorded
    | damaged()
)
