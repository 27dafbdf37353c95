"""How HTTP is spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How HTTP is spoken."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    codec: Annotated[
        Literal["auto", "native", "httptools", "zttp", "h11"],
        Option(
            "Who reads requests: native (which auto means) or h11; httptools and zttp, words of uvicorn's, "
            "mean native.",
            "--http",
            env=("UVICORN_HTTP",),
        ),
    ] = "auto"
    server_header: Annotated[
        bool,
        Option(
            "Send a Server header unless the application sets one.",
            "--server-header",
            env=("UVICORN_SERVER_HEADER",),
        ),
    ] = True
    date_header: Annotated[
        bool,
        Option(
            "Send a Date header unless the application sets one.",
            "--date-header",
            env=("UVICORN_DATE_HEADER",),
        ),
    ] = True
    headers: Annotated[
        tuple[str, ...],
        Option(
            "Header added to every response; repeatable.", "--header", "NAME:VALUE", env=("UVICORN_HEADERS",)
        ),
    ] = ()
    http2: Annotated[
        bool,
        Option(
            "Speak HTTP/2 as well: over TLS with clients that choose it (ALPN h2), else with those that "
            "begin with its preface.",
            "--http2",
            env=("UVICORN_HTTP2",),
        ),
    ] = False
    early_hints: Annotated[
        bool,
        Option(
            "Let applications send 103 Early Hints; nginx before 1.29 takes them for the response.",
            "--early-hints",
        ),
    ] = True
    request_id: Annotated[
        bool,
        Option(
            "Give each request an X-Request-ID, or keep the one it has; the response repeats it.",
            "--request-id",
        ),
    ] = False
