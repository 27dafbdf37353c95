"""What a trusted hop may say about a request beside its client: scheme, host, port, prefix. Pure.

Each function judges one value, and says why when it is asked to (``steps``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from srvctl.errors import printable
from srvctl.worker.proxy.node import pack, read_port

if TYPE_CHECKING:
    from collections.abc import Iterable

#: As an HTTP request has them: a proxy of WebSockets may name the scheme of what follows the upgrade.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
#: RFC 3986 section 3.2.2, without what no name in use has: URLs are made of it. In brackets, an IPv6 address.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]++|\[([0-9A-Fa-f:.]++)\])(?::([0-9]{1,5}))?")
#: RFC 3986 section 3.3: segments of pchar, none of them empty; no comma, which separates values.
_PREFIX: Final = re.compile(r"/|(?:/(?:[A-Za-z0-9\-._~!$&'()*+;=:@]|%[0-9A-Fa-f]{2})++)++/?")
_SHOWN: Final = 80  #: characters of a value that are shown


def scheme_of(text: str, name: str, steps: list[str] | None) -> str | None:
    """Return ``http`` or ``https``, or None for a scheme that no request has.

    Args:
        text: The value.
        name: The field it comes from, for the reader.
        steps: Takes the reason, in words.
    """
    scheme = _SCHEMES.get(text) or _SCHEMES.get(text.lower())  # RFC 3986 section 3.1: in any case
    if steps is not None:
        why = f"the scheme is {scheme}" if scheme else "ignored, not one of http, https, ws, wss"
        steps.append(f"{name} {quoted(text)}: {why}")
    return scheme


def host_of(text: str, name: str, steps: list[str] | None) -> bytes | None:
    """Return what replaces the field Host, or None when it is no host (RFC 9110 section 7.2)."""
    form = _HOST.fullmatch(text)
    is_good = (
        form is not None
        and (form[1] is None or (":" in form[1] and bool(pack(form[1]))))
        and (form[2] is None or read_port(form[2]) is not None)
    )
    if steps is not None:
        why = f"the host is {text}" if is_good else "ignored, not a host with an optional port"
        steps.append(f"{name} {quoted(text)}: {why}")
    return text.encode() if is_good else None


def port_of(text: str, name: str, steps: list[str] | None) -> int | None:
    """Return the port the client connected to, or None when it is none."""
    port = read_port(text)
    if steps is not None:
        why = f"the port is {port}" if port else "ignored, not a port between 1 and 65535"
        steps.append(f"{name} {quoted(text)}: {why}")
    return port


def prefix_of(parts: Iterable[str], name: str, steps: list[str] | None) -> bytes | None:
    """Return the path under which the proxies publish the application, without a slash at its end.

    It becomes the beginning of every URL the application makes, so nothing may stand in it that a browser
    would take for another host (``//``) or another path (``..``), even after decoding.

    Args:
        parts: What each of them removed, the outermost first.
        name: The field, for the reader.
        steps: Takes the reason, in words.
    """
    prefix = ""
    for part in parts:
        is_good = _PREFIX.fullmatch(part) is not None and _is_plain(unquote_to_bytes(part.removesuffix("/")))
        if not is_good:
            if steps is not None:
                why = "ignored, not a path that begins with / and has no empty, . or .. segment"
                steps.append(f"{name} {quoted(part)}: {why}")
            return None
        prefix += part.removesuffix("/")
    if steps is not None:
        steps.append(f"{name}: {prefix or 'nothing'} is put before the path")
    return prefix.encode()


def _is_plain(path: bytes) -> bool:
    """Return whether a decoded path goes only down, in characters that can be printed."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return False
    segments = text.split("/")[1:]
    return text.isprintable() and "\\" not in text and not {"", ".", ".."}.intersection(segments)


def split_host(host: bytes) -> tuple[bytes, bytes]:
    """Return the name, an IPv6 address in its brackets, and the port, empty if there is none."""
    name, colon, port = host.rpartition(b":")
    return (name, port) if colon and b"]" not in port else (host, b"")


def quoted(text: str) -> str:
    """Return something a client sent so that it can be shown: escaped, and cut where it is long."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f'"{printable(shown)}"'
