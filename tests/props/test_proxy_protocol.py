"""A PROXY header means the same wherever it is cut, and no bytes raise anything but the decoder's error."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from srvctl.worker.proxy.protocol import ProxyDecoder, ProxyHeader
from srvctl.worker.proxy.tlv import ProxyProtocolError, crc32c

START_V2 = b"\r\n\r\n\0\r\nQUIT\n"
cuts = st.lists(st.integers(0, 10_000), max_size=20)
ports = st.integers(0, 65535)
tlvs = st.lists(
    st.tuples(st.integers(4, 255).filter(lambda kind: kind not in {5, 32}), st.binary(max_size=20))
)


def outcome(data: bytes, cuts: list[int]) -> ProxyHeader | str | None:
    """What comes of a stream in pieces: the header with all that follows, an error, or nothing yet."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    decoder = ProxyDecoder()
    for start, end in pairwise(edges):
        try:
            header = decoder.feed(data[start:end])
        except ProxyProtocolError:
            return "error"
        if header is not None:
            rest = header.rest + data[end:]
            return ProxyHeader(header.version, header.source, header.destination, header.tlvs, rest)
    return None


def v2(command: int, family: int, block: bytes) -> bytes:
    return START_V2 + bytes([command, family]) + len(block).to_bytes(2) + block


streams = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda rest: b"PROXY " + rest),
    st.from_regex(rb"PROXY (TCP4|TCP6|UNKNOWN)( [0-9a-f:.]{0,40}){0,4} ?\r?\n", fullmatch=True),
    st.binary(max_size=300).map(lambda rest: START_V2 + rest),
    st.builds(
        v2, st.sampled_from([0x20, 0x21]), st.sampled_from([0x00, 0x11, 0x21, 0x31]), st.binary(max_size=300)
    ),
)


@given(streams, st.binary(max_size=20), cuts)
def test_any_stream_means_the_same_however_it_is_cut(head: bytes, rest: bytes, cuts: list[int]) -> None:
    assert outcome(head + rest, cuts) == outcome(head + rest, [])


@given(st.ip_addresses(), st.ip_addresses(), ports, ports, st.binary(max_size=20), cuts)
def test_version_1_is_read_back(
    source: object, destination: object, port: int, other: int, rest: bytes, cuts: list[int]
) -> None:
    hosts = str(source), str(destination)
    line = f"PROXY TCP{'6' if ':' in hosts[0] else '4'} {hosts[0]} {hosts[1]} {port} {other}\r\n".encode()
    read = outcome(line + rest, cuts)
    if (":" in hosts[0]) != (":" in hosts[1]):
        assert read == "error"
    else:
        assert read == ProxyHeader(1, (hosts[0], port), (hosts[1], other), (), rest)


@given(
    st.ip_addresses(v=4),
    st.ip_addresses(v=4),
    ports,
    ports,
    tlvs,
    st.booleans(),
    st.binary(max_size=20),
    cuts,
)
def test_version_2_is_read_back(
    source: object,
    destination: object,
    port: int,
    other: int,
    pieces: list[tuple[int, bytes]],
    has_sum: bool,
    rest: bytes,
    cuts: list[int],
) -> None:
    packed = [bytes(map(int, str(host).split("."))) for host in (source, destination)]
    block = b"".join([*packed, port.to_bytes(2), other.to_bytes(2)])
    block += b"".join(bytes([kind]) + len(value).to_bytes(2) + value for kind, value in pieces)
    header = v2(0x21, 0x11, block)
    if has_sum:
        header = v2(0x21, 0x11, block + b"\x03\0\x04" + bytes(4))
        header = header[:-4] + crc32c(header).to_bytes(4)
    read = outcome(header + rest, cuts)
    assert isinstance(read, ProxyHeader)
    assert (read.source, read.destination, read.rest) == (
        (str(source), port),
        (str(destination), other),
        rest,
    )
    assert [(tlv.type, tlv.value) for tlv in read.tlvs if tlv.type != 3] == pieces
