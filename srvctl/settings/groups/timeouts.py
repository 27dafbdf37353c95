"""How long each thing may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutSettings:
    """How long each thing may take."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    boot: Annotated[
        Seconds,
        Option(
            "Time a worker has to import the application and finish its startup.",
            "--timeout-boot",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 60.0
    drain_delay: Annotated[
        Seconds,
        Option(
            "Time srvctl goes on accepting connections after it was asked to stop, so that load balancers "
            "notice in time.",
            "--drain-delay",
            "DURATION",
            aliases=("--timeout-drain-delay",),
            change=Change.LIVE,
        ),
    ] = 0.0
    graceful_shutdown: Annotated[
        Seconds,
        Option(
            "Time running requests have to finish when a worker stops.",
            "--timeout-graceful-shutdown",
            "DURATION",
            env=("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN",),
        ),
    ] = 30.0
    stream_shutdown: Annotated[
        Seconds,
        Option(
            "Time an event stream (text/event-stream) may go on when a worker stops, before its application "
            "is told that the client left. Other responses have all of timeouts.graceful_shutdown.",
            "--timeout-stream-shutdown",
            "DURATION",
        ),
    ] = 10.0
    lifespan_shutdown: Annotated[
        Seconds,
        Option(
            "Time the application's own shutdown has after the last request, before the worker is killed.",
            "--timeout-lifespan-shutdown",
            "DURATION",
        ),
    ] = 10.0
    keep_alive: Annotated[
        Seconds,
        Option(
            "Idle time after which a kept-alive connection is closed.",
            "--timeout-keep-alive",
            "DURATION",
            env=("UVICORN_TIMEOUT_KEEP_ALIVE",),
        ),
    ] = 5.0
    request_head: Annotated[
        Seconds,
        Option(
            "Time a client has to send a whole request head, counted from its first byte; "
            "also the time a new connection has to send that byte.",
            "--timeout-request-head",
            "DURATION",
        ),
    ] = 30.0
    drain_idle: Annotated[
        Seconds,
        Option(
            "While a worker drains: idle time after which a kept-alive connection is closed. A request that "
            "arrives sooner is still answered, with Connection: close.",
            "--timeout-drain-idle",
            "DURATION",
        ),
    ] = 1.0
    request_body: Annotated[
        Seconds,
        Option(
            "Time a client has for its request body beyond what limits.request_body_rate gives it.",
            "--timeout-request-body",
            "DURATION",
        ),
    ] = 30.0
    write_stall: Annotated[
        Seconds,
        Option(
            "Time a client may take nothing of a response that waits for it.",
            "--timeout-write-stall",
            "DURATION",
        ),
    ] = 60.0
    linger: Annotated[
        Seconds,
        Option(
            "Time in which what a client still sends is taken in after the last response, so that it is not "
            "lost to a reset.",
            "--timeout-linger",
            "DURATION",
        ),
    ] = 2.0
    queue: Annotated[
        Seconds,
        Option(
            "Time a request may wait in the queue of limits.concurrency_queue; then it is answered 503.",
            "--timeout-queue",
            "DURATION",
        ),
    ] = 5.0
    tls_handshake: Annotated[
        Seconds,
        Option(
            "Time a client has for its TLS handshake.", "--timeout-tls-handshake", "DURATION", minimum=0.1
        ),
    ] = 10.0
    tls_shutdown: Annotated[
        Seconds,
        Option("Time a client has to answer the end of TLS.", "--timeout-tls-shutdown", "DURATION"),
    ] = 5.0
