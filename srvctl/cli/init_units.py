"""``srvctl init systemd``: writes units, has the systemd of this machine check them, says what comes next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.cli.printing import show
from srvctl.cli.systemd_analyze import judge
from srvctl.cli.writing import write
from srvctl.errors import ExitCode, SrvctlError, UsageError, printable
from srvctl.init import systemd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.init.plan import Plan

_SERVICE: Final = ".service"
_OF_SYSTEM: Final = "/etc/systemd/system"
_OF_USER: Final = "~/.config/systemd/user"


class BadUnitError(SrvctlError):
    """systemd does not take a unit as it was written."""

    exit_code = ExitCode.REFUSED


def make_units(plan: Plan, manager: systemd.Manager, output: Path | None, *, is_forced: bool) -> None:
    """Print units, or write and check them.

    Args:
        plan: The service.
        manager: Who is to run it.
        output: The file of the service's unit, or a directory for all of them; None prints them.
        is_forced: Files that are there are replaced.

    Raises:
        UsageError: The file has another ending than units have, or what is asked for excludes each other.
        NotWrittenError: A file cannot be written.
        BadUnitError: systemd finds fault with them; what, is printed.
    """
    if output is None:
        show("\n".join(systemd.files(plan, manager).values()).rstrip("\n"))
        return
    output = output / (plan.name + _SERVICE) if output.is_dir() else output
    if output.suffix != _SERVICE:
        raise UsageError(f"-o {printable(str(output))}: a unit's file ends in {_SERVICE}")
    made = systemd.files(plan, manager, output.stem)
    paths = [output.with_name(name) for name in made]
    for path, text in zip(paths, made.values(), strict=True):
        write(path, text, is_forced=is_forced)
        show(f"Wrote {printable(str(path))}.")
    opinion = judge(paths, is_users=manager.is_users)
    for problem in opinion.problems:
        show(f"systemd-analyze verify: {printable(problem)}")
    if opinion.problems:
        raise BadUnitError(f"systemd finds fault with {printable(str(output))} or its sockets; see above")
    show(f"Unchecked: {opinion.failure}." if opinion.failure else "systemd-analyze verify finds no fault.")
    show(f"Next: {_next_commands(paths, manager)}")


def _next_commands(paths: Sequence[Path], manager: systemd.Manager) -> str:
    """Return the commands with which the service starts now and from now on."""
    place, whose = (_OF_USER, "--user ") if manager.is_users else (_OF_SYSTEM, "")
    is_there = all(path.parent.absolute() == Path(place).expanduser() for path in paths)
    sockets_first = sorted(paths, key=lambda path: path.suffix == _SERVICE)
    commands = [
        *([] if is_there else [f"cp {' '.join(shlex.quote(str(path)) for path in paths)} {place}/"]),
        f"systemctl {whose}daemon-reload",
        f"systemctl {whose}enable --now {' '.join(shlex.quote(path.name) for path in sockets_first)}",
    ]
    return " && ".join(commands)
