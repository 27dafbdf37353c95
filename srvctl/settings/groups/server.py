"""Where to listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    bind: Annotated[
        tuple[str, ...],
        Option(
            "Address to listen on; repeatable: HOST:PORT, [::1]:PORT, :PORT (IPv4 and IPv6), "
            "unix:PATH?mode=660&user=U&group=G, fd://N, systemd:NAME.",
            "--bind",
            "ADDR",
        ),
    ] = ()
    host: Annotated[
        str, Option("Host to listen on when no --bind is given.", "--host", "HOST", env=("UVICORN_HOST",))
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Option(
            "Port to listen on when no --bind is given; 0 picks a free one.",
            "--port",
            env=("UVICORN_PORT",),
            minimum=0,
            maximum=65535,
        ),
    ] = 8000
    uds: Annotated[
        str | None,
        Option(
            "Unix socket to listen on, open to every user (mode 666).", "--uds", "PATH", env=("UVICORN_UDS",)
        ),
    ] = None
    fd: Annotated[
        int | None,
        Option("Inherited socket to listen on.", "--fd", env=("UVICORN_FD",), minimum=0),
    ] = None
    name: Annotated[
        str,
        Option(
            "Name of this instance, for srvctl's other commands; by default that of the file given with -c, "
            "or of the application.",
            "--name",
            "NAME",
            change=Change.RESTART,
        ),
    ] = ""
    pid_file: Annotated[
        str | None,
        Option(
            "File that holds the master's pid and is locked as long as it lives.",
            "--pid-file",
            "PATH",
            aliases=("--pid",),
            change=Change.RESTART,
        ),
    ] = None
    backlog: Annotated[
        int,
        Option("Connections the kernel queues per socket.", "--backlog", env=("UVICORN_BACKLOG",), minimum=1),
    ] = 2048
    balance: Annotated[
        Literal["connections", "off"],
        Option(
            "Who accepts: connections, the worker that has fewest, and the next one where that is busy; off, "
            "whoever the kernel wakes first.",
            "--balance",
        ),
    ] = "connections"
