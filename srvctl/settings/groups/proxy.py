"""Which proxies are believed, and what of what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Which proxies are believed, and what of what they say."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    headers: Annotated[
        bool,
        Option(
            "Take the client's address and scheme from the headers of trusted proxies.",
            "--proxy-headers",
            env=("UVICORN_PROXY_HEADERS",),
        ),
    ] = True
    forwarded_allow_ips: Annotated[
        tuple[str, ...],
        Option(
            "Trusted proxy: an IP address, a network such as 10.0.0.0/8, unix (every peer on a Unix socket) "
            "or * (every peer); repeatable.",
            "--forwarded-allow-ips",
            "PEER",
            env=("UVICORN_FORWARDED_ALLOW_IPS", "FORWARDED_ALLOW_IPS"),
        ),
    ] = ("127.0.0.1", "::1")
    style: Annotated[
        Literal["x-forwarded", "forwarded"],
        Option(
            "Which headers are read: X-Forwarded-* or Forwarded (RFC 7239); the other is never believed.",
            "--forwarded-style",
        ),
    ] = "x-forwarded"
    fields: Annotated[
        tuple[str, ...],
        Option(
            "What is taken from them: for, proto, host, port, prefix; repeatable.",
            "--forwarded-fields",
            "FIELD",
        ),
    ] = ("for", "proto")
    protocol: Annotated[
        Literal["off", "on"],
        Option(
            "Whether each connection of a trusted proxy begins with a PROXY protocol header (version 1 or "
            "2); others are then refused.",
            "--proxy-protocol",
        ),
    ] = "off"
