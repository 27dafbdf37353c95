"""The table of WebSocket workloads: which application, which messages, which mark. A new one is one entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from benchmarks.ws.script import Script, json_messages, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Enough for a compressor's window not to have the same message in it.
_JSON_MESSAGES: Final = 64


@dataclass(frozen=True, slots=True)
class WsWorkload:
    """One kind of conversation.

    Attributes:
        name: What ``--app`` calls it.
        about: One line for ``--list``.
        app: Import string of the ASGI application.
        make_script: Makes what is said; not before it is needed.
        connections: Open at once, the sender of a broadcast not among them.
        is_broadcast: One says what all hear, instead of each what it hears itself.
        mark: How many times srvctl's CPU per message the best peer must take; None for no mark.
    """

    name: str
    about: str
    app: str
    make_script: Callable[[], Script]
    connections: int = 32
    is_broadcast: bool = False
    mark: float | None = None


@cache
def _small() -> Script:
    return Script.of(text_of(32))


@cache
def _large() -> Script:
    return Script.of(text_of(10_000))


@cache
def _compressed() -> Script:
    return Script.of(*json_messages(_JSON_MESSAGES, 1000), is_compressed=True)


@cache
def _event() -> Script:
    return Script.of(*json_messages(1, 100))


_ALL = (
    WsWorkload(
        "echo",
        about="text of 32 bytes, sent back",
        app="benchmarks.apps.sockets:echo",
        make_script=_small,
        mark=2.0,
    ),
    WsWorkload(
        "echo-10k",
        about="text of 10 KB, sent back",
        app="benchmarks.apps.sockets:echo",
        make_script=_large,
        mark=1.5,
    ),
    WsWorkload(
        "echo-deflate",
        about="JSON of 1 KB, compressed and sent back",
        app="benchmarks.apps.sockets:echo",
        make_script=_compressed,
        mark=1.3,
    ),
    WsWorkload(
        "broadcast",
        about="JSON of some 250 bytes from one to 1,000",
        app="benchmarks.apps.sockets:broadcast",
        make_script=_event,
        connections=1000,
        is_broadcast=True,
    ),
)

WS_WORKLOADS: Mapping[str, WsWorkload] = MappingProxyType({workload.name: workload for workload in _ALL})
