"""What is logged and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Bytes, Seconds  # noqa: TC001 - pydantic resolves them at run time

LogLevel = Literal["critical", "error", "warning", "info", "debug", "trace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged and how."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    level: Annotated[
        LogLevel | None,
        Option(
            "Least severe level that is logged; when unset, what log.config says, or info.",
            "--log-level",
            env=("UVICORN_LOG_LEVEL",),
        ),
    ] = None
    config: Annotated[
        str | None,
        Option(
            "File that sets up logging instead, in the form of logging.config: .json, .yaml, .yml, .toml, or "
            "any other name for .ini; files made for uvicorn work.",
            "--log-config",
            "FILE",
            env=("UVICORN_LOG_CONFIG",),
        ),
    ] = None
    access: Annotated[bool, Option("Log each request.", "--access-log", env=("UVICORN_ACCESS_LOG",))] = True
    access_format: Annotated[
        str,
        Option(
            "Shape of the access log's lines: uvicorn, common, combined, json, or a text with atoms such as "
            '%h %t "%r" %s %b %D %{User-Agent}i.',
            "--access-log-format",
            "FORMAT",
        ),
    ] = "uvicorn"
    access_file: Annotated[
        str, Option("File the access log is appended to; - is stdout.", "--access-log-file", "FILE")
    ] = "-"
    use_colors: Annotated[
        bool | None,
        Option(
            "Colour the log; when unset, only on a terminal.", "--use-colors", env=("UVICORN_USE_COLORS",)
        ),
    ] = None
    format: Annotated[
        Literal["text", "json"],
        Option(
            "Lines for people, or an object of JSON a line; also what an application prints.", "--log-format"
        ),
    ] = "text"
    file: Annotated[
        str,
        Option(
            "Where the log goes, and what workers print: - is stdout and stderr; a file; syslog, "
            "syslog:HOST:PORT or syslog:PATH; journald.",
            "--log-file",
            "FILE|-|syslog|journald",
            change=Change.LIVE,
        ),
    ] = "-"
    max_size: Annotated[
        Bytes,
        Option(
            "Begin a new file when that one has so many bytes; 0 never does.",
            "--log-max-size",
            "SIZE",
            change=Change.LIVE,
        ),
    ] = 0
    max_age: Annotated[
        Seconds,
        Option(
            "Begin a new file when that one is so old; 0 never does.",
            "--log-max-age",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 0.0
    backups: Annotated[
        int,
        Option("Files that are kept beside the newest.", "--log-backups", minimum=0, change=Change.LIVE),
    ] = 7
    buffer: Annotated[
        Bytes,
        Option(
            "What is kept of the log while nobody takes it, because a disk is full or a reader stands still; "
            "beyond it lines are lost, and counted.",
            "--log-buffer",
            "SIZE",
            minimum=4096,
            change=Change.LIVE,
        ),
    ] = 1048576
    keep: Annotated[
        Bytes,
        Option(
            "What is kept of the log in memory for srvctl logs.",
            "--log-keep",
            "SIZE",
            minimum=0,
            change=Change.RESTART,
        ),
    ] = 262144
    capture: Annotated[
        bool,
        Option(
            "Have the master read what workers print, so that no lines mix, and each death is told with the "
            "last of them. Without it, and in development, workers write to stdout and stderr themselves.",
            "--log-capture",
            change=Change.RESTART,
        ),
    ] = True
