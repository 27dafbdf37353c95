"""What to serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What to serve."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

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
