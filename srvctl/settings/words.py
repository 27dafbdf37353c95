"""Writes values of settings as words of ``srvctl run``. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import Kind, Setting, catalog
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TARGET: Final = "app.target"


def words_of(given: Mapping[str, object], config: str | os.PathLike[str] | None) -> list[str]:
    """Return words from which ``run`` reads the same.

    Args:
        given: The values of the flags that were given, by dotted key, as typed.
        config: The file of settings, if one was given.
    """
    target = given.get(_TARGET)
    flags = [word for key, value in given.items() if key != _TARGET for word in _flag(key, value)]
    if config is not None:
        flags.append(f"--config={os.fspath(config)}")
    if target is None:
        return flags
    # What begins with a hyphen is no flag behind two of them.
    return [*flags, "--", str(target)] if str(target).startswith("-") else [str(target), *flags]


def as_given(setting: Setting, value: object) -> object:
    """Return a valid value as somebody could have given it on the command line."""
    if setting.is_switch or isinstance(value, tuple):
        return value
    if setting.kind in {Kind.DURATION, Kind.SIZE, Kind.FLAG}:
        return format_value(setting, value)
    return str(value)


def _flag(key: str, value: object) -> Iterator[str]:
    setting = catalog()[key]
    on, off = setting.flags
    if setting.is_switch:
        yield on if value else off
        return
    values: Iterable[object] = value if isinstance(value, (list, tuple)) else [value]
    for item in values:
        yield f"{on}={item}"  # in one word: a value may begin with a hyphen
