"""Processes beside the workers, in any language: each one a ``[[program]]`` of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSettings:
    """A process beside the workers, in any language. Only the file has them; a reload adds and removes."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    name: Annotated[
        str,
        Option(
            "What it is called: letters, digits, and . _ - between them. No two have the same name, and none "
            'is called "workers".',
            metavar="NAME",
            change=Change.LIVE,
        ),
    ]
    command: Annotated[
        tuple[str, ...],
        Option(
            "The program and its arguments. A text instead of a list is split as a shell would, but no shell "
            "sees it.",
            metavar='["PROGRAM", "ARGUMENT"]',
            change=Change.LIVE,
        ),
    ]
    count: Annotated[
        int,
        Option(
            "How many processes of it run. Each finds its number, from 0 on, in SRVCTL_PROGRAM_INDEX.",
            metavar="N",
            minimum=1,
            change=Change.LIVE,
        ),
    ] = 1
    directory: Annotated[
        str | None,
        Option(
            "Directory that it runs in; by default that which srvctl runs in.",
            metavar="DIR",
            change=Change.LIVE,
        ),
    ] = None
    environment: Annotated[
        tuple[str, ...],
        Option(
            "Variables that are added to the environment of srvctl. Their values are shown nowhere.",
            metavar='["NAME=VALUE"]',
            is_secret=True,
            change=Change.LIVE,
        ),
    ] = ()
    user: Annotated[
        str | None,
        Option(
            "User, by name or number, that it runs as; needs a master that is root, unless it is that user.",
            metavar="USER",
            change=Change.LIVE,
        ),
    ] = None
    group: Annotated[
        str | None,
        Option(
            "Group, by name or number, that it runs as; by default that of the user.",
            metavar="GROUP",
            change=Change.LIVE,
        ),
    ] = None
    bind: Annotated[
        tuple[str, ...],
        Option(
            "Addresses that srvctl listens on for it, as server.bind has them; it is passed the sockets from "
            "descriptor 3 on, as systemd would (LISTEN_FDS). They stay open while it is restarted.",
            metavar='["ADDR"]',
            change=Change.LIVE,
        ),
    ] = ()
    after: Annotated[
        tuple[str, ...],
        Option(
            "Programs that must be ready before it is started; workers stands for the first workers. "
            "Stopping goes the other way round.",
            metavar='["NAME"]',
            change=Change.LIVE,
        ),
    ] = ()
    ready: Annotated[
        str,
        Option(
            "How it is known to be ready: started (it runs), notify (it sends READY=1 to NOTIFY_SOCKET, as "
            "to systemd), fd:N (it writes a line to descriptor N, as for s6), or exit (it has ended with "
            "exit code 0: a task that must be done first).",
            metavar="started|notify|fd:N|exit",
            change=Change.LIVE,
        ),
    ] = "started"
    start_timeout: Annotated[
        Seconds,
        Option(
            "Time it has to be ready before it is ended, and started again later.",
            metavar="DURATION",
            change=Change.LIVE,
        ),
    ] = 60.0
    restart: Annotated[
        Literal["always", "on-failure", "never"],
        Option(
            "Whether it is started again when it has ended: always, on-failure (its exit code is not 0, or a "
            "signal killed it), or never. By itself on-failure where it is ready by its exit.",
            change=Change.LIVE,
        ),
    ] = "always"
    on_reload: Annotated[
        Literal["keep", "restart", "HUP", "USR1", "USR2"],
        Option(
            "What a reload that has brought new code does to it, if its own settings are the same: nothing, "
            "a restart, or this signal.",
            change=Change.LIVE,
        ),
    ] = "keep"
    stop_signal: Annotated[
        Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"],
        Option("Signal that asks it to end.", change=Change.LIVE),
    ] = "TERM"
    stop_timeout: Annotated[
        Seconds,
        Option(
            "Time it then has. It is killed afterwards, and so is whatever it has left in its process group.",
            metavar="DURATION",
            change=Change.LIVE,
        ),
    ] = 10.0
