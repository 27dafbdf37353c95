"""What gunicorn's settings mean here. Pure, but for the reading of the file that a command line names.

In gunicorn the command line wins over ``GUNICORN_CMD_ARGS``, that over the configuration file, and that over
other variables. What each setting means is in `gunicorn_settings` and `gunicorn_workers`; what has no
counterpart in `gunicorn_lacks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.migrate import gunicorn_settings, gunicorn_workers
from srvctl.migrate.gunicorn_file import Conf, read_conf
from srvctl.migrate.gunicorn_lacks import HOOKS, WITHOUT
from srvctl.migrate.gunicorn_options import FLAGS, REPEATABLE
from srvctl.migrate.options import Parsed, parse
from srvctl.migrate.result import Given, Migration
from srvctl.migrate.shellwords import commands_of
from srvctl.migrate.variables import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srvctl.migrate.command import File
    from srvctl.migrate.shellwords import Word

_DEFAULT_FILE: Final = "gunicorn.conf.py"
_CMD_ARGS: Final = "GUNICORN_CMD_ARGS"


def migrate(
    words: Sequence[Word], environ: Mapping[str, Given], read: Callable[[str], File | None]
) -> Migration:
    """Translate a command line, and the configuration file that goes with it.

    Args:
        words: What stands behind ``gunicorn``.
        environ: The variables that are known to be set for it, by name.
        read: Returns a file by the path that gunicorn has for it, or None.
    """
    migration = Migration("gunicorn")
    command, from_environ = parse(words, FLAGS, may_shorten=True), _parse_environ(environ, migration)
    conf = _conf(_gather(from_environ) | _gather(command), environ, read, migration)
    values = _foreign(environ) | (conf.values if conf else {}) | _gather(from_environ) | _gather(command)
    for flag in (*from_environ.unknown, *command.unknown):
        migration.lacks(flag, "no option of gunicorn 27's; look into its documentation")
    for word in command.rest[:1]:
        values["wsgi_app"] = Given("wsgi_app", str(word), "APP", word.variables, word.is_known)
    for word in command.rest[1:]:
        migration.ask(str(word), "gunicorn takes one application, and this is a second word; left out")
    _translate(values, conf, migration)
    return migration


def migrate_file(text: str, name: str, environ: Mapping[str, Given]) -> Migration:
    """Translate a configuration file by itself.

    Args:
        text: Its text.
        name: What it is called in messages.
        environ: The variables that are known to be set for it, by name.
    """
    migration = Migration("gunicorn")
    conf = read_conf(text, name, _known(environ))
    _translate(_foreign(environ) | conf.values, conf, migration)
    return migration


def _conf(
    options: Mapping[str, Given],
    environ: Mapping[str, Given],
    read: Callable[[str], File | None],
    migration: Migration,
) -> Conf | None:
    given = options.get("config")
    path = str(given.value).removeprefix("file:") if given else _DEFAULT_FILE
    if given and (path.startswith("python:") or not given.is_known):
        migration.ask(f"{given.origin} {path}", "is not looked for; migrate the file by itself, with --from")
        return None
    file = read(path)
    if file is not None:
        if given is None:
            migration.ask(path, "gunicorn reads it from the directory it is started in, so it was read too")
        elif file.name != path:
            migration.ask(f"{given.origin} {path}", f"{file.name} was read for it")
        return read_conf(file.text, file.name, _known(environ))
    if given is not None:
        migration.ask(f"{given.origin} {path}", "cannot be read from here; migrate it by itself, with --from")
    return None


def _parse_environ(environ: Mapping[str, Given], migration: Migration) -> Parsed:
    given = environ.get(_CMD_ARGS)
    if given is None:
        return Parsed()
    if not given.is_known:
        migration.ask(_CMD_ARGS, f"{given.value} is not known here, so what it says was left out")
        return Parsed()
    words = [word for command in commands_of(str(given.value)) for word in command]
    parsed = parse(words, FLAGS, may_shorten=True)
    parsed.options = [
        Given(o.name, o.value, f"{_CMD_ARGS} {o.origin}", o.variables, o.is_known) for o in parsed.options
    ]
    return parsed


def _gather(parsed: Parsed) -> dict[str, Given]:
    """Return the options by name: the last one, or all values of one that gathers them."""
    values: dict[str, Given] = {}
    for given in parsed.options:
        before = values.get(given.name)
        if before is not None and given.name in REPEATABLE and isinstance(before.value, list):
            values[given.name] = Given(
                given.name,
                [*before.value, given.value],
                given.origin,
                before.variables + given.variables,
                before.is_known and given.is_known,
            )
        elif given.name in REPEATABLE:
            values[given.name] = Given(
                given.name, [given.value], given.origin, given.variables, given.is_known
            )
        else:
            values[given.name] = given
    return values


def _foreign(environ: Mapping[str, Given]) -> dict[str, Given]:
    """Return what other variables say, below everything else."""
    values = {
        setting: Given(setting, given.value, name, given.variables, given.is_known)
        for name, setting in FOREIGN.items()
        if (given := environ.get(name)) is not None
    }
    if port := environ.get("PORT"):
        values["bind"] = Given("bind", [f"0.0.0.0:{port.value}"], "PORT", port.variables, port.is_known)
    return values


def _known(environ: Mapping[str, Given]) -> dict[str, str]:
    return {name: str(given.value) for name, given in environ.items() if given.is_known}


def _translate(values: Mapping[str, Given], conf: Conf | None, migration: Migration) -> None:
    kind = gunicorn_workers.kind_of(values)
    gunicorn_workers.translate(values, kind, migration)
    gunicorn_settings.translate(values, kind, migration)
    for name, given in values.items():
        # What switches something off needs no counterpart; but for sendfile, which is on by itself.
        is_off = given.value in (None, False, "", [], {})
        is_used = given.value is False if name == "sendfile" else not is_off
        if is_used and (why := WITHOUT.get(name)):
            migration.lacks(given.origin, why)
    if conf is None:
        return
    for name, origin in conf.hooks.items():
        migration.lacks(origin, HOOKS[name])
    for origin, why in conf.unclear:
        migration.ask(origin, why)
