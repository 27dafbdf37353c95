"""``srvctl ls``: all instances that this user can see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.answer import print_json
from srvctl.cli.census import SILENT, ask_all, sockets
from srvctl.cli.columns import aligned
from srvctl.cli.printing import show
from srvctl.cli.quantities import short_duration
from srvctl.cli.report import warn
from srvctl.cli.status_text import ready
from srvctl.cli.values import items, number, shown
from srvctl.errors import ExitCode, UsageError, printable
from srvctl.settings.units import parse_duration

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from srvctl.cli.census import Found
    from srvctl.cli.parsing import Parser

_PATIENCE: Final = "1s"
_HEAD: Final = ("NAME", "PID", "STATE", "GEN", "WORKERS", "UPTIME", "BINDS", "APP")
_WORDS: Final = frozenset({"NAME", "STATE", "BINDS", "APP"})


def declare(parser: Parser) -> None:
    """Add the flags."""
    parser.add_argument("--json", action="store_true", help="Print a list of objects.")
    text = f"Wait no longer than this for those that do not answer. Default: {_PATIENCE}."
    parser.add_argument("--timeout", metavar="DURATION", default=_PATIENCE, help=text)


def carry_out(values: Namespace) -> ExitCode:
    """List the instances that run; sockets behind which there is none are mentioned on stderr.

    Raises:
        UsageError: The time is none.
    """
    try:
        patience = parse_duration(values.timeout)
    except ValueError as error:
        raise UsageError(f"--timeout {values.timeout!r} {error}") from None
    everything = ask_all(sockets(os.environ, os.geteuid()), patience)
    found = sorted((one for one in everything if _is_there(one)), key=name_of)
    if values.json:
        print_json([as_object(one) for one in found])
    else:
        show("\n".join(as_table(found)) if found else "No instance runs that can be seen from here.")
    for one in everything:
        if not _is_there(one):
            warn(f"{printable(str(one.path))}: {printable(one.problem)}")
    return ExitCode.OK


def _is_there(found: Found) -> bool:
    return found.status is not None or found.problem == SILENT


def name_of(found: Found) -> str:
    """Return what an instance is called: as it says, or like its socket."""
    return shown((found.status or {}).get("name") or found.path.stem)


def as_table(found: Sequence[Found]) -> list[str]:
    """Return the lines for people."""
    return aligned(_HEAD, [_row(one) for one in found], _WORDS)


def as_object(found: Found) -> dict[str, Any]:
    """Return an instance for programs: its status, and where its socket is."""
    status = found.status or {"name": name_of(found), "pid": found.pid, "state": SILENT}
    return {"socket": str(found.path), **status}


def _row(found: Found) -> tuple[str, ...]:
    status: Mapping[str, Any] = found.status or {}
    if found.status is None:
        return (name_of(found), str(found.pid or "-"), SILENT, "-", "-", "-", "-", "-")
    wanted = int(number(status, "target"))
    return (
        name_of(found),
        str(found.pid or shown(status.get("pid", "?"))),
        shown(status.get("state", "?")),
        shown(status.get("generation", "?")),
        f"{ready(status)}/{wanted}",
        short_duration(number(status, "uptime")),
        " ".join(shown(bind).removeprefix("unix socket ") for bind in items(status, "binds")) or "-",
        shown(status.get("app") or "-"),
    )
