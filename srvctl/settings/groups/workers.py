"""The processes that serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSettings:
    """The processes that serve."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

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
