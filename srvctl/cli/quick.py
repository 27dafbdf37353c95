"""The commands for instances that run: which there are, and how one is called.

They are read with argparse: typer and the pydantic that it loads would take longer than everything else
together, and scripts, service managers and people in a hurry call these. Each is a module of
`srvctl.cli.commands`, loaded when it is called. `srvctl.cli.app` lists them.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, cast

from srvctl.cli.parsing import Parser
from srvctl.cli.report import report
from srvctl.errors import ExitCode, SrvctlError
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

#: What is offered, with the sentence that says what it is for.
COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "status": "Print how an instance and its workers are.",
        "ls": "List the instances that run.",
        "top": "Watch an instance on the whole screen.",
        "reload": "Replace every worker by one that runs what is on disk now.",
        "stop": "Answer what was begun, then end the instance.",
        "restart": "Stop an instance that was started in the background, and start it again.",
        "upgrade": "Replace the master, in place, by the srvctl installed now.",
        "recycle": "Replace workers by new ones of the same code and settings.",
        "scale": "Have another number of workers.",
        "worker": "List the workers; replace, stop or kill one, or print its stacks.",
        "program": "List what runs beside the workers; start, stop or restart one.",
        "logs": "Print the last lines of the log, and those that follow.",
        "events": "Print what has happened, and what happens.",
        "healthcheck": "Tell by the exit code whether an instance is ready.",
    }
)


class _Module(Protocol):
    def declare(self, parser: Parser) -> None: ...

    def carry_out(self, values: Namespace) -> ExitCode: ...


def invoke(argv: Sequence[str]) -> ExitCode:
    """Carry out a command line that begins with one of `COMMANDS`, and report what is wrong with it."""
    name, *words = argv
    try:
        return _module(name).carry_out(parser(name).read(words))
    except SrvctlError as error:
        report(str(error))
        return error.exit_code
    except SystemExit:  # help was printed
        return ExitCode.OK
    finally:
        flush()


def parser(name: str) -> Parser:
    """Return what reads the flags of one of `COMMANDS`."""
    reader = Parser(name, COMMANDS[name])
    _module(name).declare(reader)
    return reader


def _module(name: str) -> _Module:
    return cast("_Module", import_module(f"srvctl.cli.commands.{name}"))
