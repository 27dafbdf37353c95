"""The servers that speak WebSocket: those of the other table, with each implementation one can choose."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from benchmarks.servers import SERVERS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS: Final = "srvctl"


def _with(name: str, implementation: str, distribution: str) -> Server:
    """Return a server told which implementation to use, and from which distribution that is."""
    server = SERVERS[name]
    return replace(
        server,
        name=f"{name}-{implementation}",
        arguments=(*server.arguments, "--ws", implementation),
        companions=(*server.companions, distribution),
    )


_ALL = (
    replace(SERVERS[OURS], companions=("uvloop", "websockets")),
    _with(OURS, "wsproto", "wsproto"),
    _with("uvicorn", "websockets", "websockets"),
    _with("uvicorn", "websockets-sansio", "websockets"),
    _with("uvicorn", "wsproto", "wsproto"),
    SERVERS["granian"],
    SERVERS["gunicorn"],
    replace(SERVERS["hypercorn"], companions=("uvloop", "wsproto")),
)

WS_SERVERS: Mapping[str, Server] = MappingProxyType({server.name: server for server in _ALL})


def is_ours(name: str) -> bool:
    """Return whether it is srvctl, however it was started."""
    return name == OURS or name.startswith(f"{OURS}-")
