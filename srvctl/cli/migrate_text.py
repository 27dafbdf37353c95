"""What ``srvctl migrate`` prints: what was taken over, is different, is missing, or needs a person."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Final

from srvctl.errors import printable
from srvctl.migrate.toml import literal
from srvctl.settings.keeping import shown_of_program
from srvctl.settings.layer import program_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srvctl.migrate.checked import Entry, ProgramEntry
    from srvctl.migrate.result import Migration

_WIDTH: Final = 100


def as_text(
    migration: Migration, entries: Sequence[Entry], path: str, programs: Sequence[ProgramEntry] = ()
) -> str:
    """Return the report.

    Args:
        migration: What came of reading.
        entries: What was taken over.
        path: The file that was written; empty for none.
        programs: Processes beside the server that were taken over.
    """
    taken = [_taken(entry) for entry in entries]
    taken += [
        f"{program_label(one.name, 0)} = {literal(one.values['command'])}  ({one.origin})" for one in programs
    ]
    different = [
        f"{d.what}\n    before  {d.before}\n    now     {d.now}\n    why     {d.why}"
        for d in migration.different
    ]
    missing = [f"{m.what}: {m.why}" for m in migration.missing]
    attention = [f"{a.what}: {a.why}" for a in migration.attention]
    parts = [
        _section("Taken over", taken),
        _section("Means something different", different),
        _section("Has no counterpart", missing),
        _section("Needs you", attention),
    ]
    if path:
        parts.append(f"Written to {printable(path)}. Next:\n  srvctl check -c {path}\n  srvctl run -c {path}")
    return "\n\n".join(part for part in parts if part)


def as_json(
    migration: Migration, entries: Sequence[Entry], path: str, programs: Sequence[ProgramEntry] = ()
) -> str:
    """Return the same as an object."""
    return json.dumps(
        {
            "server": migration.server,
            "file": path or None,
            "settings": {
                entry.setting.key: {
                    "value": entry.value,
                    "origin": entry.origin,
                    "written": not entry.is_default,
                }
                for entry in entries
            },
            "programs": [{"value": _shown(program.values), "origin": program.origin} for program in programs],
            "different": [asdict(entry) for entry in migration.different],
            "missing": [asdict(entry) for entry in migration.missing],
            "attention": [asdict(entry) for entry in migration.attention],
        },
        indent=2,
    )


def _shown(values: Mapping[str, object]) -> dict[str, object]:
    """Return the values of a program as anybody may see them."""
    return {key: shown_of_program(key, value) for key, value in values.items()}


def _taken(entry: Entry) -> str:
    default = ", which is the default" if entry.is_default else ""
    return f"{entry.setting.key} = {literal(entry.value)}  ({entry.origin}{default})"


def _section(heading: str, items: Iterable[str]) -> str:
    lines = [_wrapped(line) for item in items for line in item.split("\n")]
    return "\n".join([heading, *lines]) if lines else ""


def _wrapped(line: str) -> str:
    indent = "  " if not line.startswith(" ") else line[: len(line) - len(line.lstrip())]
    hanging = " " * (12 if line.startswith(" ") else 4)
    return fill(
        printable(line.strip()),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
