"""What uvicorn's options mean here. Pure.

Settings have uvicorn's names, and say so in their declarations: the variable ``UVICORN_PORT`` beside
``server.port`` is the mapping. Written here is only what the declarations cannot say: what is not the same.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from srvctl.migrate.options import Flag, Takes, parse
from srvctl.migrate.result import Given, Migration
from srvctl.migrate.uvicorn_differences import ALWAYS, EVERY_ADDRESS, GIVEN
from srvctl.migrate.variables import FOREIGN, is_usable, means_yes
from srvctl.settings.catalog import Kind, Setting, catalog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from srvctl.migrate.shellwords import Word

_PREFIX: Final = "UVICORN_"
_LISTEN: Final = ("fd", "uds", "host", "port")
#: Options without a setting, and what becomes of them.
WITHOUT: Final[Mapping[str, str]] = {
    "version": "prints uvicorn's version and serves nothing; write srvctl version",
}


@cache
def settings() -> Mapping[str, Setting]:
    """Return the setting of each option of uvicorn's that has one, by the name of its parameter."""
    return {
        name.removeprefix(_PREFIX).lower(): setting
        for setting in catalog().values()
        for name in setting.option.env
        if name.startswith(_PREFIX)
    }


def flags() -> list[Flag]:
    """Return all spellings of uvicorn's options."""
    known = [Flag("--version", "version", Takes.NOTHING)]
    for name, setting in settings().items():
        takes = Takes.NOTHING if setting.is_switch else Takes.VALUE
        known += [Flag(text, name, takes) for text in (setting.option.flag, *setting.option.aliases) if text]
        if off := setting.flags[1]:
            known.append(Flag(off, name, Takes.NOTHING_FOR_FALSE))
    return known


def migrate(words: Sequence[Word], environ: Mapping[str, Given]) -> Migration:
    """Translate a command line.

    Args:
        words: What stands behind ``uvicorn``.
        environ: The variables that are known to be set for it, by name.
    """
    migration = Migration("uvicorn")
    parsed = parse(words, flags())
    options = [*_from_environ(environ), *parsed.options]
    options += [
        Given("app", word.text or str(word), "APP", word.variables, word.is_known) for word in parsed.rest[:1]
    ]
    for word in parsed.rest[1:]:
        migration.ask(str(word), "uvicorn takes one application, and this is a second word; left out")
    for flag in parsed.unknown:
        migration.lacks(flag, "no option of uvicorn 0.54's; look into the release notes of yours")
    for given in options:
        _take(given, migration)
    _keep_one_address(migration)
    _end({settings()[given.name].key for given in options if given.name in settings()}, migration)
    return migration


def _from_environ(environ: Mapping[str, Given]) -> list[Given]:
    """Return the options that variables give, which any flag overrules; ours stand before foreign ones."""
    found = [
        Given(FOREIGN[name], given.value, given.origin, given.variables, given.is_known)
        for name, given in environ.items()
        if name in FOREIGN
    ]
    for name, given in environ.items():
        if name.startswith(_PREFIX):
            option = name.removeprefix(_PREFIX).lower()
            found.append(Given(option, given.value, given.origin, given.variables, given.is_known))
    return found


def _take(given: Given, migration: Migration) -> None:
    if given.name in WITHOUT:
        if str(given.value).lower() not in {"false", "0", ""}:
            migration.lacks(given.origin, WITHOUT[given.name])
        return
    setting = settings().get(given.name)
    if setting is None:
        migration.lacks(given.origin, "no option of uvicorn 0.54's; look into the release notes of yours")
        return
    if not is_usable(given, setting.key, migration):
        return
    if setting.option.is_secret:
        migration.ask(given.origin, f"a secret, not written into a file; set {setting.variable} instead")
        return
    if given.name in {"http", "ws"} and ":" in str(given.value):
        why = "srvctl has protocols of its own; no class can replace them"
        migration.lacks(f"{given.origin} {given.value}", why)
        return
    migration.take(setting.key, _value(setting, given, migration), given.origin)
    if (given.name, given.value) == ("host", "::"):
        migration.differs(f"{given.origin} ::", *EVERY_ADDRESS)
    for note in GIVEN.get(given.name, ()):
        migration.differs(given.origin, *note)


def _value(setting: Setting, given: Given, migration: Migration) -> object:
    """Return the value in the form of a file: a list gathers what is given one by one."""
    if (given.name, given.value) == ("loop", "zuvloop"):
        return "zuvloop:new_event_loop"
    if setting.kind is not Kind.LIST:
        return given.value
    text = str(given.value)
    if given.origin.startswith("--") and given.name != "forwarded_allow_ips":
        before = migration.taken.get(setting.key)
        begun = before.value if before is not None and before.origin == given.origin else []
        return [*begun, text] if isinstance(begun, list) else [text]
    separator = "," if given.name == "forwarded_allow_ips" else None
    return [item for part in text.split(separator) if (item := part.strip())]


def _keep_one_address(migration: Migration) -> None:
    """Keep the address that uvicorn would have listened on; srvctl refuses two."""
    ways = [name for name in _LISTEN if f"server.{name}" in migration.taken]
    if not ways or ways[0] not in {"fd", "uds"}:
        return
    for name in _LISTEN:
        if name != ways[0] and (taken := migration.taken.pop(f"server.{name}", None)):
            migration.ask(taken.origin, f"uvicorn ignores it beside --{ways[0]}; left out")


def _end(given: AbstractSet[str], migration: Migration) -> None:
    """Add what follows from the whole."""
    taken = migration.taken
    if "app.target" not in taken:
        migration.ask("APP", 'no application is named; write target = "module:attribute" under [app]')
    is_reloading = "reload.enabled" in taken and means_yes(taken["reload.enabled"].value)
    if is_reloading and (count := taken.pop("workers.count", None)):
        migration.ask(count.origin, "uvicorn ignores it beside --reload; left out")
    for key, note in ALWAYS:
        if key not in given:
            migration.differs(*note)
