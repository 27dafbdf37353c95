"""How WebSockets are spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option
from srvctl.settings.units import Bytes, Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class WsSettings:
    """How WebSockets are spoken."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    protocol: Annotated[
        Literal["auto", "websockets", "websockets-sansio", "wsproto", "none"],
        Option(
            "Who reads frames: websockets (which auto and uvicorn's websockets-sansio mean) or wsproto, "
            "which has to be installed; none: requests to open a WebSocket are answered as any other.",
            "--ws",
            "PROTOCOL",
            env=("UVICORN_WS",),
        ),
    ] = "auto"
    max_size: Annotated[
        Bytes,
        Option(
            "Largest message, after inflating it; a larger one closes the WebSocket with 1009.",
            "--ws-max-size",
            "SIZE",
            env=("UVICORN_WS_MAX_SIZE",),
            minimum=1,
        ),
    ] = 16777216
    max_queue: Annotated[
        int,
        Option(
            "Messages the application has not taken from which reading pauses; limits.request_buffer says "
            "the same of their bytes.",
            "--ws-max-queue",
            env=("UVICORN_WS_MAX_QUEUE",),
            minimum=1,
        ),
    ] = 32
    max_fragments: Annotated[
        int,
        Option(
            "Most frames in one message; more close the WebSocket with 1008. 0: no limit.",
            "--ws-max-fragments",
            minimum=0,
        ),
    ] = 131072
    max_inflate_ratio: Annotated[
        int,
        Option(
            "How many times larger than what was sent a message beyond 1 MiB may become when it is inflated; "
            "more closes the WebSocket with 1009. 0: no limit but ws.max_size.",
            "--ws-max-inflate-ratio",
            minimum=0,
        ),
    ] = 0
    per_message_deflate: Annotated[
        bool,
        Option(
            "Compress messages with clients that offer it (RFC 7692).",
            "--ws-per-message-deflate",
            env=("UVICORN_WS_PER_MESSAGE_DEFLATE",),
            takes_word=True,
        ),
    ] = True
    ping_interval: Annotated[
        Seconds,
        Option(
            "Time between pings, which find clients that are gone and keep proxies from giving up. 0: none.",
            "--ws-ping-interval",
            "DURATION",
            env=("UVICORN_WS_PING_INTERVAL",),
        ),
    ] = 20.0
    ping_timeout: Annotated[
        Seconds,
        Option(
            "Time a client may be silent after a ping; then the WebSocket is closed with 1011. 0: any time.",
            "--ws-ping-timeout",
            "DURATION",
            env=("UVICORN_WS_PING_TIMEOUT",),
        ),
    ] = 20.0
    handshake_timeout: Annotated[
        Seconds,
        Option(
            "Time the application has to accept or deny a WebSocket; then the client is answered 503. "
            "0: any time.",
            "--ws-handshake-timeout",
            "DURATION",
        ),
    ] = 30.0
    close_timeout: Annotated[
        Seconds,
        Option(
            "Time a client has to answer that the WebSocket is being closed.",
            "--ws-close-timeout",
            "DURATION",
        ),
    ] = 10.0
    drain_spread: Annotated[
        Seconds,
        Option(
            "Time over which open WebSockets are closed with 1012 when a worker stops, so that their clients "
            "do not all come back at once; part of timeouts.graceful_shutdown.",
            "--ws-drain-spread",
            "DURATION",
        ),
    ] = 10.0
