"""``srvctl scale``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.cli import asking
from srvctl.cli.asking import Asked
from srvctl.errors import UsageError
from srvctl.ipc.control import Command, Request

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser
    from srvctl.errors import ExitCode

_NUMBER: Final = re.compile(r"(?P<sign>[+-]?)(?P<digits>[0-9]{1,6})", re.ASCII)


def declare(parser: Parser) -> None:
    """Add the flags."""
    text = "How many there are to be, or how many more (+1) or fewer (-1)."
    parser.add_argument("number", metavar="N|+N|-N", help=text)
    asking.declare_waiting(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Have another number of workers, and wait until they are there and others are gone."""
    return asking.carry_out(Asked.read(values), Request(Command.SCALE, wish(values.number)))


def wish(text: str) -> dict[str, int]:
    """Return what a master is asked for.

    Raises:
        UsageError: The text is no number of workers.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or not int(match["digits"]):
        raise UsageError(
            f"{text!r} is no number of workers; write 4 to have four, +1 for one more, -1 for one less"
        )
    amount = int(match["digits"])
    if not match["sign"]:
        return {"count": amount}
    return {"change": -amount if match["sign"] == "-" else amount}
