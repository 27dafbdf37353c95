"""The two formats with a name that atoms cannot express: uvicorn's line and JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from json.encoder import encode_basestring_ascii as _json
from typing import Final

from srvctl.logs.access.escape import plain
from srvctl.logs.access.record import WEBSOCKET, AccessRecord

Line = Callable[[AccessRecord], str]  #: returns the line of a record, with its end
_GREEN: Final = 32
#: SGR codes (ECMA-48) of a status by its first digit.
STATUS_COLORS: Final = {1: 97, 2: 32, 3: 33, 4: 31, 5: 91}
CLASS: Final = 100  #: statuses with the same first digit


def uvicorn_line(*, use_colors: bool) -> Line:
    """Return what makes uvicorn's line: level, client, request line, status and its phrase."""
    level, bold, unbold = ("\x1b[32mINFO\x1b[0m", "\x1b[1m", "\x1b[0m") if use_colors else ("INFO", "", "")
    start, before = f"{level}:     ", f' - "{bold}'
    ends: dict[int | str, str] = {
        status: f'{unbold}" {_coloured(status) if use_colors else status_text(status)}\n'
        for status in range(100, 1000)
    }

    def line(record: AccessRecord) -> str:
        method, version, status = record.method, record.version, record.status
        request = f"{method} {record.target.decode('latin-1')}"
        if not (request.isascii() and request.isprintable()):
            request = plain(request)
        if method == WEBSOCKET:  # has neither version nor phrase
            return f'{start}{record.client}{before}{request}{unbold}" {plain(str(status))}\n'
        end = ends.get(status) or f'{unbold}" {plain(str(status))}\n'
        return f"{start}{record.client}{before}{request} HTTP/{version}{end}"

    return line


def status_text(status: int) -> str:
    """Return a status and its phrase, where it has one; without one it ends in a blank, as in uvicorn."""
    try:
        return f"{int(status)} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{int(status)} "


def _coloured(status: int) -> str:
    color = STATUS_COLORS.get(status // CLASS)
    return status_text(status) if color is None else f"\x1b[{color}m{status_text(status)}\x1b[0m"


def json_line() -> Line:
    """Return what makes a JSON object with a fixed set of keys; what is not there is null."""
    time = rfc3339_clock()

    def line(record: AccessRecord) -> str:
        path, _, query = record.target.partition(b"?")
        host, _, port = record.client.rpartition(":")
        status = record.status
        agent, referer = _agent_and_referer(record)
        return (
            f'{{"time":"{time(record.time)}",'
            f'"client":{_json(host) if host else "null"},'
            f'"client_port":{port if port.isascii() and port.isdigit() else "null"},'
            f'"method":{_json(record.method)},'
            f'"scheme":{_json(record.scheme)},'
            f'"path":{_text(path)},'
            f'"query":{_text(query)},'
            f'"http_version":{_json(record.version)},'
            f'"status":{status if isinstance(status, int) else _json(status)},'
            f'"bytes":{record.size},'
            f'"duration":{record.duration:.6f},'
            f'"request_id":{_text(record.request_id or None)},'
            f'"user_agent":{_text(agent)},'
            f'"referer":{_text(referer)}}}\n'
        )

    return line


def _agent_and_referer(record: AccessRecord) -> tuple[bytes | None, bytes | None]:
    agent = referer = None
    for name, value in record.headers:
        if name == b"user-agent":
            agent = value
        elif name == b"referer":
            referer = value
    return agent, referer


def _text(data: bytes | None) -> str:
    """Return bytes as a JSON string; those that are not UTF-8 show as escapes."""
    return "null" if data is None else _json(data.decode("utf-8", "backslashreplace"))


def rfc3339_clock() -> Callable[[float], str]:
    """Return what shows a time in UTC, to the millisecond; within one second it only counts those."""
    last, shown = -1, ""

    def rfc3339(seconds: float) -> str:
        nonlocal last, shown
        second = int(seconds)
        if second != last:
            last, shown = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{shown}.{int((seconds - second) * 1000):03}Z"

    return rfc3339
