"""From the keywords of `Config` to settings, and from settings to the flags of ``srvctl run``. Pure.

A keyword is the name of a flag with underscores, so the declarations of the settings say what it sets; only
those in `_OTHER_FLAGS` are called something else. What is wrong with a value is said by the checks that all
sources of settings share. Called by `Config`, and by `run` for worker processes.
"""

from __future__ import annotations

import os
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from srvctl.settings.catalog import Kind, Setting, catalog, groups
from srvctl.settings.groups import Settings
from srvctl.settings.layer import Given, Layer, Origin, Problem, Source
from srvctl.settings.suggest import did_you_mean, suggest_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Keywords whose flag has another name.
_OTHER_FLAGS: Final = {
    "headers": "--header",
    "reload_dirs": "--reload-dir",
    "reload_includes": "--reload-include",
    "reload_excludes": "--reload-exclude",
}
#: Of these, None says that there is to be none; of all others, that the default is meant.
_OFF: Final = frozenset({"ws_ping_interval", "ws_ping_timeout"})
#: How much of its text a list is cut at: uvicorn takes ``"127.0.0.1,::1"`` for two.
_CUT: Final = frozenset({"forwarded_allow_ips"})


@cache
def keys(names: Iterable[str]) -> Mapping[str, str]:
    """Return the settings that keywords set, by keyword; those that set none are left out."""
    by_flag = {
        flag: setting.key
        for setting in catalog().values()
        for flag in (setting.option.flag, *setting.option.aliases)
        if flag
    }
    found = {"app": "app.target"}
    for name in names:
        flag = _OTHER_FLAGS.get(name, f"--{name.replace('_', '-')}")
        if flag in by_flag:
            found[name] = by_flag[flag]
    return MappingProxyType(found)


def layer_of(keywords: Mapping[str, object], own: Mapping[str, object], origins: Mapping[str, str]) -> Layer:
    """Return what keywords and settings give, by dotted key.

    Args:
        keywords: What is not left at its default, by keyword.
        own: Settings by dotted key.
        origins: Where a keyword's value comes from, unless it was written as that keyword.
    """
    layer = Layer(Source.COMMAND_LINE)
    known = keys(tuple(keywords))
    for name, value in keywords.items():
        if value is None and name not in _OFF:
            continue
        origin = Origin(Source.COMMAND_LINE, origins.get(name, name))
        layer.values[known[name]] = Given(_raw(name, catalog()[known[name]], value), origin)
    for key, value in own.items():
        origin = Origin(Source.COMMAND_LINE, f'settings["{key}"]')
        if key not in catalog():
            group, _, name = key.partition(".")
            hint = did_you_mean(suggest_key(group, name))
            layer.problems.append(Problem.at(origin, f"unknown setting{hint}"))
        elif key in layer.values:
            other = layer.values[key].origin.place
            layer.problems.append(
                Problem.at(origin, f"is what {other} sets as well; leave one of the two out")
            )
        else:
            layer.values[key] = Given(list(value) if isinstance(value, tuple) else value, origin)
    return layer


def settings_of(layer: Layer) -> Settings:
    """Return the settings that a layer means.

    Raises:
        UsageError: A value is wrong, or two contradict each other; lists all, one on a line.
    """
    # pydantic is loaded here (ADR 2), which `import srvctl` alone must not do.
    from srvctl.settings.explain import validated  # noqa: PLC0415
    from srvctl.settings.listen import keep_one_way  # noqa: PLC0415
    from srvctl.settings.load import raise_all  # noqa: PLC0415

    conflicts = keep_one_way([layer])
    typed = validated(layer)
    raise_all(layer.problems + conflicts)
    by_group: dict[str, dict[str, Any]] = {group: {} for group in groups()}
    for key, value in typed.items():
        by_group[catalog()[key].group][catalog()[key].name] = value
    return Settings(**{group: cls(**by_group[group]) for group, cls in groups().items()})


def command_line(layer: Layer) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of ``srvctl run`` that give what a layer gives.

    Returns:
        The arguments, and variables for what must not be seen in a list of processes.
    """
    arguments: list[str] = []
    variables: dict[str, str] = {}
    for key, given in layer.values.items():
        setting = catalog()[key]
        if setting.option.is_secret:
            variables[setting.variable] = str(given.value)
        elif not setting.option.flag:
            arguments.insert(0, str(given.value))
        else:
            arguments += _flags(setting, given.value)
    return arguments, variables


def _raw(name: str, setting: Setting, value: object) -> object:
    """Return a keyword's value as the sources of settings give it."""
    if value is None:
        return 0
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if setting.kind is not Kind.LIST:
        return value
    if isinstance(value, str):
        return value.replace(",", " ").split() if name in _CUT else [value]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return value
    return [_item(item) for item in value]


def _item(item: object) -> object:
    if isinstance(item, (list, tuple)):  # a header; bytes are no form of uvicorn's, and yet often given
        return ":".join(part.decode("latin-1") if isinstance(part, bytes) else str(part) for part in item)
    return os.fspath(cast("os.PathLike[str]", item)) if isinstance(item, os.PathLike) else item


def _flags(setting: Setting, value: object) -> list[str]:
    on, off = setting.flags
    if setting.is_switch:
        chosen = on if value else off
        return [chosen] if chosen else []
    values = (value or [""]) if isinstance(value, list) else [value]  # none of a list is not its default
    return [f"{on}={_text(one)}" for one in values]  # with "=": a value may begin with a dash


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
