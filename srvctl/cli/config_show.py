"""``srvctl config``: every setting and where it is from, those of an instance that runs, and what differs.

What a running instance would read now is found by its own command line, directory and environment, as its
reload does. The presentation is pure.
"""

from __future__ import annotations

import json
import os
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking, program_rows
from srvctl.cli.answer import print_json
from srvctl.cli.background.words import arguments_of
from srvctl.cli.instances import Wanted
from srvctl.cli.printing import show
from srvctl.errors import ExitCode, SrvctlError, UsageError, printable
from srvctl.ipc.control import Command, Request
from srvctl.settings.catalog import PROGRAM, Setting, catalog
from srvctl.settings.development import for_development
from srvctl.settings.display import format_value
from srvctl.settings.keeping import HIDDEN, shown
from srvctl.settings.option import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from srvctl.cli.instances import Master
    from srvctl.settings.groups import Settings
    from srvctl.settings.load import Loaded

#: Seconds for a master to answer.
_PATIENCE: Final = 10.0
#: What says which instance is meant; everything else about it is its own business.
_WHICH: Final = frozenset({"server.name", "control.socket"})
_MEANING: Final = {
    Change.LIVE: "obeyed as soon as a reload is done",
    Change.ROLLING: "obeyed by the workers that a reload brings",
    Change.RESTART: "needs a restart; a reload keeps the old value",
}


class UnknownSettingsError(SrvctlError):
    """What an instance would read now cannot be known from here."""

    exit_code = ExitCode.REFUSED


# -- those that are read -------------------------------------------------------------------------------


def print_read(loaded: Loaded, *, with_origin: bool, changed_only: bool, is_json: bool) -> None:
    """Print the settings that the flags, the environment and the file give.

    Args:
        loaded: The settings.
        with_origin: Also where each is from.
        changed_only: Leave out those that have their defaults.
        is_json: For a program.
    """
    values = shown(loaded.settings)
    keys = [key for key, setting in catalog().items() if not changed_only or _is_changed(setting, loaded)]
    origins = {key: str(loaded.origins[key]) for key in keys} if with_origin else {}
    programs = values[PROGRAM]
    if is_json:
        told = {
            key: {"value": values[key], "origin": origins[key]} if with_origin else values[key]
            for key in keys
        }
        if programs or not changed_only:
            told[PROGRAM] = program_rows.as_entry(loaded, programs) if with_origin else programs
        print_json(told)
    else:
        if with_origin:
            labels = (label for label, _, _ in program_rows.rows(programs))
            origins |= dict(zip(labels, map(str, program_rows.origins_of(loaded)), strict=True))
        read = {key: values[key] for key in keys} | {PROGRAM: programs}
        show(table(read, origins, changed_only=changed_only))


def _is_changed(setting: Setting, loaded: Loaded) -> bool:
    return bool(attrgetter(setting.key)(loaded.settings) != setting.default)


def table(values: Mapping[str, Any], origins: Mapping[str, str], *, changed_only: bool = False) -> str:
    """Return aligned columns under a heading: keys, values and, where there are any, origins.

    Args:
        values: By dotted key; programs are a list of tables.
        origins: By dotted key, and by the label of a setting of a program.
        changed_only: Leave out what programs do not say otherwise than by default.
    """
    head = ("KEY", "VALUE", *(["FROM"] if origins else []))
    texts = {key: written(key, value) for key, value in values.items() if key != PROGRAM}
    for label, key, value in program_rows.rows(values.get(PROGRAM)):
        if not (changed_only and program_rows.is_default(key, value)):
            texts[label] = program_rows.written(key, value)
    rows = [head, *((key, text, *([origins[key]] if origins else [])) for key, text in texts.items())]
    return "\n".join(aligned(rows))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose columns stand below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join((*map(str.ljust, row[:-1], widths), row[-1])) for row in rows]


def written(key: str, value: object) -> str:
    """Return a value as a file has it, whoever has told it."""
    setting = catalog().get(key)
    if setting is None or value == HIDDEN:  # a setting of another version
        return printable(str(value))
    try:
        return printable(format_value(setting, tuple(value) if isinstance(value, list) else value))
    except (ArithmeticError, TypeError, ValueError):
        return printable(str(value))


# -- those of an instance that runs --------------------------------------------------------------------


def wanted(given: Mapping[str, object], config: Path | None) -> Wanted:
    """Return which instance is meant.

    Raises:
        UsageError: Something is given that an instance that runs has decided already.
    """
    from pathlib import Path  # noqa: PLC0415 - a type elsewhere

    further = [catalog()[key].label for key in given if key not in _WHICH]
    if further:
        raise UsageError(
            f"{', '.join(further)} cannot be given here: an instance that runs has its settings; say which "
            "one with --name, -c or --control-socket"
        )
    socket, name = given.get("control.socket"), given.get("server.name")
    return Wanted(Path(str(socket)) if socket else None, str(name) if name else None, config)


def print_running(which: Wanted, *, changed_only: bool, is_json: bool) -> None:
    """Print the settings that an instance obeys; those of development are what it makes of them."""
    with asking.met(which) as master:
        values = _running(master)
    if changed_only:
        values = {key: value for key, value in values.items() if not _is_default(key, value)}
    if is_json:
        print_json(values)
    else:
        show(table(values, {}, changed_only=changed_only))


def _is_default(key: str, value: object) -> bool:
    if key == PROGRAM:
        return not value
    setting = catalog().get(key)
    return setting is not None and _plain(setting.default) == value


def _running(master: Master) -> dict[str, Any]:
    done = master.connection.ask(Request(Command.SETTINGS))
    values = done.data.get("values")
    if not done.ok or not isinstance(values, dict):
        raise UnknownSettingsError(f"{master} does not tell its settings: {printable(done.message)}")
    return values


def print_difference(which: Wanted, *, is_json: bool) -> ExitCode:
    """Print what a reload would change; return `ExitCode.REFUSED` if that is anything."""
    with asking.met(which) as master:
        before = _running(master)
        after = _read_again(master)
        name = master.name
    found = differences(before, _plain(shown(for_development(after))))
    if is_json:
        print_json({"differences": found})
    elif found:
        show("\n".join(as_text(found)))
    else:
        show(f"Instance {name} runs with what is on disk now; secrets were not compared.")
    return ExitCode.REFUSED if found else ExitCode.OK


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what differs: key, both values, and what it takes for the new one to be obeyed.

    A key that one side does not have is a setting of another version, which nothing can be said about.
    """
    return [
        {"key": key, "running": before[key], "on_disk": after[key], "change": setting.option.change.value}
        for key, setting in catalog().items()
        if key in before and key in after and before[key] != after[key]
    ] + (
        [*program_rows.differences(before[PROGRAM], after[PROGRAM])]
        if PROGRAM in before and PROGRAM in after
        else []
    )


def as_text(found: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield lines: the changes under a heading for each way in which they are obeyed."""
    listed = list(found)
    for change, meaning in _MEANING.items():
        rows = [
            (
                f"  {entry['key']}",
                f"{_side(entry, 'running')} -> {_side(entry, 'on_disk')}",
            )
            for entry in listed
            if entry["change"] == change.value
        ]
        if rows:
            yield f"{change.value} ({meaning}):"
            yield from aligned(rows)


def _side(entry: Mapping[str, Any], side: str) -> str:
    """Write the value of one side of a difference."""
    key, value = entry["key"], entry[side]
    if key in catalog():
        return written(key, value)
    return program_rows.written(key.rpartition('".')[2], value) if value is not None else "unset"


def _plain(value: Any) -> Any:
    """Return a value as it looks once it was sent as JSON."""
    return json.loads(json.dumps(value, default=str))


def _read_again(master: Master) -> Settings:
    """Return what the command line of a master says by now, in its directory and with its environment.

    Raises:
        UnknownSettingsError: It cannot be known.
    """
    import psutil  # noqa: PLC0415 - for this command only

    from srvctl.cli.running import invoke  # noqa: PLC0415 - it reads everything, and prints what is wrong

    try:
        process = psutil.Process(master.pid)
        _, words = arguments_of(process.cmdline())
        directory, environ = process.cwd(), process.environ()
        os.chdir(directory)
    except (psutil.Error, OSError, ValueError) as error:
        raise UnknownSettingsError(f"it cannot be known what {master} would read now: {error}") from None
    os.environ.clear()
    os.environ.update(environ)
    found = invoke(["run", *words])
    if isinstance(found, ExitCode):
        raise UnknownSettingsError(f"a reload of {master} would fail like this, and change nothing")
    return found.settings
