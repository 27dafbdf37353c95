"""Programs in the tables of settings: a row for each key, labelled as messages label it. Pure.

Called by ``srvctl check`` and ``srvctl config``; what a master of another version tells may be of any form.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from srvctl.errors import printable
from srvctl.settings.catalog import program_catalog
from srvctl.settings.display import format_value
from srvctl.settings.layer import DEFAULT, program_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.settings.layer import Origin
    from srvctl.settings.load import Loaded


def rows(tables: object) -> Iterator[tuple[str, str, Any]]:
    """Yield the label, the key and the value of each setting of each program.

    Args:
        tables: The programs, as `srvctl.settings.keeping.shown` returns them.
    """
    for position, table in enumerate(_tables(tables), 1):
        label = program_label(table.get("name"), position)
        yield from ((printable(f"{label}.{key}"), key, value) for key, value in table.items())


def is_default(key: str, value: object) -> bool:
    """Return whether a value, also one that was sent as JSON, is what a program has that does not say it."""
    setting = program_catalog().get(key)
    return setting is not None and _as_tuple(value) == setting.default


def written(key: str, value: object) -> str:
    """Return a value as a file has it, and a command as a shell has it."""
    setting = program_catalog().get(key)
    value = _as_tuple(value)
    try:
        if key == "command" and isinstance(value, tuple):
            return printable(shlex.join(value))
        return printable(str(value) if setting is None else format_value(setting, value))
    except (ArithmeticError, TypeError, ValueError):
        return printable(str(value))


def origins_of(loaded: Loaded) -> Iterator[Origin]:
    """Yield where each value is from, in the order of `rows`."""
    for origins in loaded.program_origins:
        yield from (origins[key] for key in program_catalog())


def as_entry(loaded: Loaded, tables: object) -> dict[str, Any]:
    """Return the programs as an entry beside those of settings: values, and where they are from.

    Args:
        loaded: The settings.
        tables: Their programs, as they may be seen.
    """
    first = next((one["name"] for one in loaded.program_origins), DEFAULT)
    return {
        "value": tables,
        "origin": str(first),
        "origins": [{key: str(origin) for key, origin in one.items()} for one in loaded.program_origins],
    }


def differences(before: object, after: object) -> Iterator[dict[str, Any]]:
    """Yield what a reload changes of programs: key, both values, and that it is obeyed at once.

    A program that is only on one side has no value on the other, and its command on this one.
    """
    old, new = _by_name(before), _by_name(after)
    for name in dict.fromkeys((*old, *new)):
        label = program_label(name, 0)
        if name in old and name in new:
            yield from (
                _difference(f"{label}.{key}", old[name][key], new[name][key])
                for key in program_catalog()
                if key in old[name] and key in new[name] and old[name][key] != new[name][key]
            )
        else:
            commands = [written("command", table[name].get("command")) if name in table else None
                        for table in (old, new)]  # fmt: skip
            yield _difference(label, *commands)


def _difference(key: str, running: object, on_disk: object) -> dict[str, Any]:
    change = program_catalog()["name"].option.change
    return {"key": key, "running": running, "on_disk": on_disk, "change": change.value}


def _by_name(tables: object) -> dict[str, Mapping[str, Any]]:
    return {str(table.get("name")): table for table in _tables(tables)}


def _tables(tables: object) -> list[Mapping[str, Any]]:
    return [one for one in tables if isinstance(one, dict)] if isinstance(tables, (list, tuple)) else []


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
