"""What a misspelt or misplaced key was probably meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import PROGRAM, Setting, catalog, groups, program_catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What supervisord, PM2, docker-compose and others call a key of a program.
_OF_PROGRAMS_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "args": "command",
        "autorestart": "restart",
        "cmd": "command",
        "cwd": "directory",
        "depends_on": "after",
        "env": "environment",
        "exec": "command",
        "instances": "count",
        "kill_timeout": "stop_timeout",
        "listen": "bind",
        "numprocs": "count",
        "processes": "count",
        "requires": "after",
        "script": "command",
        "stopsignal": "stop_signal",
        "stopwaitsecs": "stop_timeout",
        "type": "ready",
        "working_directory": "directory",
    }
)


def suggest_key(group: str, name: str) -> str | None:
    """Return the dotted key that ``group.name`` probably meant.

    Looks for the name in its own group, then for a group spelt like this one, then for a flag or key of
    this name anywhere: ``[server] workers`` means ``workers.count``, whose flag is ``--workers``.
    """
    known = groups()
    if group not in known:
        meant = nearest(group, known)
        if meant is None:
            return None
        if f"{meant}.{name}" in catalog():
            return f"{meant}.{name}"
        group = meant
    name = name.replace("-", "_").lower()
    here = nearest(name, [setting.name for setting in catalog().values() if setting.group == group])
    return f"{group}.{here}" if here is not None else _anywhere(name)


def suggest_group(name: str) -> str | None:
    """Return the group that ``name`` probably meant, or the key of a setting written outside its table."""
    return nearest(name, [*groups(), PROGRAM]) or _anywhere(name)


def suggest_of_program(name: str) -> str | None:
    """Return the key of a program that ``name`` probably meant."""
    name = name.replace("-", "_").lower()
    return _OF_PROGRAMS_ELSEWHERE.get(name) or nearest(name, program_catalog())


def did_you_mean(meant: str | None) -> str:
    """Return the end of a message about an unknown name."""
    return f'; did you mean "{meant}"?' if meant else ""


def _anywhere(name: str) -> str | None:
    """Return the setting whose flag, name or both names together are nearest to ``name``."""
    keys = {word: setting.key for setting in catalog().values() for word in _words(setting)}
    found = nearest(name, keys)
    return keys[found] if found is not None else None


def _words(setting: Setting) -> tuple[str, ...]:
    flag = setting.option.flag.removeprefix("--").replace("-", "_")
    return (setting.name, f"{setting.group}_{setting.name}", *([flag] if flag else []))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to ``name``; None if none is near."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.7)), None)
