"""Puts what was taken over through srvctl's own loader, so that the file that comes of it is always valid.

What the loader refuses is left out and becomes something to look at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from srvctl.errors import SrvctlError
from srvctl.settings.catalog import Kind, Setting, catalog
from srvctl.settings.display import format_value
from srvctl.settings.load import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.migrate.result import Migration


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
    written = value
    if setting.kind in {Kind.DURATION, Kind.SIZE}:
        written = format_value(setting, value)
    elif isinstance(value, tuple):
        written = list(value)
    return Entry(setting, written, origin, value == setting.default)
