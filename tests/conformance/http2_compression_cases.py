"""Cases of RFC 7541: header blocks that are encoded in every way, and wrong ones."""

from __future__ import annotations

from typing import Final

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from tests.conformance.http2_cases import Case, answered, failed
from tests.support.http2_frames import (
    HEADER_TABLE_SIZE,
    Code,
    asked,
    block,
    continuation,
    data,
    get,
    headers,
    indexed,
    integer,
    literal,
    post,
    remembered,
    settings,
    string,
    table_size,
)

COMPRESSION: Final = failed(Code.COMPRESSION_ERROR)
ASKED: Final = block(*asked())
_HUFFMAN: Final = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def huffman(value: str) -> bytes:
    """Return a string that is Huffman coded (section 5.2)."""
    coded = _HUFFMAN.encode(value.encode("latin-1"))
    return integer(len(coded), 7, 0x80) + coded


def coded(raw: bytes) -> bytes:
    """Return a field whose value is said to be Huffman coded."""
    return b"\x00" + string("x") + integer(len(raw), 7, 0x80) + raw


#: :method GET, :scheme http, :path / and :authority h, of the static table as far as it goes.
STATIC: Final = indexed(2) + indexed(6) + indexed(4) + b"\x01" + string("h")

RIGHT: Final = [
    Case("the static table", "RFC 7541 6.1", headers(1, STATIC), answered()),
    Case(
        "names of the static table",
        "RFC 7541 6.2.2",
        headers(1, indexed(2) + indexed(6) + b"\x04" + string("/ok") + b"\x01" + string("h")),
        answered(),
    ),
    Case("the last of the static table", "RFC 7541 A", headers(1, STATIC + indexed(61)), answered()),
    Case(
        "Huffman",
        "RFC 7541 5.2",
        headers(1, STATIC + b"\x00" + huffman("x") + huffman("abc \xff")),
        answered(),
    ),
    Case(
        "never to be remembered",
        "RFC 7541 6.2.3",
        headers(1, STATIC + b"\x10" + string("x") + string("secret")),
        answered(),
    ),
    Case(
        "remembered, and used in the same block",
        "RFC 7541 6.2.1",
        headers(1, STATIC + remembered("x", "1") + indexed(62)),
        answered(),
    ),
    Case(
        "remembered, and used in the next request",
        "RFC 7541 2.2",
        headers(1, STATIC + remembered("x", "1")) + headers(3, STATIC + indexed(62)),
        answered(3),
    ),
    Case(
        "remembered in trailers",
        "RFC 7541 2.2",
        post(1, "/ok") + headers(1, remembered("x-after", "1")) + headers(3, STATIC + indexed(62)),
        answered(3),
    ),
    Case(
        "remembered in a refused request",
        "9113 4.3",
        headers(1, STATIC + remembered("x", "1") + literal("Upper", "1")) + headers(3, STATIC + indexed(62)),
        answered(3),
    ),
    Case(
        "remembered in a request behind its reset",
        "9113 4.3",
        (
            *(get(1, "/watch"), headers(1, STATIC + remembered("x", "1"))),
            headers(3, STATIC + indexed(62)),
        ),
        answered(3),
    ),
    Case(
        "more than the table holds empties it",
        "RFC 7541 4.4",
        headers(1, STATIC + remembered("x", "1") + remembered("y", "2" * 5000)) + headers(3, STATIC),
        answered(3),
    ),
    Case("the table gets smaller", "RFC 7541 6.3", headers(1, table_size(0) + STATIC), answered()),
    Case(
        "the table gets smaller and back",
        "RFC 7541 6.3",
        headers(1, table_size(0) + table_size(4096) + STATIC),
        answered(),
    ),
    Case(
        "an integer of more bytes than it needs",
        "RFC 7541 5.1",
        headers(1, STATIC + b"\x00" + string("x") + b"\x7f\x80\x80\x00" + b"v" * 127),
        answered(),
    ),
    Case(
        "an acknowledged table size",
        "RFC 7541 4.2",
        settings({HEADER_TABLE_SIZE: 0}) + headers(1, STATIC),
        answered(),
    ),
]

#: What each of these blocks gets wrong is all that is wrong with it.
_WRONG: Final = {
    "index 0": ("6.1", indexed(0)),
    "an index behind the static table": ("2.3.3", indexed(62)),
    "a name with an index behind the static table": ("2.3.3", integer(70, 6, 0x40) + string("v")),
    "an index far behind the table": ("2.3.3", indexed(4000)),
    "what was forgotten": ("4.4", remembered("x", "1") + remembered("y", "2" * 5000) + indexed(62)),
    "the table above its limit": ("6.3", table_size(4097)),
    "Huffman with 8 bits of padding": ("5.2", coded(b"\x1f\xff")),
    "Huffman with more padding": ("5.2", coded(b"\x1f\xff\xff\xff")),
    "Huffman with zeros as padding": ("5.2", coded(b"\x18")),
    "Huffman with EOS": ("5.2", coded(b"\xff\xff\xff\xff")),
    "Huffman with EOS in the middle": ("5.2", coded(b"\xff\xff\xff\xfc\x7f")),
    "a string longer than the block": ("5.2", b"\x00" + string("x") + b"\x0aabc"),
    "a name longer than the block": ("5.2", b"\x00\x7f\x00x"),
    "a field that breaks off": ("6.2.2", b"\x00" + string("x")),
    "an integer that breaks off": ("5.1", b"\xff\x80"),
    "an integer of 2^32": ("5.1", b"\xff" + b"\x81\x80\x80\x80\x10"),
    "an integer of 2^64": ("5.1", b"\xff" + b"\x80" * 9 + b"\x02"),
    "an integer that never ends": ("5.1", b"\xff" + b"\x80" * 200 + b"\x01"),
}
WRONG: Final = [
    *(
        Case(
            name,
            f"RFC 7541 {clause}",
            headers(1, ASKED + wrong if clause != "6.3" else wrong + ASKED),
            COMPRESSION,
        )
        for name, (clause, wrong) in _WRONG.items()
    ),
    Case("a table size behind a field", "RFC 7541 4.2", headers(1, STATIC + table_size(0)), COMPRESSION),
    Case(
        "a table size between fields",
        "RFC 7541 4.2",
        headers(1, indexed(2) + table_size(0) + STATIC[1:]),
        COMPRESSION,
    ),
    Case(
        "a wrong index in trailers",
        "RFC 7541 2.3.3",
        (post(1), data(1, b"x"), headers(1, indexed(99))),
        COMPRESSION,
    ),
    Case(
        "a wrong index on a stream that was reset",
        "9113 4.3",
        (get(1, "/watch"), headers(1, indexed(99))),
        COMPRESSION,
    ),
    Case(
        "a wrong index in a CONTINUATION",
        "9113 4.3",
        headers(1, ASKED, is_whole=False) + continuation(1, indexed(99)),
        COMPRESSION,
    ),
]

ALL: Final = [RIGHT, WRONG]
