"""How messages reach the WebSockets of other workers and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Option
from srvctl.settings.units import Bytes  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastSettings:
    """How messages reach the WebSockets of other workers and machines."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    url: Annotated[
        str,
        Option(
            "Server through which workers of several machines share channels: redis://HOST:PORT/DB, "
            "rediss://... or unix://PATH; empty: the workers of this instance only, without any server.",
            "--broadcast-url",
            "URL",
            is_secret=True,
        ),
    ] = ""
    queue: Annotated[
        int,
        Option(
            "Messages that may wait for one subscriber; one that takes them more slowly loses the newest.",
            "--broadcast-queue",
            minimum=1,
        ),
    ] = 1024
    buffer: Annotated[
        Bytes,
        Option(
            "Bytes that may wait for one other worker, or for the server; what is published beyond them is "
            "dropped.",
            "--broadcast-buffer",
            "SIZE",
            minimum=65536,
        ),
    ] = 8388608
    max_size: Annotated[
        Bytes,
        Option(
            "Largest message that can be published.",
            "--broadcast-max-size",
            "SIZE",
            minimum=1,
        ),
    ] = 1048576
