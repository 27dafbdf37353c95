"""The line that tells where a server can be reached; tools wait for it, and uvicorn's has the same form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging

_TEXT: Final = "Srvctl running on %s (Press CTRL+C to quit)"
_IN_COLORS: Final = _TEXT.replace("%s", "\x1b[1m%s\x1b[0m")  #: bold


def announce(logger: logging.Logger, url: str) -> None:
    """Log the line.

    Args:
        logger: Where.
        url: What clients connect to: ``http://127.0.0.1:8000``, ``unix socket PATH``.
    """
    logger.info(_TEXT, url, extra={"color_message": _IN_COLORS})
