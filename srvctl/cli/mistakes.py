"""What is wrong with a command line that cannot be read, in one line, and what was probably meant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def no_flag(command: str, written: str, known: Iterable[str]) -> str:
    """Return the line about a flag that there is not.

    Args:
        command: The command; empty for ``srvctl`` itself.
        written: What was typed, with or without a value behind ``=``.
        known: The flags that there are.
    """
    name = written.partition("=")[0]
    if not command:
        return f"srvctl has no option {name} of its own; write it behind a command, which srvctl --help lists"
    program = f"srvctl {command}"
    names = list(known)
    meant = nearest(name, names) or next((flag for flag in names if flag.startswith(name)), None)
    hint = f"did you mean {meant}?" if meant else f"{program} --help lists those there are"
    return f"{program} has no option {name}; {hint}"


def wrong_use(flag: str, metavar: str, opposite: str = "") -> str:
    """Return the line about a flag without the value it needs, or with one that it does not take.

    Args:
        flag: The flag.
        metavar: What stands for its value; empty where it takes none.
        opposite: The flag that unsets it, if there is one.
    """
    if metavar:
        return f"{flag} needs a value: {flag} {metavar}"
    return f"{flag} takes no value; write {flag} {f'or {opposite}' if opposite else 'alone, or leave it out'}"


def no_command(written: str, known: Iterable[str]) -> str:
    """Return the line about a command that there is not, and that may be meant for an application."""
    meant = nearest(written, known)
    if meant:
        hint = f"did you mean {meant}?"
    elif written.endswith(".py") or "/" in written or "." in written:
        from srvctl.settings.checks import likely_target  # noqa: PLC0415 - quick commands do without

        hint = f"to serve it, write for example srvctl {likely_target(written)}"
    else:
        hint = "srvctl --help lists those there are; an application is written as module:attribute"
    return f"srvctl has no command {written or 'of no name'}; {hint}"


def no_action(command: str, written: str, known: Iterable[str]) -> str:
    """Return the line about a first word of a command that is none of those it takes."""
    words = list(known)
    meant = nearest(written, words)
    hint = f"did you mean {meant}?" if meant else f"there are {', '.join(words)}"
    return printable(f"srvctl {command} cannot {written}; {hint}")


def too_many(command: str, first: str | None, further: Sequence[str]) -> str:
    """Return the line about words that no argument takes.

    Args:
        command: The command.
        first: The application, if one was given before.
        further: The words that are left over.
    """
    if first and ":" in further[0]:
        return f"{first} and {further[0]} cannot be served by one instance; give one of the two"
    behind = f"; {first} is the application already" if first else ""
    return f"srvctl {command} takes no further argument, but there is {further[0]}{behind}"


def nearest(written: str, known: Iterable[str]) -> str | None:
    """Return the name that is most like what was written, if one is; the dashes of flags say nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - a command line that is right does without

    bare = {name.lstrip("-"): name for name in known}
    return next((bare[name] for name in get_close_matches(written.lstrip("-"), bare, n=1, cutoff=0.6)), None)
