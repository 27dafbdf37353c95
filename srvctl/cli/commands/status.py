"""``srvctl status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking
from srvctl.cli.answer import Answer, print_json
from srvctl.cli.asking import Asked
from srvctl.cli.printing import show
from srvctl.cli.status_text import as_text
from srvctl.cli.weighing import Scales, weighed
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Done, Request

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

    from srvctl.cli.parsing import Parser

#: Seconds for the memory of all workers: nobody waits for a status longer than a moment.
_TO_WEIGH: Final = 0.1


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Print how an instance and its workers are."""
    return show_status(Asked.read(values), as_text, lambda status: status)


def show_status(
    asked: Asked,
    for_people: Callable[[Mapping[str, Any]], str],
    for_programs: Callable[[Mapping[str, Any]], Any],
) -> ExitCode:
    """Ask an instance how it is, and print something of the answer.

    Args:
        asked: What the user says.
        for_people: Makes a text of it.
        for_programs: Makes of it what is printed as JSON.
    """
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        done: Done = asking.end_of(master, Request(Command.STATUS), asked.patience, answer.progress)
        if not done.ok:
            return answer.end(done)
        status = weighed(done.data, master, Scales(), _TO_WEIGH)
        if asked.is_json:
            print_json(for_programs(status))
        else:
            show(for_people(status))
        return ExitCode.OK
