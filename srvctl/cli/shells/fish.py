"""The script for fish. Pure."""

from __future__ import annotations

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


def fish(commands: Sequence[Command]) -> str:
    """Return the script for fish."""
    lines = [
        f"complete -c srvctl -n __srvctl_needs_command -a {command.name} -d {_fish_text(command.help)}"
        for command in commands
    ]
    owners: dict[Flag, list[str]] = {}
    for command in commands:
        for flag in command.flags:
            owners.setdefault(flag, []).append(command.name)
        if words := argument_words(command):
            lines.append(f"complete -c srvctl -n '__srvctl_is {command.name}' -a '{' '.join(words)}'")
    lines += [_fish_flag(flag, names) for flag, names in owners.items()]
    return _FISH.format(
        note=NOTE, commands=" ".join(command.name for command in commands), lines="\n".join(lines)
    )


def _fish_flag(flag: Flag, commands: Sequence[str]) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
    words = " ".join(words_of(flag))
    if not flag.metavar:
        way = ""
    elif takes_files(flag):
        way = " -r -F" + (f" -a '{words}'" if words else "")
    elif takes_directories(flag):
        way = " -x -a '(__fish_complete_directories)'"
    else:
        way = " -x" + (f" -a '{words}'" if words else "")
    return f"complete -c srvctl -n '__srvctl_is {' '.join(commands)}' {names}{way} -d {_fish_text(flag.help)}"


def _fish_text(text: str) -> str:
    return "'" + summary(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


_FISH: Final = """\
{note}
set -g __srvctl_commands {commands}

function __srvctl_needs_command
    test (count (commandline -opc)) -eq 1
end

function __srvctl_is
    set -l words (commandline -opc)
    set -l command run
    if set -q words[2]; and contains -- $words[2] $__srvctl_commands
        set command $words[2]
    end
    contains -- $command $argv
end

function __srvctl_modules
    for name in *.py
        echo (string replace -r '\\.py$' ':' $name)
    end
end

complete -c srvctl -f
complete -c srvctl -n '__srvctl_is run check' -a '(__srvctl_modules)'
{lines}
"""
