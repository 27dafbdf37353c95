"""A request head among the bytes received: where it begins and ends, and how long it may become."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.protocol import ProtocolError, RequestHead, bad_request
from srvctl.worker.http.request_head import TCHAR, make_head, parse_fields, parse_line

if TYPE_CHECKING:
    from srvctl.settings.groups import LimitSettings

END: Final = b"\r\n\r\n"  #: behind every head
_CRLF: Final = b"\r\n"
#: What can still become a request line.
_LINE_SO_FAR: Final = re.compile(rb"(?!\r)" + TCHAR + rb"*(?:(?<=.) (?:[!-~]+(?: [!-~]*)?)?)?\r?")


def skip_empty_lines(data: bytes, start: int) -> int:
    """Return where a head may begin: RFC 9112 section 2.2 lets empty lines stand before a request."""
    while data.startswith(_CRLF, start):
        start += len(_CRLF)
    return start


def parse_head(raw: bytes, limits: LimitSettings) -> RequestHead:
    """Return the head that these bytes are, up to and including `END`.

    Raises:
        ProtocolError: They are not an acceptable one.
    """
    line, _, section = raw.partition(_CRLF)
    check_sizes(len(line), len(raw), limits)
    return make_head(parse_line(line), parse_fields(section[: -len(END)], limits.request_fields))


def check_unfinished(begun: bytes, limits: LimitSettings, seen: int) -> bool:
    """Refuse what cannot become a head, instead of waiting for its end; return whether one has begun.

    Args:
        begun: What was received of it.
        limits: How large it may be.
        seen: Bytes of it that were checked before. A client may send a large head byte by byte; looking at
            all of it each time would keep the server busier than the client.

    Raises:
        ProtocolError: It is not HTTP, or already too large.
    """
    if begun in {b"", b"\r"}:  # of an empty line
        return False
    line, line_end, _ = begun[: limits.request_line_size + len(_CRLF)].partition(_CRLF)
    check_sizes(len(line if line_end else line.removesuffix(b"\r")), len(begun), limits)
    if line_end:
        parse_line(line)
        unchecked = max(len(line) + len(_CRLF), seen)
        if begun.count(b"\n", unchecked) != begun.count(_CRLF, unchecked - 1):
            raise bad_request("a line ends in LF alone")  # RFC 9112 section 2.2
    elif not _LINE_SO_FAR.fullmatch(line):
        raise bad_request("malformed request line")
    return True


def check_sizes(line: int, head: int, limits: LimitSettings) -> None:
    """Compare the sizes of a request line, without its line end, and of a head with what is allowed.

    Raises:
        ProtocolError: It is more.
    """
    if line > limits.request_line_size:
        raise ProtocolError(HTTPStatus.REQUEST_URI_TOO_LONG, "request line too long")
    if head > limits.request_head_size:
        raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request head too large")
