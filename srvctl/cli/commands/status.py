"""``srvctl status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.cli import asking
from srvctl.cli.answer import Answer, print_json
from srvctl.cli.asking import Asked
from srvctl.cli.printing import show
from srvctl.cli.status_text import as_text
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Request

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Print how an instance and its workers are."""
    asked = Asked.read(values)
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        done = asking.end_of(master, Request(Command.STATUS), asked.patience, answer.progress)
        if not done.ok:
            return answer.end(done)
        if asked.is_json:
            print_json(done.data)
        else:
            show(as_text(done.data))
        return ExitCode.OK
