"""srvctl: an ASGI server and its process supervisor in one tool.

    srvctl.run("main:app", host="0.0.0.0", port=8000, workers=4)

    await srvctl.Server(srvctl.Config(app, port=8000)).serve()

    async with srvctl.serve(app, port=0) as server:
        ...  # server.url

Everything but the names exported here, `srvctl.config`, `srvctl.server`, `srvctl.logging`, `srvctl.hooks`
and `srvctl.broadcast` is private. What is exported is loaded when it is first asked for: the master and the
commands import this package as well, and need none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from srvctl.embedding.config import Config
    from srvctl.embedding.context import serve
    from srvctl.embedding.running import run
    from srvctl.embedding.server import Server

__version__: Final = "0.1.0"

__all__ = ["Config", "Server", "__version__", "run", "serve"]

_HOMES: Final = {
    "Config": "srvctl.embedding.config",
    "Server": "srvctl.embedding.server",
    "run": "srvctl.embedding.running",
    "serve": "srvctl.embedding.context",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
