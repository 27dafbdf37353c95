"""Formatters with the names, arguments and fields of uvicorn's: for our own lines, and for files made for it.

They are public as `srvctl.logging`. Unlike uvicorn's, each decides about colours by the stream it is meant
for, and a record without a request's five arguments is shown as what it says instead of being lost.
"""

from __future__ import annotations

import logging
import sys
from copy import copy
from typing import TYPE_CHECKING, Final, Literal

from srvctl.logs.access.lines import CLASS, STATUS_COLORS, status_text
from srvctl.logs.access.record import WEBSOCKET
from srvctl.logs.levels import TRACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

DEFAULT_FORMAT: Final = "%(levelprefix)s %(message)s"
ACCESS_FORMAT: Final = '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'
_PREFIX_WIDTH: Final = len("CRITICAL")  #: the longest level; texts start in one column


def _painter(code: int) -> Callable[[object], str]:
    """Return what colours a text (ECMA-48, SGR)."""
    return lambda text: f"\x1b[{code}m{text}\x1b[0m"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream shows colours; None was closed before the process started."""
    return stream is not None and stream.isatty()


class ColourizedFormatter(logging.Formatter):
    """Knows ``%(levelprefix)s``: the level, a colon, and blanks up to a common column.

    A record with ``extra={"color_message": ...}`` shows that instead of its message where there are colours.

    Args:
        fmt: The format of a line, as `logging.Formatter` takes it.
        datefmt: The format of ``%(asctime)s``.
        style: ``%``, ``{`` or ``$``.
        use_colors: None asks `should_use_colors`.
    """

    level_name_colors: dict[int, Callable[[str], str]] = {  # noqa: RUF012 - subclasses replace it
        TRACE: _painter(34),
        logging.DEBUG: _painter(36),
        logging.INFO: _painter(32),
        logging.WARNING: _painter(33),
        logging.ERROR: _painter(31),
        logging.CRITICAL: _painter(91),
    }

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        use_colors: bool | None = None,
    ) -> None:
        super().__init__(fmt=fmt, datefmt=datefmt, style=style)
        self.use_colors = self.should_use_colors() if use_colors is None else bool(use_colors)

    def should_use_colors(self) -> bool:
        """Whether lines are coloured when nobody says so."""
        return is_terminal(sys.stdout)

    def color_level_name(self, level_name: str, level_no: int) -> str:
        """Return the name of a level in its colour; others than logging's have none."""
        return self.level_name_colors.get(level_no, str)(level_name)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Return the line without its traceback."""
        own = copy(record)  # other handlers show the same record
        name = own.levelname
        padding = " " * (_PREFIX_WIDTH - len(name))
        if self.use_colors:
            name = self.color_level_name(name, own.levelno)
            if "color_message" in own.__dict__:
                own.msg = own.__dict__["color_message"]
                own.message = own.getMessage()
        own.__dict__["levelprefix"] = f"{name}:{padding}"
        return super().formatMessage(own)


class DefaultFormatter(ColourizedFormatter):
    """For everything that is no request, which goes to stderr."""

    def should_use_colors(self) -> bool:
        """Whether stderr is a terminal."""
        return is_terminal(sys.stderr)


class AccessFormatter(ColourizedFormatter):
    """For requests: knows ``%(client_addr)s``, ``%(request_line)s``, ``%(status_code)s`` with its phrase."""

    status_code_colours: dict[int, Callable[[str], str]] = {  # noqa: RUF012 - subclasses replace it
        digit: _painter(code) for digit, code in STATUS_COLORS.items()
    }

    def get_status_code(self, status_code: int) -> str:
        """Return a status and its phrase, where it has one, in the colour of its class."""
        text = status_text(status_code)
        if not self.use_colors:
            return text
        return self.status_code_colours.get(status_code // CLASS, str)(text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Return the line of a request; what is none stands where the request line would."""
        own = copy(record)
        own.__dict__.update(self._fields(record))
        return super().formatMessage(own)

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        match record.args:
            case (client, method, target, version, status):
                is_websocket = method == WEBSOCKET  # has neither version nor phrase
                line = f"{method} {target}" if is_websocket else f"{method} {target} HTTP/{version}"
                shown = self.get_status_code(status) if isinstance(status, int) else str(status)
                shown = str(status) if is_websocket else shown
            case _:
                client, line, shown = "-", record.message, ""
        if self.use_colors:
            line = f"\x1b[1m{line}\x1b[0m"
        return {"client_addr": str(client), "request_line": line, "status_code": shown}
