"""``srvctl`` alone, ``srvctl --help`` and ``srvctl --version``: at once, without loading any command.

Prints what `srvctl.cli.invoking` would print after half a second of imports, from what is generated.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from srvctl import __version__
from srvctl.cli.helping import INTRO, overview
from srvctl.cli.printing import show, terminal_width
from srvctl.cli.summaries import COMMANDS, FLAGS
from srvctl.cli.surface import Command, Flag, section_of
from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence


def invoke(argv: Sequence[str]) -> ExitCode:
    """Print the version if that comes first, else the overview; none of its words is a usage error."""
    if argv[:1] == ["--version"]:
        show(f"srvctl {__version__}")
        return ExitCode.OK
    show(text(terminal_width(), is_terminal=sys.stdout.isatty()))
    return ExitCode.OK if argv else ExitCode.USAGE


def text(columns: int, *, is_terminal: bool) -> str:
    """Return the overview of all commands.

    Args:
        columns: Width of the terminal.
        is_terminal: Headings may stand out.
    """
    commands = [Command(name, summary, section_of(name), ()) for name, summary in COMMANDS.items()]
    flags = [Flag((names,), "", summary) for names, summary in FLAGS.items()]
    return overview(INTRO, commands, flags, columns, _bold if is_terminal else str).rstrip("\n")


def _bold(heading: str) -> str:
    return f"\x1b[1m{heading}\x1b[0m"  # ECMA-48, 8.3.117
