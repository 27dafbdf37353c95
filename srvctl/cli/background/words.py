"""Takes the command line of a srvctl apart: what is run, and what it is told. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from srvctl.cli.shorthand import spelled_out

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the program is called, as it is installed and in its package.
_SCRIPTS: Final = frozenset({"srvctl", "__main__.py"})


def program_of(original: Sequence[str], arguments: Sequence[str], executable: str) -> list[str]:
    """Return what comes before the command in the command line of this very program.

    Args:
        original: `sys.orig_argv`: the interpreter, its flags, the program, what it was given.
        arguments: What the program was given: `sys.argv` without its first word.
        executable: `sys.executable`, since the first word of all may be a name to be searched for.
    """
    return [executable, *original[1 : len(original) - len(arguments)]]


def arguments_of(command_line: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return, of the command line of a master, the program and the words behind ``run``.

    Raises:
        ValueError: It is not that of a srvctl.
    """
    words = list(command_line)
    for at, word in enumerate(words[1:], 1):
        is_module = words[at - 1] == "-m" and word == "srvctl"
        if is_module or PurePath(word).name in _SCRIPTS:
            behind = spelled_out(words[at + 1 :])
            if behind[:1] == ["run"]:
                return words[: at + 1], behind[1:]
    raise ValueError(f"{' '.join(words[:4])!r} is not how srvctl serves")
