"""The pages and figures for operators, served by a process of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The pages and figures for operators, served by a process of their own."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    bind: Annotated[
        str | None,
        Option(
            "Serve dashboard, metrics and health checks here, or at systemd:NAME; when unset, nowhere.",
            "--console",
            "HOST:PORT|unix:PATH",
            change=Change.RESTART,
        ),
    ] = None
    token: Annotated[
        str | None,
        Option(
            "Secret with which the console may also act: reload, scale, restart a worker; when unset, it "
            "only shows.",
            "--console-token",
            "TOKEN",
            is_secret=True,
            change=Change.RESTART,
        ),
    ] = None
    token_file: Annotated[
        str | None,
        Option(
            "File whose first line is that secret.",
            "--console-token-file",
            "FILE",
            change=Change.RESTART,
        ),
    ] = None
    hosts: Annotated[
        tuple[str, ...],
        Option(
            "Name under which browsers reach the console, beside localhost and IP addresses; repeatable; * "
            "for any. Others are refused, so that no website can look in through a browser inside your "
            "network.",
            "--console-host",
            "NAME",
            change=Change.RESTART,
        ),
    ] = ()
    quorum: Annotated[
        int,
        Option(
            "Workers that must serve for /readyz to say ready.",
            "--console-quorum",
            minimum=1,
            change=Change.RESTART,
        ),
    ] = 1
