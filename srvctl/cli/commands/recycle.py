"""``srvctl recycle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.cli import asking
from srvctl.cli.asking import Asked
from srvctl.errors import UsageError
from srvctl.ipc.control import RECYCLE_TARGET, Command, Request

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser
    from srvctl.errors import ExitCode


def declare(parser: Parser) -> None:
    """Add the flags."""
    text = "all (the default), slot:N or pid:N."
    parser.add_argument("target", metavar="TARGET", nargs="?", default="all", help=text)
    asking.declare_waiting(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Have workers replaced by new ones of the same code and settings.

    Raises:
        UsageError: The target names no workers.
    """
    if not RECYCLE_TARGET.fullmatch(values.target):
        raise UsageError(f"{values.target!r} names no workers; write all, slot:N or pid:N")
    return asking.carry_out(Asked.read(values), Request(Command.RECYCLE, {"target": values.target}))
