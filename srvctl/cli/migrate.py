"""``srvctl migrate``: reads how another server is started, and writes a file for this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srvctl.errors import ConfigError, SrvctlError, UsageError
from srvctl.migrate.kinds import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.migrate.command import File
    from srvctl.migrate.result import Attention, Migration, Missing

_LARGEST_FILE = 4 * 2**20


def migrate(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND", show_default=False, help="A command line of uvicorn or gunicorn, behind --."
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            show_default=False,
            help="gunicorn.conf.py, Dockerfile, systemd unit, supervisord.conf, Procfile, docker-compose "
            "file or script.",
        ),
    ] = None,
    kind: Annotated[
        Kind | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            show_default=False,
            help=f"What that file is, if its name does not say: {', '.join(kind.value for kind in Kind)}.",
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="File to write; - is stdout.")
    ] = "srvctl.toml",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as an object.")] = False,
) -> None:
    """Read how uvicorn or gunicorn is started, write srvctl.toml, and list what means something different."""
    from srvctl.cli.migrate_text import as_json, as_text  # noqa: PLC0415 - no other command needs it
    from srvctl.migrate.checked import checked, checked_programs  # noqa: PLC0415 - as above
    from srvctl.migrate.toml import toml  # noqa: PLC0415 - as above

    is_stdout = output == "-"
    if not is_stdout and not force and Path(output).exists():
        raise UsageError(f"{output} is there already; give another file with -o, or --force to write over it")
    migration, name = _read(command or [], source, kind)
    entries = checked(migration)
    if not entries:
        raise ConfigError(f"nothing in {name} could be taken over: {_first_reason(migration)}")
    programs = checked_programs(migration)
    text = toml(entries, name, programs)
    if not is_stdout:
        _write(Path(output), text)
        _ask_this_machine(Path(output), migration)
    told = (as_json if json else as_text)(migration, entries, "" if is_stdout else output, programs)
    if is_stdout:
        print(text, end="")
    print(told, file=sys.stderr if is_stdout else sys.stdout)


def _read(command: list[str], source: Path | None, kind: Kind | None) -> tuple[Migration, str]:
    """Have what is given read, and return what came of it and what it is called."""
    from srvctl.migrate.command import NothingFoundError  # noqa: PLC0415 - as above
    from srvctl.migrate.source import from_text, from_words  # noqa: PLC0415 - as above

    if bool(command) is bool(source):
        raise UsageError(
            "give one thing to read: a command line (srvctl migrate -- uvicorn main:app) or --from FILE"
        )
    try:
        if source is None:
            migration = from_words(command, _reader(Path()))
            # Not its words, among which may be a password.
            return migration, f"a command line of {migration.server}"
        text = _text(source)
        found = kind or kind_of(source.name, text)
        if found is None:
            raise UsageError(f"{source} is of no kind that is known; say with --kind what it is")
        reader = _reader(source.parent, is_here=found not in {Kind.DOCKERFILE, Kind.COMPOSE})
        return from_text(found, text, source.name, reader), source.name
    except NothingFoundError as error:
        raise ConfigError(str(error)) from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{path} is too large to be any of these files")
    return data.decode("utf-8-sig", "replace")


def _reader(directory: Path, *, is_here: bool = True) -> Callable[[str], File | None]:
    """Return the function that reads a file which a source names.

    Args:
        directory: Where relative paths begin.
        is_here: Absolute paths are this machine's. Those of an image are not: ``/app/conf/gunicorn.py`` is
            looked for as ``conf/gunicorn.py`` and ``gunicorn.py``, beside the Dockerfile.
    """
    from srvctl.migrate.command import File  # noqa: PLC0415 - as above

    def read(path: str) -> File | None:
        parts = Path(path).parts
        shorter = [Path(*parts[begin:]) for begin in range(1, len(parts))]
        for candidate in ([Path(path)] if is_here or not Path(path).is_absolute() else []) + shorter:
            try:
                return File(str(candidate), (directory / candidate).read_text("utf-8", "replace"))
            except (OSError, ValueError):
                continue
        return None

    return read


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _ask_this_machine(file: Path, migration: Migration) -> None:
    """Say what srvctl check says here: a certificate, a user or a directory may be there elsewhere.

    It is not asked about ``log.config``: to try that means to import what it names, and nothing is run here.
    """
    from srvctl.cli.surroundings import CHECKS  # noqa: PLC0415 - as above
    from srvctl.settings.load import load  # noqa: PLC0415 - as above

    loaded = load({}, {}, file)
    for check in CHECKS:
        try:
            check(loaded)
        except SrvctlError as error:
            for line in str(error).splitlines():
                migration.ask("on this machine", f"srvctl check says: {line}")


def _first_reason(migration: Migration) -> str:
    reasons: list[Attention | Missing] = [*migration.attention, *migration.missing]
    return f"{reasons[0].what}: {reasons[0].why}" if reasons else "it sets nothing"
