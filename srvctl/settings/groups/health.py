"""How it is noticed that a worker is alive but does not serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """How it is noticed that a worker is alive but does not serve."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    hang_timeout: Annotated[
        Seconds,
        Option(
            "Time a worker's event loop may be blocked before the worker is replaced; time in which it was "
            "ready to run but got no CPU does not count. 0: for ever.",
            "--hang-timeout",
            "DURATION",
            aliases=("--timeout-worker-healthcheck",),
            env=("UVICORN_TIMEOUT_WORKER_HEALTHCHECK",),
            change=Change.LIVE,
        ),
    ] = 30.0
    path: Annotated[
        str,
        Option(
            "Path that is asked for inside each worker to see whether its application is well: below 400 is. "
            "Empty: nothing is asked.",
            "--health-path",
            "PATH",
            change=Change.LIVE,
        ),
    ] = ""
    interval: Annotated[
        Seconds,
        Option(
            "Time between two such requests in one worker.",
            "--health-interval",
            "DURATION",
            minimum=0.1,
            change=Change.LIVE,
        ),
    ] = 10.0
    timeout: Annotated[
        Seconds,
        Option(
            "Time the application has to answer one.",
            "--health-timeout",
            "DURATION",
            minimum=0.1,
            change=Change.LIVE,
        ),
    ] = 5.0
    threshold: Annotated[
        int,
        Option(
            "Failures in a row after which the worker is replaced.",
            "--health-threshold",
            minimum=1,
            change=Change.LIVE,
        ),
    ] = 3
