"""How one hop is named in a forwarding field: an address, maybe with a port, or an identifier."""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, TypeAlias

from srvctl.settings.trusted import OBFUSCATED

#: Host and port, the latter 0 when it is not known, as uvicorn has it; and the address packed into 4 or 16
#: bytes, none for an identifier.
Node: TypeAlias = tuple[tuple[str, int], bytes]

UNIX: Final = "unix:"  #: what nginx calls a client on a Unix socket
#: RFC 7239 section 6: ``unknown``, and names that hide an address.
_IDENTIFIER: Final = re.compile(rf"(?i:unknown)|{OBFUSCATED.pattern}|{UNIX}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_MAX_PORT: Final = 0xFFFF
_MAPPED: Final = bytes(10) + b"\xff\xff"  #: RFC 4291 section 2.5.5.2: an IPv4 address follows


def pack(host: str) -> bytes:
    """Return an IP address as 4 or 16 bytes, an IPv4 address mapped into IPv6 as 4; b"" for anything else.

    inet_pton reads it ten times as fast as ipaddress and takes no zone, no leading zero and no blank.
    """
    try:
        packed = inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(_MAPPED) else packed


def read_node(text: str, *, takes_bare_ipv6: bool = True) -> Node | None:
    """Return what a hop is called, or None when it is nothing that a proxy writes.

    Args:
        text: Without blanks and quotes around it.
        takes_bare_ipv6: An IPv6 address may stand without brackets.
    """
    if ":" not in text or text == UNIX:
        host, port = text, 0
    else:
        split = _split(text, takes_bare_ipv6=takes_bare_ipv6)
        if split is None:
            return None
        host, port = split
    packed = pack(host)
    if packed or _IDENTIFIER.fullmatch(host):
        return (host, port), packed
    return None


def _split(text: str, *, takes_bare_ipv6: bool) -> tuple[str, int] | None:
    """Return host and port of what has a colon, or None when they are not told apart."""
    if text[0] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or rest[:1] not in {"", ":"}:
            return None
        port = _port(rest[1:]) if rest else 0
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
        port = _port(rest)
    else:
        host, port = text, 0 if takes_bare_ipv6 else None
    return None if port is None else (host, port)


def read_port(text: str) -> int | None:
    """Return a port between 1 and 65535, or None."""
    return int(text) if _PORT.fullmatch(text) and 0 < int(text) <= _MAX_PORT else None


def _port(text: str) -> int | None:
    """Return the port of a node, 0 when it is hidden; None when it is no port."""
    if _PORT.fullmatch(text) and int(text) <= _MAX_PORT:
        return int(text)
    return 0 if OBFUSCATED.fullmatch(text) else None
