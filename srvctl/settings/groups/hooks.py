"""The application's own functions, called at points of a worker's life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """The application's own functions, called at points of a worker's life."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    on_boot: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called once the application is imported: in the process "
            "that workers are forked from, or, without preload, in each worker.",
            "--hook-on-boot",
            "FUNCTION",
        ),
    ] = None
    pre_fork: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called before each fork of a worker, in the process it "
            "is forked from; without preload, never.",
            "--hook-pre-fork",
            "FUNCTION",
        ),
    ] = None
    post_fork: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called first of all in each new worker, before its event "
            "loop is made.",
            "--hook-post-fork",
            "FUNCTION",
        ),
    ] = None
    on_ready: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called in a worker whose startup is complete, before it "
            "accepts connections; like those that follow, it may be a coroutine function.",
            "--hook-on-ready",
            "FUNCTION",
        ),
    ] = None
    on_drain: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called in a worker that begins to drain.",
            "--hook-on-drain",
            "FUNCTION",
        ),
    ] = None
    on_exit: Annotated[
        str | None,
        Option(
            "Function, as module:attribute, that is called last of all in a worker.",
            "--hook-on-exit",
            "FUNCTION",
        ),
    ] = None
    timeout: Annotated[
        Seconds,
        Option(
            "Time one call of a hook may take; then it is interrupted.",
            "--hook-timeout",
            "DURATION",
            minimum=0.1,
        ),
    ] = 10.0
