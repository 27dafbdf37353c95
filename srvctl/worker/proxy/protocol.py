"""The PROXY protocol: a header before the first byte of a connection that says whom it is made for.

Versions 1 and 2 of the specification (haproxy, doc/proxy-protocol.txt; sections are cited). Sans-IO: the
connection feeds what it receives. Only to be asked where the settings say that a header comes, and for a
trusted peer: the specification forbids to guess (section 5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING, Final, Literal

from srvctl.worker.proxy.claims import quoted
from srvctl.worker.proxy.node import pack
from srvctl.worker.proxy.tlv import SSL, ProxyProtocolError, Tlv, check_sum, is_tls, read_tlvs

if TYPE_CHECKING:
    from srvctl.worker.http.surroundings import Address

_START_V1: Final = b"PROXY "
_MAX_V1: Final = 107  #: bytes with CRLF (section 2.1)
_PORT: Final = r"(0|[1-9][0-9]{0,4})"
_LINE_V1: Final = re.compile(rf"PROXY TCP([46]) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) {_PORT} {_PORT}")
_UNKNOWN_V1: Final = b"PROXY UNKNOWN"
_MAX_PORT: Final = 0xFFFF

_START_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_V2: Final = 16  #: bytes before the part whose length they tell
_MAX_V2: Final = 4096  #: bytes; many times what any proxy sends, and the version allows 64 KiB
_VERSION_V2: Final = 2
_LOCAL, _PROXY = 0, 1  # commands
_UNSPEC, _INET, _INET6, _UNIX = 0, 1, 2, 3  # address families
_MAX_TRANSPORT: Final = 2
_ADDRESS_SIZES: Final = {_INET: 4, _INET6: 16, _UNIX: 108}
_PORT_SIZES: Final = {_INET: 2, _INET6: 2, _UNIX: 0}


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a header says.

    Attributes:
        version: Of the protocol.
        source: The client; None when the connection's own addresses hold: a health check, or a client of
            whom the proxy cannot tell. A Unix socket has its path as host and no port.
        destination: What the client connected to; None as for the source.
        tlvs: What else was told, in order.
        rest: What was received after the header.
    """

    version: Literal[1, 2]
    source: Address | None
    destination: Address | None
    tlvs: tuple[Tlv, ...]
    rest: bytes

    @property
    def is_tls(self) -> bool | None:
        """Whether the client spoke TLS to the proxy; None when the header does not say."""
        return next((is_tls(tlv) for tlv in self.tlvs if tlv.type == SSL), None)


class ProxyDecoder:
    """Reads the header of one connection, however it is cut. Holds no more than its largest size."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Read on.

        Returns:
            The header, once it is complete; the decoder must not be fed again.

        Raises:
            ProxyProtocolError: There is none, or it is not right. The connection must be dropped.
        """
        self._data = data = self._data + data
        if data.startswith(_START_V1):
            return _read_v1(data)
        if data.startswith(_START_V2):
            return _read_v2(data)
        if _START_V1.startswith(data) or _START_V2.startswith(data):
            return None
        raise ProxyProtocolError("the connection does not begin with a PROXY protocol header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    """Read a line of text (section 2.1)."""
    end = data.find(b"\n", 0, _MAX_V1)
    if end < 0:
        if len(data) >= _MAX_V1:
            raise ProxyProtocolError(f"the PROXY line is longer than {_MAX_V1} bytes")
        return None
    if data[end - 1 : end] != b"\r":
        raise ProxyProtocolError("the PROXY line does not end with CRLF")
    line, rest = data[: end - 1], data[end + 1 :]
    if line == _UNKNOWN_V1 or line.startswith(_UNKNOWN_V1 + b" "):
        return ProxyHeader(1, None, None, (), rest)
    text = line.decode("latin-1")
    match = _LINE_V1.fullmatch(text)
    if match is None:
        raise ProxyProtocolError(f"the PROXY line {quoted(text)} is malformed")
    family, source, destination, source_port, destination_port = match.groups()
    # An address of the other family is none here (section 2.1): only IPv6 has colons.
    if any((":" in host) != (family == "6") or not pack(host) for host in (source, destination)):
        raise ProxyProtocolError(f"the PROXY line {quoted(text)} has an address that is not TCP{family}")
    ports = int(source_port), int(destination_port)
    if max(ports) > _MAX_PORT:
        raise ProxyProtocolError(f"the PROXY line {quoted(text)} has a port above {_MAX_PORT}")
    return ProxyHeader(1, (source, ports[0]), (destination, ports[1]), (), rest)


def _read_v2(data: bytes) -> ProxyHeader | None:
    """Read a binary header (section 2.2)."""
    if len(data) < _FIXED_V2:
        return None
    size = _check_fixed(data)
    if len(data) < size:
        return None
    header, rest = data[:size], data[size:]
    family, transport = header[13] >> 4, header[13] & 0xF
    # Of a local connection the whole block is discarded, family included; of an unspecified one, who knows
    # where its addresses end.
    if header[12] & 0xF == _LOCAL or _UNSPEC in {family, transport}:
        return ProxyHeader(2, None, None, (), rest)
    source, destination, end = _read_addresses(header, family)
    tlvs = read_tlvs(header, end)
    check_sum(header, tlvs)
    return ProxyHeader(2, source, destination, tuple(tlvs), rest)


def _check_fixed(data: bytes) -> int:
    """Check the part before the addresses; return the size of the header."""
    version, command = data[12] >> 4, data[12] & 0xF
    if version != _VERSION_V2:
        raise ProxyProtocolError(f"the PROXY protocol has no version {version}")
    if command not in {_LOCAL, _PROXY}:
        raise ProxyProtocolError(f"the PROXY protocol has no command {command}")
    if command == _PROXY and (data[13] >> 4 > _UNIX or data[13] & 0xF > _MAX_TRANSPORT):
        raise ProxyProtocolError(f"the PROXY protocol has no address family {data[13]:#04x}")
    size = _FIXED_V2 + int.from_bytes(data[14:16])
    if size > _MAX_V2:
        raise ProxyProtocolError(f"the PROXY header has {size} bytes, more than {_MAX_V2}")
    return size


def _read_addresses(header: bytes, family: int) -> tuple[Address, Address, int]:
    """Return source, destination and where the addresses end."""
    size, port_size = _ADDRESS_SIZES[family], _PORT_SIZES[family]
    hosts_end = _FIXED_V2 + 2 * size
    end = hosts_end + 2 * port_size
    if len(header) < end:
        raise ProxyProtocolError(f"the PROXY header has {len(header)} bytes, too few for its addresses")
    hosts = header[_FIXED_V2 : _FIXED_V2 + size], header[_FIXED_V2 + size : hosts_end]
    if family == _UNIX:
        source, destination = (_path(host) for host in hosts)
        return (source, None), (destination, None), end
    af = AF_INET if family == _INET else AF_INET6
    ports = int.from_bytes(header[hosts_end : hosts_end + 2]), int.from_bytes(header[hosts_end + 2 : end])
    return (inet_ntop(af, hosts[0]), ports[0]), (inet_ntop(af, hosts[1]), ports[1]), end


def _path(field: bytes) -> str:
    """Return the path of a Unix socket; one that begins with a null byte is abstract."""
    if field[:1] == b"\0":
        return "@" + field[1:].rstrip(b"\0").decode("utf-8", "replace") if field.strip(b"\0") else ""
    return field.partition(b"\0")[0].decode("utf-8", "replace")
