"""``srvctl upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.cli import asking
from srvctl.cli.asking import Asked
from srvctl.ipc.control import Command, Request

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser
    from srvctl.errors import ExitCode


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_waiting(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Have the srvctl that is installed now take over."""
    return asking.carry_out(Asked.read(values), Request(Command.UPGRADE))
