"""How much a client may send, and how much is taken on at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Option
from srvctl.settings.units import Bytes  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much a client may send, and how much is taken on at once."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    request_line_size: Annotated[
        Bytes,
        Option(
            "Largest request line; a longer one is answered 414.",
            "--limit-request-line-size",
            "SIZE",
            minimum=64,
        ),
    ] = 16384
    request_head_size: Annotated[
        Bytes,
        Option(
            "Largest request line and header fields together; more is answered 431.",
            "--limit-request-head-size",
            "SIZE",
            aliases=("--h11-max-incomplete-event-size",),
            env=("UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE",),
            minimum=256,
        ),
    ] = 65536
    request_fields: Annotated[
        int,
        Option(
            "Most header fields in one request; more is answered 431.", "--limit-request-fields", minimum=1
        ),
    ] = 100
    request_body_size: Annotated[
        Bytes,
        Option(
            "Largest request body; a larger one is answered 413. 0: no limit.",
            "--limit-request-body-size",
            "SIZE",
        ),
    ] = 0
    request_body_rate: Annotated[
        Bytes,
        Option(
            "Bytes of a request body that must come each second, once timeouts.request_body is over; a "
            "slower client is answered 408. 0: any rate will do.",
            "--limit-request-body-rate",
            "SIZE",
        ),
    ] = 240
    requests_per_connection: Annotated[
        int,
        Option(
            "Requests after which a kept-alive connection is closed. 0: no limit.",
            "--limit-requests-per-connection",
            minimum=0,
        ),
    ] = 0
    http2_streams: Annotated[
        int,
        Option(
            "Requests at a time on one HTTP/2 connection; more are refused.",
            "--limit-http2-streams",
            minimum=1,
        ),
    ] = 100
    http2_resets: Annotated[
        int,
        Option(
            "Requests that an HTTP/2 client may cancel, or have refused, within 10 s; behind more, its "
            "connection is closed. 0: any number.",
            "--limit-http2-resets",
            minimum=0,
        ),
    ] = 500
    http2_idle_frames: Annotated[
        int,
        Option(
            "HTTP/2 frames that move nothing (PING, SETTINGS, PRIORITY, empty DATA...) within 10 s; behind "
            "more, the connection is closed. 0: any number.",
            "--limit-http2-idle-frames",
            minimum=0,
        ),
    ] = 1000
    http2_window: Annotated[
        Bytes,
        Option(
            "Bytes of all request bodies of an HTTP/2 connection that a client may send ahead; each of them "
            "has limits.request_buffer.",
            "--limit-http2-window",
            "SIZE",
            minimum=65535,
        ),
    ] = 1048576
    request_buffer: Annotated[
        Bytes,
        Option(
            "Request bytes the application has not taken from which reading pauses.",
            "--limit-request-buffer",
            "SIZE",
            minimum=1024,
        ),
    ] = 65536
    response_buffer: Annotated[
        Bytes,
        Option(
            "Response bytes the client has not taken from which the application waits.",
            "--limit-response-buffer",
            "SIZE",
            minimum=1024,
        ),
    ] = 65536
    unread_body_size: Annotated[
        Bytes,
        Option(
            "Request body the application left unread that is taken in to keep the connection; behind more, "
            "it is closed.",
            "--limit-unread-body-size",
            "SIZE",
        ),
    ] = 262144
    concurrency: Annotated[
        int,
        Option(
            "Requests a worker answers at once; more are answered 503. Idle connections do not count. "
            "0: no limit.",
            "--limit-concurrency",
            env=("UVICORN_LIMIT_CONCURRENCY",),
            minimum=0,
        ),
    ] = 0
    concurrency_queue: Annotated[
        int,
        Option(
            "Requests beyond limits.concurrency that wait for their turn instead.",
            "--limit-concurrency-queue",
            minimum=0,
        ),
    ] = 0
    retry_after: Annotated[
        int,
        Option("Seconds the Retry-After header of such a 503 names.", "--limit-retry-after", minimum=0),
    ] = 1
    exempt_paths: Annotated[
        tuple[str, ...],
        Option(
            "Path that limits.concurrency does not count, for health checks; repeatable.",
            "--limit-exempt-path",
            "PATH",
        ),
    ] = ("/health", "/healthz", "/livez", "/readyz")
