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


def check_unfinished(begun: bytes, limits: LimitSettings) -> bool:
    """Refuse what cannot become a head, instead of waiting for its end; return whether one has begun.

    Raises:
        ProtocolError: It is not HTTP, or already too large.
    """
    if begun in {b"", b"\r"}:  # of an empty line
        return False
    line, line_end, section = begun.partition(_CRLF)
    check_sizes(len(line if line_end else line.removesuffix(b"\r")), len(begun), limits)
    if line_end:
        parse_line(line)
        if section.count(b"\n") != section.count(_CRLF):
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
