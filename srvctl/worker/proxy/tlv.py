"""What a header of the PROXY protocol's version 2 holds after its addresses: types, lengths and values."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

AUTHORITY: Final = 0x02  #: host name the client asked for, as in TLS' server name
CRC32C: Final = 0x03
UNIQUE_ID: Final = 0x05
SSL: Final = 0x20

_HEAD: Final = 3  #: bytes of type and length
_SSL_HEAD: Final = 5  #: bytes of the client's flags and of the verification's result (section 2.2.6)
_CLIENT_SSL: Final = 0x01
_SUM_SIZE: Final = 4
_MAX_UNIQUE_ID: Final = 128  #: bytes (section 2.2.5)
_POLYNOMIAL: Final = 0x82F63B78  #: RFC 4960 appendix B, its bits reversed
_ALL_ONES: Final = 0xFFFFFFFF


class ProxyProtocolError(Exception):
    """A connection that shall begin with a header of the PROXY protocol does not, or with a wrong one."""


class Tlv(NamedTuple):
    """One piece of information.

    Attributes:
        type: What it is; `AUTHORITY` and the other numbers of section 2.2.
        value: As it was sent.
        start: Index of the value in the header.
    """

    type: int
    value: bytes
    start: int


def read_tlvs(data: bytes, start: int) -> list[Tlv]:
    """Return the pieces from an index to the end, their lengths checked.

    Raises:
        ProxyProtocolError: A length is wrong.
    """
    tlvs = _split(data, start)
    for tlv in tlvs:
        _check(tlv)
    return tlvs


def ssl_parts(tlv: Tlv) -> list[Tlv]:
    """Return what the piece about TLS says: version, cipher, name of the client's certificate."""
    return _split(tlv.value, _SSL_HEAD)


def is_tls(tlv: Tlv) -> bool:
    """Return whether the piece about TLS says that the client used it."""
    return bool(tlv.value[0] & _CLIENT_SSL)


def check_sum(header: bytes, tlvs: list[Tlv]) -> None:
    """Compare the sum of a header with what it holds, if it holds one (section 2.2.3).

    Raises:
        ProxyProtocolError: They differ, or it holds several.
    """
    sums = [tlv for tlv in tlvs if tlv.type == CRC32C]
    if len(sums) > 1:
        raise ProxyProtocolError("the PROXY header has more than one checksum")
    for tlv in sums:
        blank = header[: tlv.start] + bytes(_SUM_SIZE) + header[tlv.start + _SUM_SIZE :]
        if crc32c(blank) != int.from_bytes(tlv.value):
            raise ProxyProtocolError("the checksum of the PROXY header is wrong")


def crc32c(data: bytes) -> int:
    """Return the checksum of RFC 4960 appendix B; zlib has another polynomial."""
    table = _table()
    value = _ALL_ONES
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ _ALL_ONES


@cache
def _table() -> list[int]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def _split(data: bytes, start: int) -> list[Tlv]:
    tlvs: list[Tlv] = []
    position = start
    while position < len(data):
        value_start = position + _HEAD
        end = value_start + int.from_bytes(data[position + 1 : value_start])
        if value_start > len(data) or end > len(data):
            raise ProxyProtocolError("a piece of the PROXY header is longer than what holds it")
        tlvs.append(Tlv(data[position], data[value_start:end], value_start))
        position = end
    return tlvs


def _check(tlv: Tlv) -> None:
    """Check the length of a value.

    Raises:
        ProxyProtocolError: No such piece has it.
    """
    size = len(tlv.value)
    if tlv.type == CRC32C and size != _SUM_SIZE:
        raise ProxyProtocolError(f"the checksum of the PROXY header has {size} bytes instead of {_SUM_SIZE}")
    if tlv.type == UNIQUE_ID and size > _MAX_UNIQUE_ID:
        raise ProxyProtocolError(f"the unique id in the PROXY header has {size} bytes, more than 128")
    if tlv.type == SSL:
        if size < _SSL_HEAD:
            raise ProxyProtocolError("the piece about TLS in the PROXY header is too short")
        ssl_parts(tlv)
