"""The loggers of srvctl and the shape of their lines, which is uvicorn's.

``srvctl`` (and its child ``srvctl.error``) writes to stderr, ``srvctl.access`` to stdout. None of them
propagates, so an application that configures the root logger gets no line twice.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

TRACE: Final = 5
LEVELS: Final = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}

_COLORS: Final = {TRACE: 34, logging.DEBUG: 36, logging.INFO: 32, logging.WARNING: 33, logging.ERROR: 31}
_CRITICAL_COLOR: Final = 91
_STATUS_COLORS: Final = {1: 37, 2: 32, 3: 33, 4: 31, 5: 91}
_PREFIX_WIDTH: Final = len("CRITICAL:") + 1


def _colored(text: str, color: int) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


class LineFormatter(logging.Formatter):
    """Formats ``%(levelprefix)s``: the level, a colon, and blanks up to a common column."""

    def __init__(self, fmt: str, *, use_colors: bool) -> None:
        super().__init__(fmt)
        self._use_colors = use_colors

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Return the line without its traceback."""
        name = record.levelname
        padding = " " * (_PREFIX_WIDTH - 1 - len(name) - 1)
        if self._use_colors:
            name = _colored(name, _COLORS.get(record.levelno, _CRITICAL_COLOR))
        record.__dict__["levelprefix"] = f"{name}:{padding}"
        return super().formatMessage(record)


class AccessFormatter(LineFormatter):
    """Formats the five arguments of an access record: client, method, path, HTTP version, status."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Return the line."""
        client, method, path, version, status = record.args  # type: ignore[misc]  # made by the worker alone
        line = f"{method} {path} HTTP/{version}"
        text = f"{status} {_phrase(status)}"  # type: ignore[arg-type]  # as above
        if self._use_colors:
            line, text = f"\x1b[1m{line}\x1b[0m", _colored(text, _STATUS_COLORS.get(int(text[0]), 0))
        record.__dict__.update(client_addr=client, request_line=line, status_code=text)
        return super().formatMessage(record)


def _phrase(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - only workers that log requests need it

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def configure(level: str, *, use_colors: bool | None, access: bool) -> None:
    """Set up the loggers of this process and, through fork, of its workers.

    Args:
        level: A key of `LEVELS`.
        use_colors: None colours only what goes to a terminal.
        access: Whether requests are logged.
    """
    logging.addLevelName(TRACE, "TRACE")
    logging.raiseExceptions = False  # when nobody reads the log any more, serving goes on without it

    def colors(stream: TextIO | None) -> bool:  # None: the descriptor was closed before we started
        return bool(stream and stream.isatty()) if use_colors is None else use_colors

    lines = LineFormatter("%(levelprefix)s %(message)s", use_colors=colors(sys.stderr))
    _set_up("srvctl", level, sys.stderr, lines)
    access_lines = AccessFormatter(
        '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s', use_colors=colors(sys.stdout)
    )
    _set_up("srvctl.access", level, sys.stdout, access_lines)
    logging.getLogger("srvctl.access").disabled = not access


def _set_up(name: str, level: str, stream: TextIO, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger(name)
    logger.setLevel(LEVELS[level])
    logger.handlers[:] = [handler]
    logger.propagate = False
