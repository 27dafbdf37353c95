"""Who takes part, and how each is told what: the servers of the other table, with several workers.

A server that has no flag for something cannot do it, and is shown as a dash where that is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from benchmarks.servers import SERVERS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS: Final = "srvctl"


class Ability(StrEnum):
    """What a scenario may need of a server; a value goes with some."""

    RELOAD = "reload"  #: SIGHUP has it replace its workers by ones with new code
    COMMAND = "command"  #: a program asks for a reload, waits, and tells how it went
    SCALE = "scale"  #: SIGTTIN and SIGTTOU change the number of workers
    UPGRADE = "upgrade"  #: SIGUSR2 has it become its new version, under the same process id
    REPLACE = "replace"  #: a worker that dies is replaced
    RECYCLE = "recycle"  #: workers are replaced after so many requests
    HANG = "hang"  #: one whose loop is blocked for so many seconds is replaced
    BOOT = "boot"  #: one that has not started after so many seconds is given up
    BAKE = "bake"  #: the first new worker serves for so many seconds before the others are replaced


@dataclass(frozen=True, slots=True)
class Contestant:
    """One server with its abilities.

    Attributes:
        server: How it is started.
        abilities: Flags for each, with ``{}`` for the value; none where a signal is enough.
        is_preloading: It is there only for what is about the import of the application.
    """

    server: Server
    abilities: Mapping[Ability, tuple[str, ...]] = field(default_factory=dict)
    is_preloading: bool = False

    @property
    def name(self) -> str:
        """What ``--servers`` calls it."""
        return self.server.name

    def can(self, needs: Mapping[Ability, str]) -> bool:
        """Return whether it has all these abilities."""
        return needs.keys() <= self.abilities.keys()

    def command(self, app: str, port: int, workers: int, told: Mapping[Ability, str]) -> list[str]:
        """Return the command line; it is not told what it has no words for."""
        flags = [
            flag.format(value) for ability, value in told.items() for flag in self.abilities.get(ability, ())
        ]
        # The last one counts, with all of them.
        arguments = (*self.server.arguments, "--workers", str(workers), *flags)
        return replace(self.server, arguments=arguments).command(app, port)


_SIGNALS: Final = {Ability.RELOAD: (), Ability.REPLACE: ()}
_GUNICORN: Final = SERVERS["gunicorn"]
_GUNICORNS: Final = {
    **_SIGNALS,
    Ability.SCALE: (),
    Ability.RECYCLE: ("--max-requests", "{}"),
    Ability.HANG: ("--timeout", "{}"),
}

_ALL = (
    Contestant(
        SERVERS[OURS],
        {
            **_SIGNALS,
            Ability.SCALE: (),
            Ability.UPGRADE: (),
            Ability.COMMAND: ("srvctl", "reload", "--control-socket", "{}"),
            Ability.RECYCLE: ("--max-requests", "{}"),
            Ability.HANG: ("--hang-timeout", "{}"),
            Ability.BOOT: ("--timeout-boot", "{}"),
            Ability.BAKE: ("--reload-bake", "{}"),
        },
    ),
    Contestant(
        SERVERS["uvicorn"],
        {
            **_SIGNALS,
            Ability.SCALE: (),
            Ability.RECYCLE: ("--limit-max-requests", "{}"),
            Ability.HANG: ("--timeout-worker-healthcheck", "{}"),
        },
    ),
    Contestant(_GUNICORN, _GUNICORNS),
    Contestant(
        SERVERS["gunicorn-uvicorn"],
        _GUNICORNS,
    ),
    Contestant(
        replace(_GUNICORN, name="gunicorn-preload", arguments=(*_GUNICORN.arguments, "--preload")),
        _GUNICORNS,
        is_preloading=True,
    ),
    Contestant(
        replace(SERVERS["granian"], arguments=(*SERVERS["granian"].arguments, "--respawn-failed-workers")),
        _SIGNALS,
    ),
    Contestant(
        SERVERS["hypercorn"],
        {**_SIGNALS, Ability.RECYCLE: ("--max-requests", "{}")},
    ),
)

CONTESTANTS: Mapping[str, Contestant] = MappingProxyType({one.name: one for one in _ALL})
