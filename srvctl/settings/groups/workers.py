"""The processes that serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Bytes, Seconds  # noqa: TC001 - pydantic resolves them at run time


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
            change=Change.LIVE,
        ),
    ] = 1
    min: Annotated[
        int,
        Option(
            "Fewest worker processes; used where workers.max lets their number follow the load.",
            "--min-workers",
            minimum=1,
            change=Change.LIVE,
        ),
    ] = 1
    max: Annotated[
        int,
        Option(
            "Most worker processes; their number then follows the load, between workers.min and this, and "
            "workers.count is how many there are at first. 0: their number does not follow the load.",
            "--max-workers",
            minimum=0,
            change=Change.LIVE,
        ),
    ] = 0
    scale_utilization: Annotated[
        int,
        Option(
            "Percent of its time for which a worker's event loop may be busy, on average over the workers, "
            "before there are more of them.",
            "--scale-utilization",
            "PERCENT",
            minimum=10,
            maximum=95,
            change=Change.LIVE,
        ),
    ] = 70
    scale_in_flight: Annotated[
        int,
        Option(
            "Requests that a worker may have in flight, on average over the workers, before there are more "
            "of them. 0: any number.",
            "--scale-in-flight",
            minimum=0,
            change=Change.LIVE,
        ),
    ] = 32
    scale_down_delay: Annotated[
        Seconds,
        Option(
            "Time for which fewer workers must have been enough before one is retired.",
            "--scale-down-delay",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 30.0
    memory_watermark: Annotated[
        int,
        Option(
            "Percent of the cgroup's memory limit beyond which no worker is added, and the largest is "
            "replaced. 0: never.",
            "--memory-watermark",
            "PERCENT",
            minimum=0,
            maximum=99,
            change=Change.LIVE,
        ),
    ] = 0
    preload: Annotated[
        Literal["auto", "on", "off"],
        Option(
            "Import the application once, in a process that workers are forked from; auto does not if the "
            "import starts threads, opens sockets or makes an event loop.",
            "--preload",
        ),
    ] = "auto"
    loop: Annotated[
        str,
        Option(
            "Event loop: auto (uvloop where it is installed), uvloop, asyncio (or none), or module:factory, "
            "which is called without arguments and returns one.",
            "--loop",
            "LOOP",
            env=("UVICORN_LOOP",),
        ),
    ] = "auto"
    max_surge: Annotated[
        int,
        Option(
            "Workers that may run beyond the count at a time while others are replaced, for whatever reason.",
            "--max-surge",
            minimum=1,
            change=Change.LIVE,
        ),
    ] = 1
    max_requests: Annotated[
        int,
        Option(
            "Requests after which a worker is replaced. 0: no limit.",
            "--max-requests",
            aliases=("--limit-max-requests",),
            env=("UVICORN_LIMIT_MAX_REQUESTS",),
            minimum=0,
            change=Change.LIVE,
        ),
    ] = 0
    max_requests_jitter: Annotated[
        int,
        Option(
            "Largest random number of requests added to workers.max_requests, for each worker anew.",
            "--max-requests-jitter",
            aliases=("--limit-max-requests-jitter",),
            env=("UVICORN_LIMIT_MAX_REQUESTS_JITTER",),
            minimum=0,
            change=Change.LIVE,
        ),
    ] = 0
    max_lifetime: Annotated[
        Seconds,
        Option(
            "Time after which a worker is replaced. 0: no limit.",
            "--max-lifetime",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 0.0
    max_lifetime_jitter: Annotated[
        Seconds,
        Option(
            "Longest random time added to workers.max_lifetime, for each worker anew.",
            "--max-lifetime-jitter",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 0.0
    max_memory: Annotated[
        Bytes,
        Option(
            "Memory (PSS) beyond which a worker is replaced, if three samples in a row show it. 0: no limit.",
            "--max-memory",
            "SIZE",
            change=Change.LIVE,
        ),
    ] = 0
    recycle_spacing: Annotated[
        Seconds,
        Option(
            "Shortest time between the beginnings of two replacements that a limit caused.",
            "--recycle-spacing",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 1.0
    user: Annotated[
        str | None,
        Option(
            "User, by name or number, that the application runs as; needs a master that is root, unless it "
            "is that user already.",
            "--user",
            "USER",
        ),
    ] = None
    group: Annotated[
        str | None,
        Option(
            "Group, by name or number, that the application runs as; by default that of workers.user.",
            "--group",
            "GROUP",
        ),
    ] = None
    supplementary_groups: Annotated[
        tuple[str, ...],
        Option(
            "Further group of the workers, by name or number; repeatable. By default those that "
            "workers.user is in.",
            "--supplementary-group",
            "GROUP",
        ),
    ] = ()
    umask: Annotated[
        str | None,
        Option("Mode bits that files made by the application do not get, in octal.", "--umask", "MODE"),
    ] = None
    nice: Annotated[
        int | None,
        Option("Niceness of the workers, from -20 to 19.", "--nice", minimum=-20, maximum=19),
    ] = None
    cpu_affinity: Annotated[
        str | None,
        Option(
            "CPUs that workers run on: a list such as 0-3,8 for all of them, or several such as 0-3;4-7, "
            "which slots get in turn; auto gives each slot one of those that srvctl may use, numa those of "
            "one memory node.",
            "--cpu-affinity",
            "CPUS|auto|numa",
        ),
    ] = None
    rlimits: Annotated[
        tuple[str, ...],
        Option(
            "Limit of the kernel for each worker, as NAME=SOFT or NAME=SOFT:HARD with the names of "
            "setrlimit(2), such as nofile=65536 or core=unlimited; repeatable. Without HARD, that limit is "
            "only raised where it must be.",
            "--rlimit",
            "NAME=LIMIT",
        ),
    ] = ()
    oom_score: Annotated[
        int,
        Option(
            "What is added to the OOM score of workers, so that the kernel ends one of them before the "
            "master.",
            "--oom-score",
            minimum=0,
            maximum=1000,
        ),
    ] = 100
    after: Annotated[
        tuple[str, ...],
        Option(
            "Program ([[program]]) that must be ready before the first workers are started; repeatable.",
            "--after",
            "NAME",
            change=Change.RESTART,
        ),
    ] = ()
    no_new_privs: Annotated[
        bool,
        Option(
            "Keep workers, and whatever they start, from gaining privileges by setuid programs.",
            "--no-new-privs",
        ),
    ] = False
