"""The commands that need no settings, without those that do: these take half a second to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.cli.control import COMMANDS
from srvctl.cli.invoking import new_commands, outcome
from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence


def invoke(argv: Sequence[str]) -> ExitCode:
    """Carry out a command line that begins with one of `COMMANDS`, and return the exit code."""
    commands = new_commands()
    for command in COMMANDS.values():
        commands.command()(command)
    return ExitCode(outcome(commands, argv) or ExitCode.OK)
