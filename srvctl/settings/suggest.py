"""What a misspelt or misplaced key was probably meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from srvctl.settings.catalog import Setting, catalog, groups

if TYPE_CHECKING:
    from collections.abc import Iterable


def suggest_key(group: str, name: str) -> str | None:
    """Return the dotted key that ``group.name`` probably meant.

    Looks for the name in its own group, then for a group spelt like this one, then for a flag or key of
    this name anywhere: ``[server] workers`` means ``workers.count``, whose flag is ``--workers``.
    """
    known = groups()
    if group not in known:
        meant = _nearest(group, known)
        if meant is None:
            return None
        if f"{meant}.{name}" in catalog():
            return f"{meant}.{name}"
        group = meant
    name = name.replace("-", "_").lower()
    here = _nearest(name, [setting.name for setting in catalog().values() if setting.group == group])
    return f"{group}.{here}" if here is not None else _anywhere(name)


def suggest_group(name: str) -> str | None:
    """Return the group that ``name`` probably meant, or the key of a setting written outside its table."""
    return _nearest(name, groups()) or _anywhere(name)


def did_you_mean(meant: str | None) -> str:
    """Return the end of a message about an unknown name."""
    return f'; did you mean "{meant}"?' if meant else ""


def _anywhere(name: str) -> str | None:
    """Return the setting whose flag, name or both names together are nearest to ``name``."""
    keys = {word: setting.key for setting in catalog().values() for word in _words(setting)}
    nearest = _nearest(name, keys)
    return keys[nearest] if nearest is not None else None


def _words(setting: Setting) -> tuple[str, ...]:
    flag = setting.option.flag.removeprefix("--").replace("-", "_")
    return (setting.name, f"{setting.group}_{setting.name}", *([flag] if flag else []))


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.7)), None)
