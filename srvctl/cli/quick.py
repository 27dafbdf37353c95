"""The commands for an instance that runs, as they are typed: flags become an `Asked`.

Reads them with argparse: typer and the pydantic that it loads would take longer than everything else
together, and scripts, service managers and people in a hurry call these. `srvctl.cli.app` lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.cli import control
from srvctl.cli.control import Asked
from srvctl.cli.instances import Wanted
from srvctl.cli.parsing import Parser
from srvctl.cli.report import report
from srvctl.errors import ExitCode, SrvctlError, UsageError
from srvctl.ipc.control import RECYCLE_TARGET
from srvctl.logs.streams import flush
from srvctl.settings.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: For what ends by itself: the master has a deadline for every step.
_PATIENCE: Final = "10m"
_TO_TELL: Final = "10s"

_FUNCTIONS: Final[Mapping[str, Callable[[Asked], ExitCode]]] = {
    "reload": control.reload,
    "stop": control.stop,
    "upgrade": control.upgrade,
    "recycle": control.recycle,
    "status": control.status,
}
#: What is offered, with the sentence that says what it is for.
COMMANDS: Final[Mapping[str, str]] = {
    name: (function.__doc__ or "").partition("\n")[0] for name, function in _FUNCTIONS.items()
}


def invoke(argv: Sequence[str]) -> ExitCode:
    """Carry out a command line that begins with one of `COMMANDS`, and report what is wrong with it."""
    name, *flags = argv
    try:
        return _FUNCTIONS[name](_asked(name, flags))
    except SrvctlError as error:
        report(str(error))
        return error.exit_code
    except SystemExit:  # help was printed
        return ExitCode.OK
    finally:
        flush()


def _asked(name: str, flags: Sequence[str]) -> Asked:
    values = parser(name).read(flags)
    target = getattr(values, "target", "all")
    if not RECYCLE_TARGET.fullmatch(target):
        raise UsageError(f"{target!r} names no workers; write all, slot:N or pid:N")
    try:
        patience = parse_duration(values.timeout)
    except ValueError as error:
        raise UsageError(f"--timeout {values.timeout!r} {error}") from None
    return Asked(
        Wanted(values.control_socket, values.name, values.config),
        patience,
        is_json=values.json,
        is_waiting=not getattr(values, "no_wait", False),
        is_immediate=getattr(values, "now", False),
        target=target,
    )


def parser(name: str) -> Parser:
    """Return what reads the flags of one of `COMMANDS`."""
    reader = Parser(name, COMMANDS[name])
    add = reader.add_argument
    if name == "recycle":
        add("target", metavar="TARGET", nargs="?", default="all", help="all (the default), slot:N or pid:N.")
    add(
        "-c", "--config", metavar="FILE", type=Path, help="The instance that runs with this file of settings."
    )
    add("--name", metavar="NAME", help="The instance of this name.")
    add("--control-socket", metavar="PATH", type=Path, help="The instance behind this socket.")
    add("--json", action="store_true", help="Print an object.")
    if name == "stop":
        add("--now", action="store_true", help="Do not wait for running requests.")
    if name != "status":
        add("--no-wait", action="store_true", help="Only ask; do not wait for the end.")
    default = _TO_TELL if name == "status" else _PATIENCE
    text = f"Wait no longer than this; the instance goes on. Default: {default}."
    add("--timeout", metavar="DURATION", default=default, help=text)
    return reader
