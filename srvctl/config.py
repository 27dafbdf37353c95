"""Public: `Config` and the names beside it, in a module of the name that uvicorn's has."""

from __future__ import annotations

from srvctl.embedding.config import Config
from srvctl.logs.dictionary import LOG_LEVELS, LOGGING_CONFIG

__all__ = ["LOGGING_CONFIG", "LOG_LEVELS", "Config"]
