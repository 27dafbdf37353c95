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
    interface: Annotated[
        Literal["auto", "asgi3", "asgi2", "wsgi"],
        Option(
            "What the application speaks; auto looks at what it takes when it is called.",
            "--interface",
            env=("UVICORN_INTERFACE",),
        ),
    ] = "auto"
    wsgi_threads: Annotated[
        int,
        Option(
            "Threads that call a WSGI application: the requests of which a worker answers as many at once.",
            "--wsgi-threads",
            minimum=1,
        ),
    ] = 10
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
    env_file: Annotated[
        str | None,
        Option(
            "File of variables that the application finds in its environment, unless they are set already; "
            "srvctl's own settings are not read from it.",
            "--env-file",
            "FILE",
            env=("UVICORN_ENV_FILE",),
        ),
    ] = None
    reset_contextvars: Annotated[
        bool,
        Option(
            "Begin each request with no context variable set, instead of those set when the application was "
            "imported.",
            "--reset-contextvars",
            env=("UVICORN_RESET_CONTEXTVARS",),
        ),
    ] = False
