"""Reads the flags of commands that must start fast with argparse; mistakes are told as everywhere else."""

from __future__ import annotations

from argparse import ArgumentParser, HelpFormatter, Namespace
from typing import TYPE_CHECKING, NoReturn

from srvctl.cli.mistakes import no_flag, too_many
from srvctl.cli.printing import terminal_width
from srvctl.errors import UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Formatter(HelpFormatter):
    """argparse's, which would load `shutil` to learn the width, and makes one for every flag."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=max(terminal_width() - 2, 11))  # as narrow as argparse can do


class Parser(ArgumentParser):
    """Reads the words behind one command.

    Args:
        name: The command.
        text: What it is for.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(
            prog=f"srvctl {name}", description=text, allow_abbrev=False, formatter_class=_Formatter
        )
        self._name = name

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UsageError: Always.
        """
        raise UsageError(printable(message))

    def read(self, words: Sequence[str]) -> Namespace:
        """Return the values; print help and end if that is asked for.

        Raises:
            UsageError: A flag is unknown or has a wrong value, or there is a word too many.
        """
        values, further = self.parse_known_args(words)
        flags = [word for word in further if word.startswith("-")]
        if flags:
            raise UsageError(printable(no_flag(self._name, flags[0], self._option_string_actions)))
        if further:
            raise UsageError(printable(too_many(self._name, None, further)))
        return values
