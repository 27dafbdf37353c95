"""gunicorn's logs: where lines go, and in which form. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.logs.access.formats import FormatError, check_format
from srvctl.migrate.gunicorn_workers import Kind
from srvctl.migrate.variables import is_usable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.migrate.result import Given, Migration

_DEFAULT_FORMAT: Final = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
#: Settings with which gunicorn writes an access log without a file for it.
_MAKE_ACCESS_LOGS: Final = ("logconfig", "logconfig_dict", "logconfig_json", "syslog")
_STREAMS: Final = {
    "-",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/fd/1",
    "/dev/fd/2",
    "/proc/1/fd/1",
    "/proc/1/fd/2",
}


def translate(values: Mapping[str, Given], kind: Kind, migration: Migration) -> None:
    """Translate the settings of logs."""
    if not values.get("accesslog") and any(
        name in values and values[name].value for name in _MAKE_ACCESS_LOGS
    ):
        migration.ask("access log", "gunicorn writes one by its set-up of logs, so srvctl's was left on")
    else:
        _translate_access(values.get("accesslog"), values.get("access_log_format"), kind, migration)
    if (level := values.get("loglevel")) and is_usable(level, "log.level", migration):
        migration.take("log.level", str(level.value).lower(), level.origin)
    _translate_error_log(values.get("errorlog"), migration)
    for name in ("logconfig", "logconfig_json"):
        if (given := values.get(name)) and given.value and is_usable(given, "log.config", migration):
            _take_config(given, migration)
    if given := values.get("logconfig_dict"):
        migration.ask(
            given.origin,
            "write the dictionary into a .json, .yaml or .toml file and name that with log.config",
        )


def _translate_access(file: Given | None, shape: Given | None, kind: Kind, migration: Migration) -> None:
    if file is None or file.value in (None, "", False):
        migration.take("log.access", False, "gunicorn writes no access log without --access-logfile")
        if shape is not None:
            migration.ask(shape.origin, "nothing writes an access log, so it was left out")
        return
    if not is_usable(file, "log.access_file", migration):
        return
    if str(file.value) not in _STREAMS:
        migration.take("log.access_file", file.value, file.origin)
    if kind is Kind.UVICORN:
        if shape is not None:
            migration.ask(shape.origin, "a worker of uvicorn's does not look at it, so it was left out")
        return
    if shape is None:
        migration.take("log.access_format", "combined", "gunicorn's default format")
    elif is_usable(shape, "log.access_format", migration):
        _take_format(shape, migration)


def _take_format(shape: Given, migration: Migration) -> None:
    text = "combined" if shape.value == _DEFAULT_FORMAT else str(shape.value)
    try:
        check_format(text)
    except FormatError as error:
        migration.ask(shape.origin, f"{error} The format was left out.")
    else:
        migration.take("log.access_format", text, shape.origin)


def _translate_error_log(given: Given | None, migration: Migration) -> None:
    if given is not None and str(given.value) not in {*_STREAMS, "None", ""}:
        migration.lacks(
            f"{given.origin} {given.value}",
            "srvctl writes to stderr: let the service manager put it into a file, or use log.config",
        )


def _take_config(given: Given, migration: Migration) -> None:
    migration.take("log.config", given.value, given.origin)
    migration.differs(
        given.origin,
        "sets up the loggers gunicorn.error and gunicorn.access",
        "the loggers have uvicorn's names, uvicorn.error and uvicorn.access, or srvctl's own (log.config)",
        "rename them in the file, else its handlers get nothing",
    )
