"""``srvctl program``: what runs beside the workers of an instance, and what can be done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked
from srvctl.cli.commands.status import show_status
from srvctl.cli.mistakes import no_action
from srvctl.cli.status_text import program_table
from srvctl.cli.values import programs
from srvctl.errors import ExitCode, UsageError, printable
from srvctl.ipc.control import Command, Done, Request

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from srvctl.cli.parsing import Parser

_LIST: Final = "list"
_VERBS: Final = ("start", "stop", "restart")
_ACTION_HELP: Final = (
    "list prints them (the default); start, stop and restart do that to one, and wait until it is done. One "
    "that was stopped stays so until it is started, or the instance is."
)


def declare(parser: Parser) -> None:
    """Add the flags."""
    add = parser.add_argument
    add("action", metavar="list|start|stop|restart", nargs="?", default=_LIST, help=_ACTION_HELP)
    add("program", metavar="NAME", nargs="?", help="Which one; NAME:N is one of several processes of it.")
    asking.declare_waiting(parser)


def carry_out(values: Namespace) -> ExitCode:
    """List the programs, or have something done to one.

    Raises:
        UsageError: There is no such action, or it is not said to which program.
    """
    action, name = values.action, values.program
    if action == _LIST:
        if name is not None:
            raise UsageError(
                f"srvctl program list lists all of them; {printable(name)} is one argument too many"
            )
        return show_status(Asked.read(values), _table, programs)
    if action not in _VERBS:
        raise UsageError(no_action("program", action, (_LIST, *_VERBS)))
    if name is None:
        raise UsageError(f"srvctl program {action}: say which one; srvctl program list shows them")
    return _act(Asked.read(values), action, name)


def _act(asked: Asked, verb: str, name: str) -> ExitCode:
    request = Request(Command.PROGRAM, {"verb": verb, "name": name})
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        if asked.is_waiting:
            return answer.end(asking.end_of(master, request, asked.patience, answer.progress))
        master.connection.tell(request)
        return answer.end(Done(ok=True, message=f"Asked {master} to {verb} program {printable(name)}."))


def _table(status: Mapping[str, Any]) -> str:
    return (
        "\n".join(program_table(status)) if programs(status) else "no programs ([[program]] of the settings)"
    )
