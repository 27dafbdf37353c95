"""The servers that speak WebSocket: those of the other table, with each implementation one can choose."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from benchmarks.servers import SERVERS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.ws.workloads import WsWorkload

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
    Server(
        "raw",
        "uvloop",
        ("benchmarks.peers.raw_socket", "{port}"),
        companions=("uvloop", "websockets"),
        is_fixed=True,
    ),
)

WS_SERVERS: Mapping[str, Server] = MappingProxyType({server.name: server for server in _ALL})


def contestants(workload: WsWorkload, servers: Sequence[Server]) -> list[Server]:
    """Return who can take part: servers without applications do nothing but send messages back."""
    is_echo = not workload.is_broadcast and not workload.make_script().is_compressed
    return [server for server in servers if is_echo or not server.is_fixed]


def is_peer(name: str) -> bool:
    """Return whether it is neither srvctl, however it was started, nor a server without applications."""
    is_ours = name == OURS or name.startswith(f"{OURS}-")
    return not is_ours and not (name in WS_SERVERS and WS_SERVERS[name].is_fixed)
