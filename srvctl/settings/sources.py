"""Each source read by itself into a `Layer`: command line, environment, foreign environment.

pydantic-settings reads the variables; this module remembers where each value stands and reports names that
no setting has, which pydantic-settings would skip in silence. The file is read by `settings.file`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from pydantic_settings import EnvSettingsSource

from srvctl.settings.catalog import ENV_DELIMITER, ENV_PREFIX, PROGRAM, Kind, catalog, groups
from srvctl.settings.layer import Given, Layer, Origin, Problem, Source
from srvctl.settings.model import model
from srvctl.settings.suggest import did_you_mean, suggest_key

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How the lists of other tools are divided where it is not as ours are: by white space, or as paths are.
_SEPARATORS: Final = {
    "UVICORN_HEADERS": None,
    "UVICORN_RELOAD_INCLUDES": None,
    "UVICORN_RELOAD_EXCLUDES": None,
    "UVICORN_RELOAD_DIRS": os.pathsep,
}

#: Variables that say something by being empty: to uvicorn and gunicorn, this one that nobody is trusted.
_SAID_BY_EMPTINESS: Final = frozenset({"FORWARDED_ALLOW_IPS"})


def from_command_line(given: Mapping[str, object]) -> Layer:
    """Read the values of the flags that were given, by dotted key."""
    layer = Layer(Source.COMMAND_LINE)
    for key, value in given.items():
        setting = catalog()[key]
        name = setting.flags[1] if value is False and setting.flags[1] else setting.label
        layer.values[key] = Given(value, Origin(Source.COMMAND_LINE, name))
    return layer


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Read ``SRVCTL_<GROUP>__<KEY>``. An empty variable counts as not set, as container tools leave them."""
    layer = Layer(Source.ENVIRONMENT)
    names: dict[str, str] = {}
    for name, value in environ.items():
        if not name.upper().startswith(ENV_PREFIX) or not value:
            continue
        key = name[len(ENV_PREFIX) :].lower().replace(ENV_DELIMITER, ".")
        if key in catalog():
            names[name.lower()] = name
        elif problem := _unknown_variable(name, value):
            layer.problems.append(problem)
    source = EnvSettingsSource(model())
    source.env_vars = {lowered: environ[name] for lowered, name in names.items()}
    for group, values in source().items():
        for key, value in values.items():
            setting = catalog()[f"{group}.{key}"]
            origin = Origin(Source.ENVIRONMENT, names[setting.variable.lower()])
            _take(layer, setting.key, str(value), origin)
    return layer


def from_foreign(environ: Mapping[str, str], *overruled: Layer) -> Layer:
    """Read the variables of other tools, except for keys that a higher layer sets.

    An overruled variable is not even looked at: it belongs to another tool, whose values may be none of ours.
    """
    layer = Layer(Source.FOREIGN)
    for setting in catalog().values():
        name = next((name for name in setting.option.env if _is_said(environ, name)), None)
        if name is None or any(setting.key in higher.values for higher in overruled):
            continue
        origin = Origin(Source.FOREIGN, name)
        if name in _SEPARATORS and not environ[name].lstrip().startswith("["):
            layer.values[setting.key] = Given(environ[name].split(_SEPARATORS[name]), origin)
        else:
            _take(layer, setting.key, environ[name], origin)
    return layer


def _is_said(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name)) or (name in environ and name in _SAID_BY_EMPTINESS)


def _take(layer: Layer, key: str, text: str, origin: Origin) -> None:
    value: object = text
    if catalog()[key].kind is Kind.LIST:
        value = _split(text)
        if value is None:
            layer.problems.append(Problem.at(origin, key, 'is not a JSON list; write ["...", "..."]'))
            return
    layer.values[key] = Given(value, origin)


def _split(text: str) -> list[object] | None:
    """Split a list: JSON when it looks like it, else words separated by commas or spaces."""
    # "[::1]:8000" is an address, so a bracket alone does not make it JSON.
    if not text.lstrip().startswith(('["', "[ ", "[]", "[\n")):
        return list(text.replace(",", " ").split())
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _unknown_variable(name: str, value: str) -> Problem | None:
    origin = Origin(Source.ENVIRONMENT, name)
    rest = name[len(ENV_PREFIX) :].lower()
    group, delimiter, key = rest.partition(ENV_DELIMITER)
    if group == PROGRAM and (delimiter or rest == PROGRAM):
        return Problem.at(origin, "programs cannot be set in the environment; write [[program]] in the file")
    if delimiter:
        meant = suggest_key(group.strip("_"), key)
        what = "key" if group in groups() else "group"
        return Problem.at(origin, f"unknown {what}{did_you_mean(meant and catalog()[meant].variable)}")
    if rest in groups():
        return Problem.at(origin, f"is a group, not a setting; write for example {_example(rest)}")
    # A forgotten underscore. Kubernetes makes SRVCTL_SERVER_PORT=tcp://... for a service named srvctl-server.
    meant = next((s.variable for s in catalog().values() if rest == f"{s.group}_{s.name}"), None)
    if meant is None or value.startswith("tcp://"):
        return None
    return Problem.at(origin, f"unknown variable{did_you_mean(meant)}")


def _example(group: str) -> str:
    return next(s.variable for s in catalog().values() if s.group == group)
