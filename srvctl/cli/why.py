"""``srvctl why``: what the ledger of an instance says about workers that died.

Needs no master: the file is read, also when nothing runs. Only where there are several files, and nobody says
which, instances that run are asked for their names. What is printed is in `srvctl.cli.death_text`.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from srvctl.cli.census import ask_all, sockets
from srvctl.cli.death_text import as_json, as_text
from srvctl.cli.flags import ConfigFlag  # noqa: TC001 - typer evaluates the annotations of commands
from srvctl.cli.places import is_trusted
from srvctl.errors import ExitCode, SrvctlError, printable
from srvctl.settings.instance import (
    AUTO,
    LEDGER_SUFFIX,
    SYSTEM_STATE,
    TEMPORARY,
    instance_name,
    ledger_directories,
    ledger_paths,
)
from srvctl.settings.load import load
from srvctl.supervisor.ledger import read_deaths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.ipc.deaths import Death


_PATIENCE: Final = 1.0  #: seconds that instances have to tell their names


class NoLedgerError(SrvctlError):
    """There is no ledger where one was looked for, or it cannot be read."""

    exit_code = ExitCode.NO_INSTANCE


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose deaths are asked for; everybody's by default.

    Attributes:
        either: A process or a slot, whichever it is.
        pid: A process.
        slot: A slot.
    """

    either: int | None = None
    pid: int | None = None
    slot: int | None = None

    def choose(self, deaths: Sequence[Death]) -> list[Death]:
        """Return the deaths that are wanted, in their order; a number that is both is a process's."""
        pid, slot = self.pid, self.slot
        chosen = [death for death in deaths if pid in {None, death.pid} and slot in {None, death.slot}]
        if self.either is None:
            return chosen
        of_process = [death for death in chosen if death.pid == self.either]
        return of_process or [death for death in chosen if death.slot == self.either]

    def __str__(self) -> str:
        named = (("process or slot", self.either), ("process", self.pid), ("slot", self.slot))
        return " and ".join(f"{what} {number}" for what, number in named if number is not None)


def why(
    target: Annotated[
        int | None,
        typer.Argument(
            metavar="PID|SLOT",
            min=0,
            show_default=False,
            help="Of one process, or of one slot; without it, of all.",
        ),
    ] = None,
    most: Annotated[int, typer.Option("-n", metavar="N", min=1, help="Show so many deaths at most.")] = 10,
    pid: Annotated[
        int | None, typer.Option(metavar="PID", min=1, help="Of this process.", show_default=False)
    ] = None,
    slot: Annotated[
        int | None, typer.Option(metavar="SLOT", min=0, help="Of this slot.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the instance.", show_default=False)
    ] = None,
    config: ConfigFlag = None,
    ledger_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="File of the ledger.", show_default=False)
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Print why workers died, the newest death first."""
    path = Path(ledger_file) if ledger_file else find_ledger(name, config, os.environ)
    try:
        recorded = read_deaths(path)
    except OSError as error:
        raise NoLedgerError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    wanted = Wanted(target, pid, slot)
    deaths = wanted.choose(recorded[::-1])[:most]
    if is_json:
        _print(as_json(deaths))
    elif deaths:
        _print(as_text(deaths, time.time()))
    else:
        whose = f" of {wanted}" if str(wanted) else ""
        _print(f"No death{whose} is recorded in {printable(str(path))}.")


def find_ledger(name: str | None, config: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the file of the instance that is meant: the named one, or the only one there is.

    Args:
        name: The instance's name, if it was given.
        config: The instance's file of settings, if it was given.
        environ: The environment.

    Raises:
        NoLedgerError: There is none, or it is not plain which one is meant.
        UsageError: The settings are wrong.
        ConfigError: The settings are wrong.
    """
    named = environ.get("SRVCTL_CONFIG")
    file = Path(named) if config is None and named else config
    settings = load({"server.name": name} if name else {}, environ, file).settings
    uid = os.geteuid()
    if settings.ledger.file == AUTO and file is None and not settings.server.name:
        directories = [*filter(_may_be_ours, ledger_directories(environ, uid)), *_of_services()]
        return _only_one(directories, environ, uid)
    ledger = instance_name(settings, file)
    places = ledger_paths(settings.ledger.file, ledger, environ, uid)
    if not places:
        raise NoLedgerError("this instance keeps no ledger: ledger.file is none")
    if settings.ledger.file == AUTO:
        # That of a service, which has another environment and maybe another user.
        ours = (path for path in places if _may_be_ours(path.parent))
        places = (*ours, *(directory / (ledger + LEDGER_SUFFIX) for directory in _of_services()))
    found = next((path for path in places if _is_there(path)), None)
    if found is None:
        raise NoLedgerError(f"no ledger is there: looked for {_listed(places)}")
    return found


def _of_services() -> list[Path]:
    """Return the directories in which services have their ledgers: one for each unit, below the system's."""
    try:
        own = sorted(path for path in SYSTEM_STATE.iterdir() if path.suffix != LEDGER_SUFFIX)
    except OSError:
        own = []
    return [SYSTEM_STATE, *own]


def _only_one(directories: Sequence[Path], environ: Mapping[str, str], uid: int) -> Path:
    """Return the only ledger there is, or of several the one whose instance is the only one that runs."""
    found: dict[Path, None] = {}  # in the order of the directories, each once
    for directory in directories:
        try:
            found |= dict.fromkeys(sorted(directory.glob(f"*{LEDGER_SUFFIX}")))
        except OSError:
            continue
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise NoLedgerError(
            f"no ledger is there: looked into {_listed(directories)}; name the file with --ledger-file"
        )
    answers = [one.status for one in ask_all(sockets(environ, uid), _PATIENCE)]
    running = {answer.get("name") for answer in answers if answer is not None}
    if len(running) == 1 and len(chosen := [path for path in found if path.stem in running]) == 1:
        return chosen[0]
    names = ", ".join(printable(path.stem) for path in found)
    raise NoLedgerError(f"there are several ledgers: {names}; choose one with --name")


def _may_be_ours(directory: Path) -> bool:
    """Return whether an instance of ours may keep its ledger there, and not somebody who wants to be read."""
    return str(directory.parent) not in TEMPORARY or is_trusted(directory, os.geteuid())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory that may not be looked into: reading will say so
        return True


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(printable(str(path)) for path in dict.fromkeys(paths))


def _print(text: str) -> None:
    """Print, whatever the terminal's encoding cannot show as an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
