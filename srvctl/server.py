"""Public: `Server` and the names beside it, in a module of the name that uvicorn's has."""

from __future__ import annotations

from srvctl.embedding.server import Server
from srvctl.embedding.views import ServerState

__all__ = ["Server", "ServerState"]
