"""How new code takes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadSettings:
    """How new code takes over."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    bake: Annotated[
        Seconds,
        Option(
            "Time the first worker of new code serves beside the old ones before the others are replaced.",
            "--reload-bake",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 1.0
    enabled: Annotated[
        bool,
        Option(
            "Development: reload whenever a file of the application is saved, with one worker, and show what "
            "went wrong instead of ending.",
            "--reload",
            env=("UVICORN_RELOAD",),
            change=Change.RESTART,
        ),
    ] = False
    dirs: Annotated[
        tuple[str, ...],
        Option(
            "Directory that --reload watches; repeatable. By default the application's, which is the current "
            "one unless app.dir says otherwise.",
            "--reload-dir",
            "DIR",
            env=("UVICORN_RELOAD_DIRS",),
            change=Change.RESTART,
        ),
    ] = ()
    include: Annotated[
        tuple[str, ...],
        Option(
            "Glob pattern of files that --reload watches, beside *.py; repeatable.",
            "--reload-include",
            "GLOB",
            env=("UVICORN_RELOAD_INCLUDES",),
            change=Change.RESTART,
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Option(
            "Glob pattern of files, or directory, that --reload does not watch, beside virtual environments, "
            "caches, node_modules and hidden files; repeatable.",
            "--reload-exclude",
            "GLOB",
            env=("UVICORN_RELOAD_EXCLUDES",),
            change=Change.RESTART,
        ),
    ] = ()
    delay: Annotated[
        Seconds,
        Option(
            "Longest time for which --reload gathers changes that come one upon the other.",
            "--reload-delay",
            "DURATION",
            env=("UVICORN_RELOAD_DELAY",),
            change=Change.RESTART,
        ),
    ] = 0.25
    grace: Annotated[
        Seconds,
        Option(
            "Time that running requests have to finish with --reload, instead of timeouts.graceful_shutdown; "
            "event streams have none.",
            "--reload-grace",
            "DURATION",
            change=Change.RESTART,
        ),
    ] = 3.0
    browser: Annotated[
        bool,
        Option(
            "With --reload, have open pages in browsers reload themselves: a script is added to HTML.",
            "--reload-browser",
            change=Change.RESTART,
        ),
    ] = False
