"""Formatters for configurations of logging, under the names that uvicorn gives them; nothing else.

Public: ``"()": "srvctl.logging.DefaultFormatter"`` in a dictConfig. Files that say ``uvicorn.logging`` mean
these.
"""

from __future__ import annotations

from srvctl.logs.formatters import AccessFormatter, ColourizedFormatter, DefaultFormatter
from srvctl.logs.levels import TRACE

__all__ = ["TRACE_LOG_LEVEL", "AccessFormatter", "ColourizedFormatter", "DefaultFormatter"]

TRACE_LOG_LEVEL = TRACE
