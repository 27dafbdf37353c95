"""How help looks: flags under the headings of their groups, a line each where it fits, with its default.

Pure, but for the width of the terminal, which is an argument. Called by the commands that typer reads
(`srvctl.cli.invoking`); the others have the help of argparse.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from srvctl.cli.surface import Command, Flag

#: What srvctl is for.
INTRO: Final = "Serve an ASGI or WSGI application and supervise its workers."
_SMALLEST: Final = 50
#: Longer lines are hard to read, however wide the terminal is.
_LARGEST: Final = 110
_WIDEST_NAME: Final = 24

_NOTE: Final = (
    "Each setting can also be given in a file, srvctl.toml or srvctl.yaml, and in the environment as "
    "SRVCTL_<GROUP>__<KEY>, or by uvicorn's name UVICORN_<NAME>. `srvctl check` with the same flags prints "
    "every value and where it came from."
)


def command_help(command: Command, columns: int, emphasized: Callable[[str], str] = str) -> str:
    """Return the help of one command.

    Args:
        command: The command.
        columns: Width of the terminal.
        emphasized: Makes a heading stand out.
    """
    width = _width(columns)
    parts = [_wrapped(f"Usage: srvctl {command.usage}", width, 2), _wrapped(command.help, width)]
    if command.arguments:
        parts.append(_table([(metavar.strip("[]"), text) for metavar, text in command.arguments], width))
    sections = command.sections()
    rows = {section: [(flag.spelling, flag.help) for flag in flags] for section, flags in sections.items()}
    for section, text in _tables(rows, width).items():
        parts.append(f"{emphasized(section if len(sections) > 1 else 'Options')}:\n{text}")
    if len(sections) > 1:
        parts.append(_wrapped(_NOTE, width))
    return "\n\n".join(parts) + "\n"


def overview(
    intro: str,
    commands: Iterable[Command],
    flags: Iterable[Flag],
    columns: int,
    emphasized: Callable[[str], str] = str,
) -> str:
    """Return the help of ``srvctl`` itself: every command under the heading of its kind.

    Args:
        intro: What srvctl is for.
        commands: All of them, in order.
        flags: Those of ``srvctl`` itself.
        columns: Width of the terminal.
        emphasized: Makes a heading stand out.
    """
    width = _width(columns)
    sections: dict[str, list[tuple[str, str]]] = {}
    for command in commands:
        summary = command.help.partition("\n")[0]
        sections.setdefault(command.section, []).append((command.name, summary))
    sections["Options"] = [(flag.spelling, flag.help) for flag in flags]
    parts = [
        "Usage: srvctl COMMAND [OPTIONS]\n       srvctl APP [OPTIONS]        the same as srvctl run APP",
        _wrapped(intro, width),
        *(f"{emphasized(section)}:\n{text}" for section, text in _tables(sections, width).items()),
        _wrapped("`srvctl COMMAND --help` says more about one; `man srvctl` has everything.", width),
    ]
    return "\n\n".join(parts) + "\n"


def _width(columns: int) -> int:
    return min(max(columns, _SMALLEST), _LARGEST) - 1  # a full last column makes some terminals wrap


def _tables(sections: Mapping[str, Sequence[tuple[str, str]]], width: int) -> dict[str, str]:
    """Return a table for each section, with their columns in line."""
    names = [name for rows in sections.values() for name, _ in rows]
    return {section: _table(rows, width, names) for section, rows in sections.items()}


def _table(rows: Sequence[tuple[str, str]], width: int, names: Sequence[str] = ()) -> str:
    """Return two columns; a name that is too wide has a line of its own."""
    name_width = min(max(map(len, (*names, *(name for name, _ in rows)))), _WIDEST_NAME)
    indent = name_width + 4
    lines = []
    for name, text in rows:
        head = f"  {name:<{name_width}}  "
        body = _wrapped(text, width, indent, head if len(head) == indent else " " * indent)
        lines.append(body if len(head) == indent else f"  {name}\n{body}".rstrip())
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, width: int, indent: int = 0, first: str = "") -> str:
    # A flag that is broken at one of its hyphens cannot be found, nor copied.
    return fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
