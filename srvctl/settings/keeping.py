"""Settings that outlive the program that read them: written by one version of srvctl, kept by another.

`flat` is for the master. `kept` validates, so it loads pydantic and is for a short-lived child (ADR 2).
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from srvctl.settings.catalog import PROGRAM, catalog, program_catalog
from srvctl.settings.layer import program_label
from srvctl.settings.option import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.groups import ProgramSettings, Settings

#: Stands for a secret that is set.
HIDDEN: Final = "(hidden)"


def flat(settings: Settings) -> dict[str, Any]:
    """Return every value by its dotted key, and the programs as a list of tables, as JSON."""
    values: dict[str, Any] = {key: attrgetter(key)(settings) for key in catalog()}
    values[PROGRAM] = [_table(program) for program in settings.program]
    return values


def _table(program: ProgramSettings) -> dict[str, Any]:
    return {key: getattr(program, key) for key in program_catalog()}


def shown(settings: Settings) -> dict[str, Any]:
    """Return what `flat` does, as JSON that anybody may see who may see the instance."""
    secrets = {key for key, setting in catalog().items() if setting.option.is_secret}
    found = flat(settings)
    values = {key: HIDDEN if key in secrets and value else value for key, value in found.items()}
    values[PROGRAM] = [
        {key: shown_of_program(key, value) for key, value in table.items()} for table in found[PROGRAM]
    ]
    return values


def shown_of_program(key: str, value: Any) -> Any:
    """Return a value of a program as anybody may see it: of variables, only the names.

    Args:
        key: In the table.
        value: Valid for it.
    """
    if not program_catalog()[key].option.is_secret:
        return value
    return tuple(f"{entry.partition('=')[0]}={HIDDEN}" for entry in value)


def in_force(found: Settings, at_start: Settings) -> Settings:
    """Return what a reload brings: what was found, but what needs a restart as it was at the start.

    Programs are as they were found: a reload adds, changes and removes them.
    """
    restart = [key for key, setting in catalog().items() if setting.option.change is Change.RESTART]
    return _with(found, {key: attrgetter(key)(at_start) for key in restart})


def kept(values: Mapping[str, Any], current: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that were, and sentences about what is otherwise by now.

    What the values do not name, or name in a way that is not understood any more, is as it is now.

    Args:
        values: What `flat` returned.
        current: As they are read now.
    """
    from srvctl.settings.model import validate  # noqa: PLC0415 - imports pydantic

    typed, wrong = validate({key: value for key, value in values.items() if key in catalog()})
    notes = [f"{key} cannot be kept as it was; it is as it is read now." for key in wrong]
    changed = [key for key, value in typed.items() if value != attrgetter(key)(current)]
    program, more = _kept_programs(values, current)
    notes += more
    told = [*changed, *([PROGRAM] if program != current.program else [])]
    if told:
        notes.append(f"Settings have changed; a reload brings the new ones: {', '.join(told)}.")
    return replace(_with(current, {key: typed[key] for key in changed}), program=program), tuple(notes)


def _kept_programs(
    values: Mapping[str, Any], current: Settings
) -> tuple[tuple[ProgramSettings, ...], list[str]]:
    tables = values.get(PROGRAM)
    if not isinstance(tables, list):  # of a version that has none
        return current.program, []
    found: list[ProgramSettings] = []
    notes: list[str] = []
    now = {program.name: _table(program) for program in current.program}
    for table in tables:
        program = _kept_program(table, now, notes) if isinstance(table, dict) else None
        if program is None:
            notes.append("A program cannot be kept as it was; it is left out until the next reload.")
        else:
            found.append(program)
    return tuple(found), notes


def _kept_program(
    table: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]], notes: list[str]
) -> ProgramSettings | None:
    from srvctl.settings.programs import read_program  # noqa: PLC0415 - imports pydantic

    read = read_program({key: value for key, value in table.items() if key in program_catalog()})
    name = read.values.get("name")
    for key in read.wrong:
        if key in table and name is not None:
            notes.append(f"{program_label(name, 0)}.{key} cannot be kept as it was; it is as it is read now.")
        if key in now.get(str(name), {}):
            read.values[key] = now[str(name)][key]
    return read.settings


def _with(settings: Settings, values: Mapping[str, object]) -> Settings:
    groups: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        groups.setdefault(catalog()[key].group, {})[catalog()[key].name] = value
    changed = {group: replace(getattr(settings, group), **found) for group, found in groups.items()}
    return replace(settings, **changed)
