"""Puts what was taken over through srvctl's own loader, so that the file that comes of it is always valid.

What the loader refuses is left out and becomes something to look at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from srvctl.errors import SrvctlError
from srvctl.settings.catalog import Kind, Setting, catalog, program_catalog
from srvctl.settings.display import format_value
from srvctl.settings.load import load
from srvctl.settings.programs import read_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.migrate.result import Migration


@dataclass(frozen=True, slots=True)
class ProgramEntry:
    """A table of the file.

    Attributes:
        name: What it is called.
        values: What it says otherwise than by default, as the file has it.
        origin: Where it came from.
    """

    name: str
    values: Mapping[str, object]
    origin: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file.

    Attributes:
        setting: Which.
        value: As the file has it: a duration or size is a text with its unit.
        origin: Where it came from.
        is_default: It is srvctl's default, so the file can do without it.
    """

    setting: Setting
    value: object
    origin: str
    is_default: bool


def checked(migration: Migration) -> list[Entry]:
    """Return what was taken over, in the order of the declarations.

    Args:
        migration: What the loader refuses is dropped from it, and told in it.
    """
    for key, taken in list(migration.taken.items()):
        if problem := _problem({key: taken.value}):
            _drop(key, problem, migration)
    while problem := _problem({key: taken.value for key, taken in migration.taken.items()}):
        _drop(_culprit(migration), problem, migration)
    settings = load({key: taken.value for key, taken in migration.taken.items()}, {}, None).settings
    return [
        _entry(setting, attrgetter(key)(settings), migration.taken[key].origin)
        for key, setting in catalog().items()
        if key in migration.taken
    ]


def checked_programs(migration: Migration) -> list[ProgramEntry]:
    """Return the programs that were taken over, in their order.

    Args:
        migration: What the loader refuses is told in it: a value is left out, or a program that has no name
            or no command then.
    """
    found: dict[str, ProgramEntry] = {}
    for taken in migration.programs:
        read = read_program(taken.values)
        for key, why in read.wrong.items():
            migration.ask(f"{taken.origin} {key}", f"cannot be taken over: {why}")
        settings = read.settings
        if settings is None or settings.name in found:
            migration.ask(taken.origin, "was left out: it has no name or command of its own")
            continue
        if settings.environment:
            migration.ask(taken.origin, "the values of its variables are in the file: see who may read it")
        values = {
            key: _written(setting, getattr(settings, key))
            for key, setting in program_catalog().items()
            if getattr(settings, key) != setting.default
        }
        found[settings.name] = ProgramEntry(settings.name, values, taken.origin)
    return list(found.values())


def _culprit(migration: Migration) -> str:
    """Return what to leave out of settings that are right by themselves and cannot be together."""
    values = {key: taken.value for key, taken in migration.taken.items()}
    for key in reversed(values):
        if not _problem({other: value for other, value in values.items() if other != key}):
            return key
    return next(reversed(values))  # several conflicts: one less will do for this time


def _drop(key: str, problem: str, migration: Migration) -> None:
    taken = migration.taken.pop(key)
    migration.ask(taken.origin, f"cannot be taken over: {problem}")


def _problem(values: Mapping[str, object]) -> str:
    """Return why the loader refuses some values; nothing if it does not."""
    try:
        json.dumps(list(values.values()), ensure_ascii=False, default=str).encode()  # as the file will be
        load(values, {}, None)
    except UnicodeEncodeError:
        return "it holds bytes that are no text"
    except SrvctlError as error:
        return str(error).partition("\n")[0]
    return ""


def _entry(setting: Setting, value: object, origin: str) -> Entry:
    return Entry(setting, _written(setting, value), origin, value == setting.default)


def _written(setting: Setting, value: object) -> object:
    """Return a value as a file has it."""
    if setting.kind in {Kind.DURATION, Kind.SIZE}:
        return format_value(setting, value)
    return list(value) if isinstance(value, tuple) else value
