"""Every setting, declared once: name, type, default, flag, help.

Plain frozen dataclasses, so that the master and the workers can hold them without importing pydantic
(ADR 2). `srvctl.settings.load` validates them. A function takes the group it reads, never the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import Option
from srvctl.settings.units import Bytes, Seconds  # noqa: TC001 - pydantic resolves them at run time

LogLevel = Literal["critical", "error", "warning", "info", "debug", "trace"]

#: Read by pydantic when it validates a group: a key that no field declares is an error.
_FORBID_UNKNOWN = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What to serve."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

    target: Annotated[
        str | None, Option("The ASGI application, as module:attribute.", metavar="APP", env=("UVICORN_APP",))
    ] = None
    dir: Annotated[
        str,
        Option(
            "Directory put first on sys.path; the current directory when empty.",
            "--app-dir",
            "DIR",
            env=("UVICORN_APP_DIR",),
        ),
    ] = ""
    factory: Annotated[
        bool,
        Option(
            "Call the target without arguments to get the application.", "--factory", env=("UVICORN_FACTORY",)
        ),
    ] = False
    lifespan: Annotated[
        Literal["auto", "on", "off"],
        Option(
            "Whether the application speaks the lifespan protocol.", "--lifespan", env=("UVICORN_LIFESPAN",)
        ),
    ] = "auto"
    root_path: Annotated[
        str,
        Option(
            "Path under which a proxy mounts the application.",
            "--root-path",
            "PATH",
            env=("UVICORN_ROOT_PATH",),
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

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
    backlog: Annotated[
        int,
        Option("Connections the kernel queues per socket.", "--backlog", env=("UVICORN_BACKLOG",), minimum=1),
    ] = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSettings:
    """The processes that serve."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

    count: Annotated[
        int | Literal["auto"],
        Option(
            "Number of worker processes; auto looks at CPU affinity and the cgroup's cpu.max and memory.max.",
            "--workers",
            "N|auto",
            env=("UVICORN_WORKERS", "WEB_CONCURRENCY"),
            minimum=1,
        ),
    ] = 1
    loop: Annotated[
        Literal["auto", "uvloop", "asyncio"],
        Option("Event loop; auto takes uvloop where it is installed.", "--loop", env=("UVICORN_LOOP",)),
    ] = "auto"
    max_surge: Annotated[
        int,
        Option("Workers started beyond the count at a time during a reload.", "--max-surge", minimum=1),
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutSettings:
    """How long each thing may take."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

    boot: Annotated[
        Seconds,
        Option(
            "Time a worker has to import the application and finish its startup.",
            "--timeout-boot",
            "DURATION",
        ),
    ] = 60.0
    graceful_shutdown: Annotated[
        Seconds,
        Option(
            "Time running requests have to finish when a worker stops.",
            "--timeout-graceful-shutdown",
            "DURATION",
            env=("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN",),
        ),
    ] = 30.0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much a client may send."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

    request_head_size: Annotated[
        Bytes,
        Option(
            "Largest request line and header fields together; more is answered 431.",
            "--limit-request-head-size",
            "SIZE",
            minimum=256,
        ),
    ] = 65536
    request_fields: Annotated[
        int,
        Option(
            "Most header fields in one request; more is answered 431.", "--limit-request-fields", minimum=1
        ),
    ] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What each response carries."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged and how."""

    __pydantic_config__: ClassVar = _FORBID_UNKNOWN

    level: Annotated[
        LogLevel, Option("Least severe level that is logged.", "--log-level", env=("UVICORN_LOG_LEVEL",))
    ] = "info"
    access: Annotated[bool, Option("Log each request.", "--access-log", env=("UVICORN_ACCESS_LOG",))] = True
    use_colors: Annotated[
        bool | None,
        Option(
            "Colour the log; when unset, only on a terminal.", "--use-colors", env=("UVICORN_USE_COLORS",)
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All groups of one instance; the name of each is its table in the file."""

    app: AppSettings = field(default_factory=AppSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    workers: WorkersSettings = field(default_factory=WorkersSettings)
    timeouts: TimeoutSettings = field(default_factory=TimeoutSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    log: LogSettings = field(default_factory=LogSettings)
