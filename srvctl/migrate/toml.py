"""Writes the file. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from srvctl.errors import printable
from srvctl.settings.catalog import PROGRAM, groups, title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.migrate.checked import Entry, ProgramEntry

_HEAD: Final = """\
# Made by srvctl migrate from {source}.
# Whatever is not here has srvctl's default; srvctl check -c FILE shows all values.
"""
_WIDEST: Final = 60


def toml(entries: Iterable[Entry], source: str, programs: Iterable[ProgramEntry] = ()) -> str:
    """Return a configuration file.

    Args:
        entries: Defaults among them are left out.
        source: What it was made from, for the comment at its top.
        programs: Processes beside the server.
    """
    written = [entry for entry in entries if not entry.is_default]
    parts = [_HEAD.format(source=printable(source))]
    for group in groups():
        lines = [_line(entry) for entry in written if entry.setting.group == group]
        if lines:
            parts.append(f"\n[{group}]  # {title(group)}\n{''.join(lines)}")
    parts += [_program(program) for program in programs]
    return "".join(parts)


def _program(program: ProgramEntry) -> str:
    lines = [f"{key} = {literal(value)}\n" for key, value in program.values.items()]
    return f"\n[[{PROGRAM}]]  # {printable(program.origin)}\n{''.join(lines)}"


def literal(value: object) -> str:
    """Return a value as TOML: JSON means the same there, but that DEL has to be escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(entry: Entry) -> str:
    assignment = f"{entry.setting.name} = {literal(entry.value)}"
    comment = f"# {printable(entry.origin)}"
    if len(assignment) > _WIDEST:
        return f"{comment}\n{assignment}\n"
    return f"{assignment}  {comment}\n"
