"""What a certificate says of itself: serial number, validity, and its subject as one string (RFC 4514).

The standard library decodes only certificates it has verified, and never its own; so the few fields that are
needed are read from the DER (X.690) here. OpenSSL has parsed every certificate that comes here before.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEQUENCE_OF_ONE_VERSION: Final = 0xA0  #: [0] EXPLICIT Version, absent in version 1
_UTC_TIME: Final = 0x17
_LONG_LENGTH: Final = 0x80
_LAST_SHORT_YEAR: Final = 50  #: RFC 5280 section 4.1.2.5.1: from here on a year of two digits is of 19xx
#: The string types of DirectoryString (RFC 5280 section 4.1.2.4), and IA5String.
_CHARSETS: Final = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
#: The descriptors of RFC 4514 section 3; everything else is written as numbers.
_DESCRIPTORS: Final = {
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate.

    Attributes:
        serial: Its number in hexadecimal digits.
        not_before: From when on it is valid.
        not_after: Until when.
        subject: Whom it names, as RFC 4514 writes it.
    """

    serial: str
    not_before: datetime
    not_after: datetime
    subject: str


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: It is no X.509 certificate.
    """
    try:
        (_, outer), *_ = _items(der)
        (_, tbs), *_ = _items(outer)
        fields = list(_items(tbs))
        if fields[0][0] == _SEQUENCE_OF_ONE_VERSION:
            del fields[0]
        (_, serial), _, _, (_, validity), (_, subject) = fields[:5]
        not_before, not_after = (_moment(tag, value) for tag, value in _items(validity))
        number = int.from_bytes(serial, "big", signed=True)
        return Certificate(f"{number:X}", not_before, not_after, _name(subject))
    except (IndexError, ValueError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def first_certificate(pem: str) -> bytes:
    """Return the first certificate of a PEM file, in DER.

    Raises:
        ValueError: There is none.
    """
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    at = pem.find(begin)
    to = pem.find(end, at)
    if at < 0 or to < 0:
        raise ValueError("no certificate")
    return ssl.PEM_cert_to_DER_cert(pem[at : to + len(end)])


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element; tags above 30 do not occur in what is read here."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= _LONG_LENGTH:
            size = length - _LONG_LENGTH
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("it is cut off")
        yield tag, data[at : at + length]
        at += length


def _moment(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < _LAST_SHORT_YEAR else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(name: bytes) -> str:
    """Write a Name, the last of its parts first (RFC 4514 section 2.1)."""
    parts = [
        "+".join(_attribute(attribute) for _, attribute in _items(relative)) for _, relative in _items(name)
    ]
    return ",".join(reversed(parts))


def _attribute(attribute: bytes) -> str:
    (_, oid), (tag, value) = _items(attribute)
    kind = _dotted(oid)
    charset = _CHARSETS.get(tag)
    if kind not in _DESCRIPTORS or charset is None:
        return f"{kind}=#{_encoded(tag, value).hex()}"  # section 2.4
    try:
        return f"{_DESCRIPTORS[kind]}={_escaped(value.decode(charset))}"
    except UnicodeDecodeError:
        return f"{_DESCRIPTORS[kind]}=#{_encoded(tag, value).hex()}"


def _encoded(tag: int, value: bytes) -> bytes:
    """Put tag and length before a content again."""
    if len(value) < _LONG_LENGTH:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_LENGTH | len(length))) + length + value


def _dotted(oid: bytes) -> str:
    numbers, number = [], 0
    for byte in oid:
        number = number << 7 | byte & 0x7F
        if byte < _LONG_LENGTH:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _escaped(text: str) -> str:
    """Escape as RFC 4514 section 2.4 asks for, and control characters so that a log stays one line."""
    escaped = "".join(_escape(char) for char in text)
    if text[:1] in {" ", "#"}:
        escaped = "\\" + escaped
    if len(text) > 1 and text[-1] == " ":
        escaped = escaped[:-1] + "\\ "
    return escaped


def _escape(char: str) -> str:
    if char in '"+,;<>\\':
        return "\\" + char
    if char.isprintable():
        return char
    return "".join(f"\\{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
