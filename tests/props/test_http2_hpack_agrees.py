"""HPACK as we read it, against Python's hpack: the same fields, from any encoder, and the same refusals."""

from __future__ import annotations

from hpack import Decoder as Library
from hpack import Encoder, HPACKError
from hypothesis import example, given
from hypothesis import strategies as st

from srvctl.worker.http2.frames import ConnectionFault
from srvctl.worker.http2.hpack import Decoder, encode_field
from tests.support.http2_frames import indexed, integer, literal, remembered, table_size

LARGE = 1 << 20

names = st.one_of(
    st.sampled_from([b":path", b":method", b"cookie", b"accept", b"x", b"x-long" * 20]),
    st.binary(min_size=1, max_size=12),
)
values = st.one_of(st.sampled_from([b"/", b"GET", b"", b"1"]), st.binary(max_size=200))
sections = st.lists(st.tuples(names, values), max_size=12)
#: What an encoder may do between two blocks: change its table's size.
sizes = st.one_of(st.none(), st.integers(0, 4096))

#: Pieces of blocks, right and wrong ones.
pieces = st.one_of(
    st.integers(0, 80).map(indexed),
    st.builds(literal, names, values),
    st.builds(remembered, names, values),
    st.integers(0, 5000).map(table_size),
    st.builds(
        lambda index, value: integer(index, 6, 0x40) + b"\x01" + value, st.integers(0, 80), st.just(b"v")
    ),
    st.binary(max_size=6),
    st.builds(lambda raw: b"\x00\x01x" + integer(len(raw), 7, 0x80) + raw, st.binary(max_size=8)),
)


def read(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the fields; None where it is refused."""
    try:
        return decoder.decode(block)
    except ConnectionFault:
        return None


def read_by_library(decoder: Library, block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the fields; None where it is refused."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except HPACKError:
        return None


@given(st.lists(st.tuples(sections, st.booleans(), sizes), max_size=8))
def test_what_an_encoder_writes_is_read(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int | None]],
) -> None:
    """With every table there may be, and with Huffman codes and without."""
    encoder, decoder = Encoder(), Decoder(LARGE)
    for fields, is_coded, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        assert read(decoder, encoder.encode(fields, huffman=is_coded)) == fields


@given(st.lists(st.lists(pieces, max_size=6).map(b"".join), max_size=5))
@example([b"\x00\x01x\x83\xff\xff\xff"])
@example([remembered(b"x", b"y" * 5000) + indexed(62)])
def test_any_block_means_the_same(blocks: list[bytes]) -> None:
    """One is refused by both, or read by both alike; behind a refusal a connection has ended."""
    ours, theirs = Decoder(LARGE), Library(max_header_list_size=LARGE)
    for block in blocks:
        fields = read(ours, block)
        assert fields == read_by_library(theirs, block)
        if fields is None:
            return


@given(st.lists(sections, max_size=5))
def test_what_we_write_is_read(blocks: list[list[tuple[bytes, bytes]]]) -> None:
    """Whatever came before: we use no table but the one that everybody has."""
    for fields in blocks:
        lower = [(name.lower(), value) for name, value in fields]
        block = b"".join(encode_field(name, value) for name, value in lower)
        assert read_by_library(Library(max_header_list_size=LARGE), block) == lower
