"""What is logged and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option

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
