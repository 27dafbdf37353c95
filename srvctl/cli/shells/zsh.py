"""The script for zsh, to be sourced or to be found in ``fpath``. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.cli.shells.offers import (
    NOTE,
    argument_words,
    summary,
    takes_directories,
    takes_files,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.cli.surface import Command, Flag


def zsh(commands: Sequence[Command]) -> str:
    """Return the script for zsh, to be sourced or to be found in ``fpath``."""
    described = "\n".join(
        f"        '{command.name}:{_zsh_text(summary(command.help))}'" for command in commands
    )
    cases = "\n".join(_zsh_case(command) for command in commands)
    return _ZSH.format(note=NOTE, described=described, cases=cases)


def _zsh_case(command: Command) -> str:
    specs = [f"            {_zsh_flag(flag, name)}" for flag in command.flags for name in flag.names]
    words = argument_words(command)
    if command.name in {"run", "check"}:
        specs.append("            '1:application:_srvctl_modules'")
    elif words:
        specs.append(f"            '1:word:({' '.join(words)})'")
    return f"        {command.name}) _arguments -s -S \\\n" + " \\\n".join(specs) + " ;;"


def _zsh_flag(flag: Flag, name: str) -> str:
    others = "*" if flag.is_repeatable else f"({' '.join(flag.names)})"
    text = f"[{_zsh_text(summary(flag.help))}]"
    if not flag.metavar:
        return f"'{others}{name}{text}'"
    joined = "=" if name.startswith("--") else ""
    return f"'{others}{name}{joined}{text}:{_zsh_text(flag.metavar)}:{_zsh_way(flag)}'"


def _zsh_way(flag: Flag) -> str:
    words = " ".join(words_of(flag))
    if takes_files(flag):
        return "_files"
    if takes_directories(flag):
        return "_files -/"
    return f"({words})" if words else " "


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


_ZSH: Final = """\
#compdef srvctl
{note}
_srvctl_modules() {{
    compadd -S : -- *.py(N:r)
}}

_srvctl() {{
    local -a commands=(
{described}
    )
    local command=run
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        _describe command commands
        _srvctl_modules
        return
    fi
    if [[ -n ${{commands[(r)$words[2]:*]}} ]]; then
        command=$words[2]
        shift words
        (( CURRENT-- ))
    fi
    case $command in
{cases}
    esac
}}

if [[ $funcstack[1] == _srvctl ]]; then
    _srvctl "$@"
else
    compdef _srvctl srvctl
fi
"""
