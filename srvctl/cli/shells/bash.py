"""The script for bash; it needs no bash-completion. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.cli.shells.offers import (
    NOTE,
    argument_words,
    takes_directories,
    takes_files,
    words_of,
)
from srvctl.cli.surface import GENERAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.cli.surface import Command, Flag


def bash(commands: Sequence[Command]) -> str:
    """Return the script for bash; it needs no bash-completion."""
    shared = _shared(commands)
    cases = "\n".join(
        f"        {command.name}) flags={_quoted(_flag_words(command, shared))}"
        f" words={_quoted(' '.join(argument_words(command)))} ;;"
        for command in commands
    )
    return _BASH.format(
        note=NOTE,
        commands=" ".join(command.name for command in commands),
        shared=" ".join(shared),
        cases=cases,
        values=_bash_values(commands),
    )


def _shared(commands: Sequence[Command]) -> list[str]:
    """Return the flags of settings, which several commands have; written once, the script is a third."""
    return [
        name
        for command in commands
        if command.name == "run"
        for flag in command.flags
        if flag.section != GENERAL
        for name in flag.names
    ]


def _flag_words(command: Command, shared: Sequence[str]) -> str:
    names = [name for flag in command.flags for name in flag.names]
    if set(shared) <= set(names):
        return " ".join(["$shared", *(name for name in names if name not in shared)])
    return " ".join(names)


def _bash_values(commands: Sequence[Command]) -> str:
    """Return a case for each way in which values are completed, with the flags of it."""
    ways: dict[str, str] = {}
    for flag in (flag for command in commands for flag in command.flags if flag.metavar):
        for name in flag.names:
            ways.setdefault(name, _bash_way(flag))  # run comes first, and knows most of a flag of this name
    by_way: dict[str, list[str]] = {}
    for name, way in ways.items():
        by_way.setdefault(way, []).append(name)
    return "\n".join(f"        {'|'.join(names)}) {way} ;;" for way, names in by_way.items())


def _bash_way(flag: Flag) -> str:
    words = words_of(flag)
    if takes_files(flag) or takes_directories(flag):
        kind = "-f" if takes_files(flag) else "-d"
        lines = "\\n".join(words)
        beside = f" -W $'{lines}'" if words else ""
        # Names may have blanks in them; lines are what divides the words as well, then.
        generated = f'$(compgen {kind}{beside} -- "$cur")'
        return f"IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=({generated}); return"
    if words:
        return f'COMPREPLY=($(compgen -W {_quoted(" ".join(words))} -- "$cur")); return'
    return "return"  # anything: nothing can be offered


def _quoted(text: str) -> str:
    return f'"{text}"'


_BASH: Final = """\
{note}
# shellcheck shell=bash disable=SC2207 # nothing that is offered has blanks in it but names of files
_srvctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command=run flags= words= name
    local commands="{commands}"
    local shared="{shared}"
    local IFS=$' \\t\\n'
    COMPREPLY=()
    # readline has --flag=value as three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for name in $commands; do
        if [[ $name == "${{COMP_WORDS[1]}}" ]]; then command=$name; fi
    done
    case $command in
{cases}
    esac
    case $prev in
{values}
    esac
    if [[ $cur == -* ]]; then
        if [[ $COMP_CWORD == 1 ]]; then flags="$flags --help --version"; fi
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
        return
    fi
    if [[ $COMP_CWORD == 1 ]]; then words=$commands; fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    if [[ $command == run && $prev != : ]]; then
        # An application begins with its module, and there is more to type behind it.
        for name in "$cur"*.py; do
            if [[ -f $name ]]; then COMPREPLY+=("${{name%.py}}:"); fi
        done
    fi
    if [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *: ]]; then compopt -o nospace 2>/dev/null; fi
}}
complete -F _srvctl srvctl
"""
