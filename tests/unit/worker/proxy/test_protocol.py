"""The header of the PROXY protocol, versions 1 and 2."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

import pytest

from srvctl.worker.proxy.protocol import ProxyDecoder, ProxyHeader
from srvctl.worker.proxy.tlv import AUTHORITY, CRC32C, SSL, UNIQUE_ID, ProxyProtocolError, crc32c, ssl_parts

REST = b"GET / HTTP/1.1\r\n\r\n"
START_V2 = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = inet_pton(AF_INET, "203.0.113.7") + inet_pton(AF_INET, "192.0.2.1") + b"\x10\x00\x01\xbb"
IPV6 = inet_pton(AF_INET6, "2001:db8::7") + inet_pton(AF_INET6, "2001:db8::1") + b"\x10\x00\x01\xbb"


def v2(block: bytes = IPV4, *, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    size = len(block) if length is None else length
    return START_V2 + bytes([command, family]) + size.to_bytes(2) + block


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2) + value


def summed(block: bytes) -> bytes:
    """A header with a checksum as its last piece."""
    header = v2(block + tlv(CRC32C, bytes(4)))
    return header[:-4] + crc32c(header).to_bytes(4)


def decode(data: bytes) -> ProxyHeader:
    header = ProxyDecoder().feed(data)
    assert header is not None
    return header


def refusal(data: bytes) -> str:
    with pytest.raises(ProxyProtocolError) as caught:
        ProxyDecoder().feed(data)
    assert str(caught.value).isprintable()
    return str(caught.value)


class TestVersion1:
    @pytest.mark.parametrize(
        ("line", "source", "destination"),
        [
            (b"TCP4 203.0.113.7 192.0.2.1 4096 443", ("203.0.113.7", 4096), ("192.0.2.1", 443)),
            (
                b"TCP4 255.255.255.255 255.255.255.255 65535 0",
                ("255.255.255.255", 65535),
                ("255.255.255.255", 0),
            ),
            (b"TCP6 2001:db8::7 ::1 4096 443", ("2001:db8::7", 4096), ("::1", 443)),
            (
                b"TCP6 FFFF" + b":ffff" * 7 + b" ffff" + b":ffff" * 7 + b" 65535 65535",
                ("FFFF:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
                ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
            ),
            (b"UNKNOWN", None, None),
            (b"UNKNOWN anything \0 at all", None, None),
        ],
    )
    def test_lines(
        self, line: bytes, source: tuple[str, int] | None, destination: tuple[str, int] | None
    ) -> None:
        header = decode(b"PROXY " + line + b"\r\n" + REST)
        assert header == ProxyHeader(1, source, destination, (), REST)
        assert header.is_tls is None

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"TCP4",
            b"UNKNOWNX",
            b"unknown",
            b"TCP5 1.2.3.4 1.2.3.4 1 2",
            b"UDP4 1.2.3.4 1.2.3.4 1 2",
            b"TCP4  1.2.3.4 1.2.3.4 1 2",
            b"TCP4 1.2.3.4 1.2.3.4 1 2 ",
            b"TCP4 1.2.3.4 1.2.3.4 1",
            b"TCP4 1.2.3.4 1.2.3.4 1 02",
            b"TCP4 1.2.3.4 1.2.3.4 1 -2",
            b"TCP4 1.2.3.4 1.2.3.4 1 \xb2",
            b"TCP4 1.2.3.4 1.2.3.4 1 65536",
            b"TCP4 1.2.3.04 1.2.3.4 1 2",
            b"TCP4 1.2.3 1.2.3.4 1 2",
            b"TCP4 1.2.3.256 1.2.3.4 1 2",
            b"TCP4 ::1 ::1 1 2",
            b"TCP6 1.2.3.4 1.2.3.4 1 2",
            b"TCP6 ::1 ::1::2 1 2",
            b"TCP6 ::1%lo ::1 1 2",
            b"TCP4 1.2.3.4\t1.2.3.4 1 2",
        ],
    )
    def test_no_lines(self, line: bytes) -> None:
        assert refusal(b"PROXY " + line + b"\r\n" + REST).startswith("the PROXY line ")

    def test_only_crlf_ends_a_line(self) -> None:
        assert refusal(b"PROXY UNKNOWN\n") == "the PROXY line does not end with CRLF"

    def test_a_line_has_107_bytes_at_most(self) -> None:
        longest = b"PROXY UNKNOWN ".ljust(105, b"x")
        assert decode(longest + b"\r\n").rest == b""
        assert refusal(longest + b"x\r\n") == "the PROXY line is longer than 107 bytes"
        assert ProxyDecoder().feed(longest + b"\r") is None
        assert refusal(longest + b"xx") == "the PROXY line is longer than 107 bytes"


class TestVersion2:
    def test_ipv4(self) -> None:
        expected = ProxyHeader(2, ("203.0.113.7", 4096), ("192.0.2.1", 443), (), REST)
        assert decode(v2() + REST) == expected
        assert decode(v2(family=0x12) + REST) == expected

    def test_ipv6(self) -> None:
        header = decode(v2(IPV6, family=0x21))
        assert (header.source, header.destination) == (("2001:db8::7", 4096), ("2001:db8::1", 443))

    def test_unix(self) -> None:
        block = b"/run/\xc3\xa4".ljust(108, b"\0") + b"\0name".ljust(108, b"\0")
        header = decode(v2(block, family=0x31))
        assert (header.source, header.destination) == (("/run/\xe4", None), ("@name", None))
        header = decode(v2(bytes(108) + b"x" * 108, family=0x32))
        assert (header.source, header.destination) == (("", None), ("x" * 108, None))

    @pytest.mark.parametrize(
        "data",
        [
            v2(b"", command=0x20, family=0),
            v2(b"anything", command=0x20, family=0xFF),
            v2(IPV4, command=0x20),
            v2(b"", family=0),
            v2(b"anything", family=0),
            v2(b"", family=0x10),
            v2(b"", family=0x01),
        ],
    )
    def test_the_addresses_of_the_connection_hold(self, data: bytes) -> None:
        """For a health check of the proxy, and where it cannot tell."""
        assert decode(data + REST) == ProxyHeader(2, None, None, (), REST)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (v2(command=0x11), "the PROXY protocol has no version 1"),
            (v2(command=0x31), "the PROXY protocol has no version 3"),
            (v2(command=0x22), "the PROXY protocol has no command 2"),
            (v2(family=0x41), "the PROXY protocol has no address family 0x41"),
            (v2(family=0x13), "the PROXY protocol has no address family 0x13"),
            (v2(IPV4[:-1]), "the PROXY header has 27 bytes, too few for its addresses"),
            (v2(IPV4, family=0x21), "the PROXY header has 28 bytes, too few for its addresses"),
            (v2(IPV4, family=0x31), "the PROXY header has 28 bytes, too few for its addresses"),
            (v2(b"", length=4081), "the PROXY header has 4097 bytes, more than 4096"),
        ],
    )
    def test_what_is_refused(self, data: bytes, message: str) -> None:
        assert refusal(data) == message

    def test_a_header_of_the_largest_size(self) -> None:
        assert decode(v2(IPV4 + tlv(4, bytes(4080 - 12 - 3))) + REST).rest == REST


class TestPieces:
    def test_are_kept(self) -> None:
        ssl = b"\x01" + bytes(4) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client")
        header = decode(summed(IPV4 + tlv(AUTHORITY, b"a.example") + tlv(SSL, ssl) + tlv(0xE0, b"")) + REST)
        assert [(piece.type, piece.value) for piece in header.tlvs[:3]] == [
            (AUTHORITY, b"a.example"),
            (SSL, ssl),
            (0xE0, b""),
        ]
        assert [(piece.type, piece.value) for piece in ssl_parts(header.tlvs[1])] == [
            (0x21, b"TLSv1.3"),
            (0x22, b"client"),
        ]
        assert header.is_tls is True

    def test_a_client_without_tls(self) -> None:
        assert decode(v2(IPV4 + tlv(SSL, bytes(5)))).is_tls is False

    def test_the_checksum_is_that_of_rfc_4960(self) -> None:
        assert crc32c(b"123456789") == 0xE3069283
        assert crc32c(bytes(32)) == 0x8A9136AA

    def test_a_wrong_checksum_is_refused(self) -> None:
        right = summed(IPV4)
        assert decode(right).source == ("203.0.113.7", 4096)
        for index in range(16, 28):
            wrong = right[:index] + bytes([right[index] ^ 1]) + right[index + 1 :]
            assert refusal(wrong) == "the checksum of the PROXY header is wrong"

    @pytest.mark.parametrize(
        ("piece", "message"),
        [
            (b"\x04", "a piece of the PROXY header is longer than what holds it"),
            (b"\x04\0", "a piece of the PROXY header is longer than what holds it"),
            (b"\x04\0\x01", "a piece of the PROXY header is longer than what holds it"),
            (tlv(CRC32C, b"abc"), "the checksum of the PROXY header has 3 bytes instead of 4"),
            (tlv(CRC32C, b"abcd") * 2, "the PROXY header has more than one checksum"),
            (tlv(UNIQUE_ID, bytes(129)), "the unique id in the PROXY header has 129 bytes, more than 128"),
            (tlv(SSL, bytes(4)), "the piece about TLS in the PROXY header is too short"),
            (tlv(SSL, bytes(6)), "a piece of the PROXY header is longer than what holds it"),
        ],
    )
    def test_what_is_refused(self, piece: bytes, message: str) -> None:
        assert refusal(v2(IPV4 + piece)) == message

    def test_pieces_within_pieces_are_not_followed(self) -> None:
        nested = b""
        while len(nested) < 4000:
            nested = tlv(SSL, bytes(5) + nested)
        assert len(decode(v2(IPV4 + nested)).tlvs) == 1


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXX", b"PROXY\r", b"proxy ", b"\r\n\r\nG", b"\0"]
)
def test_another_beginning_is_refused_at_its_first_wrong_byte(data: bytes) -> None:
    assert refusal(data) == "the connection does not begin with a PROXY protocol header"


@pytest.mark.parametrize("data", [b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", v2(), summed(IPV4)])
def test_more_is_awaited_until_a_header_is_complete(data: bytes) -> None:
    decoder = ProxyDecoder()
    assert decoder.feed(b"") is None
    for index in range(len(data) - 1):
        assert decoder.feed(data[index : index + 1]) is None
    header = decoder.feed(data[-1:] + REST)
    assert header is not None
    assert header.rest == REST
