"""What each atom of a format shows of a record: Apache's mod_log_config, and gunicorn's own. Pure.

A value that is not there shows as ``-``. Every value is escaped here, the numbers excepted.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Callable
from typing import Final

from srvctl.logs.access.escape import quoted, quoted_bytes
from srvctl.logs.access.lines import rfc3339_clock
from srvctl.logs.access.record import AccessRecord

Atom = Callable[[AccessRecord], str | int]
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOTHING: Final = "-"


def atoms() -> dict[str, Atom]:
    """Return the atoms by the letter that stands behind ``%``; some remember what they showed last."""
    return {
        "h": _host,
        "a": _host,
        "l": lambda _record: _NOTHING,
        "u": _user,
        "t": _apache_clock(),
        "r": lambda record: quoted(record.request_line),
        "s": _status,
        ">s": _status,
        "b": lambda record: record.size or _NOTHING,
        "B": lambda record: record.size,
        "D": lambda record: round(record.duration * 1e6),
        "M": lambda record: round(record.duration * 1e3),
        "T": lambda record: int(record.duration),
        "L": lambda record: f"{record.duration:.6f}",
        "p": lambda _record: os.getpid(),
        "P": lambda _record: os.getpid(),
        "m": lambda record: quoted(record.method),
        "U": lambda record: quoted_bytes(record.path),
        "q": _query,
        "H": lambda record: quoted(f"HTTP/{record.version}"),
        "S": lambda record: quoted(record.scheme),
        "v": _server_name,
        "V": _server_name,
    }


def gunicorn_atoms() -> dict[str, Atom]:
    """Return those that mean something else, or only exist, where written as ``%(a)s``."""
    return {"a": header("user-agent"), "f": header("referer")}


def time_atoms() -> dict[str, Atom]:
    """Return the atoms ``%{NAME}t``: when the request came in."""
    rfc3339 = rfc3339_clock()
    return {
        "sec": lambda record: int(_begin(record)),
        "msec": lambda record: int(_begin(record) * 1e3),
        "usec": lambda record: int(_begin(record) * 1e6),
        "iso": lambda record: rfc3339(_begin(record)),
    }


def header(name: str) -> Atom:
    """Return the atom ``%{name}i``: what the request says."""
    key = name.lower().encode("latin-1", "replace")

    def request_header(record: AccessRecord) -> str:
        return _value(_request_id(key, record) or record.header(key))

    return request_header


def response_header(name: str) -> Atom:
    """Return the atom ``%{name}o``: what the response says."""
    key = name.lower().encode("latin-1", "replace")

    def response_header_value(record: AccessRecord) -> str:
        return _value(_request_id(key, record) or record.response_header(key))

    return response_header_value


def _request_id(key: bytes, record: AccessRecord) -> bytes:
    """Return the id that the server gave the request: a client's own may have been refused."""
    return record.request_id if key == b"x-request-id" else b""


def _value(data: bytes | None) -> str:
    return quoted_bytes(data) if data else _NOTHING


def _host(record: AccessRecord) -> str:
    return quoted(record.host) or _NOTHING


def _status(record: AccessRecord) -> str | int:
    return quoted(record.status) if isinstance(record.status, str) else record.status


def _query(record: AccessRecord) -> str:
    return f"?{quoted_bytes(record.query)}" if record.query else ""


def _server_name(record: AccessRecord) -> str:
    """Show the host the client asked for, without its port."""
    host = record.header(b"host") or b""
    name, _, port = host.rpartition(b":")
    return _value(name if name and port.isdigit() else host)


def _user(record: AccessRecord) -> str:
    """Show the user name of Basic authentication (RFC 7617), which nobody has checked here."""
    kind, _, credentials = (record.header(b"authorization") or b"").partition(b" ")
    if kind.lower() != b"basic":
        return _NOTHING
    try:
        user, colon, _ = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except binascii.Error:
        return _NOTHING
    return _value(user if colon else None)


def _begin(record: AccessRecord) -> float:
    return record.time - record.duration


def _apache_clock() -> Atom:
    """Return the atom ``%t``: when the request came in, in local time, to the second."""
    last, shown = -1, ""

    def apache_time(record: AccessRecord) -> str:
        nonlocal last, shown
        second = int(_begin(record))
        if second != last:
            last, shown = second, _apache_time(time.localtime(second))
        return shown

    return apache_time


def _apache_time(t: time.struct_time) -> str:
    minutes = t.tm_gmtoff // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    day = f"{t.tm_mday:02}/{_MONTHS[t.tm_mon - 1]}/{t.tm_year:04}"  # whatever the locale
    return f"[{day}:{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} {sign}{minutes // 60:02}{minutes % 60:02}]"
