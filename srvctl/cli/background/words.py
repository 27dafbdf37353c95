"""Writes the flags that were given again, as words of ``srvctl run``. Pure."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from srvctl.cli.shorthand import spelled_out
from srvctl.settings.catalog import catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_TARGET: Final = "app.target"
#: What the program is called, as it is installed and in its package.
_SCRIPTS: Final = frozenset({"srvctl", "__main__.py"})


def words_of(given: Mapping[str, object], config: os.PathLike[str] | None) -> list[str]:
    """Return words from which ``run`` reads the same.

    Args:
        given: The values of the flags that were given, by dotted key, as typed.
        config: The file of settings, if one was given.
    """
    target = given.get(_TARGET)
    flags = [word for key, value in given.items() if key != _TARGET for word in _flag(key, value)]
    if config is not None:
        flags.append(f"--config={os.fspath(config)}")
    if target is None:
        return flags
    # What begins with a hyphen is no flag behind two of them.
    return [*flags, "--", str(target)] if str(target).startswith("-") else [str(target), *flags]


def _flag(key: str, value: object) -> Iterator[str]:
    setting = catalog()[key]
    on, off = setting.flags
    if setting.is_switch:
        yield on if value else off
        return
    values: Iterable[object] = value if isinstance(value, (list, tuple)) else [value]
    for item in values:
        yield f"{on}={item}"  # in one word: a value may begin with a hyphen


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
