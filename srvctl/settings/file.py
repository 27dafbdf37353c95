"""The configuration file: read by pydantic-settings, located line by line, unknown names reported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml
from pydantic_settings import TomlConfigSettingsSource, YamlConfigSettingsSource

from srvctl.settings.catalog import PROGRAM, catalog, groups
from srvctl.settings.display import name_of, quote, quote_key
from srvctl.settings.layer import Given, Layer, Origin, Problem, Source
from srvctl.settings.locate import Path as KeyPath
from srvctl.settings.locate import line_of, locate_toml, locate_yaml, yaml_duplicates
from srvctl.settings.model import model
from srvctl.settings.program_tables import take_programs
from srvctl.settings.suggest import did_you_mean, suggest_group, suggest_key

if TYPE_CHECKING:
    from pathlib import Path

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def from_file(path: Path) -> Layer:
    """Read a ``.toml``, ``.yaml`` or ``.yml`` file; whatever is wrong with it becomes a problem."""
    layer = Layer(Source.FILE)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        return _unusable(path, None, "is not a known kind of file; name it .toml, .yaml or .yml")
    try:
        data, lines, layer.problems = read(path)
    except _UnusableError as error:
        return _unusable(path, error.line, str(error))
    for group, table in data.items():
        if group == PROGRAM:
            take_programs(layer, table, str(path), lines)
        else:
            _take_group(layer, name_of(group), table, str(path), lines)
    return layer


class _UnusableError(Exception):
    """The file as a whole cannot be read or parsed; ends here, as a problem."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def _unusable(path: Path, line: int | None, why: str) -> Layer:
    return Layer(Source.FILE, problems=[Problem.at(Origin(Source.FILE, str(path), line), why)])


_Lines: TypeAlias = Mapping[KeyPath, int]
_Read: TypeAlias = tuple[Mapping[Any, Any], _Lines, list[Problem]]


def _read_toml(path: Path) -> _Read:
    text = _text(path)
    try:
        tomllib.loads(text)
        return TomlConfigSettingsSource(model(), toml_file=path)(), locate_toml(text), []
    except (ValueError, RecursionError) as error:
        raise _toml_error(text, error) from error


def _read_yaml(path: Path) -> _Read:
    text = _text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_is_mapping(root)
        data = YamlConfigSettingsSource(model(), yaml_file=path, yaml_file_encoding="utf-8")()
    except _UnusableError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context
        raise _UnusableError(f"is not valid YAML: {why}", mark.line + 1 if mark else None) from error
    # PyYAML's constructors raise whatever goes wrong in them: KeyError for "!!bool x", ValueError for
    # "2024-13-45", AttributeError for "!!timestamp x", RecursionError for a thousand brackets.
    except Exception as error:
        raise _UnusableError(f"is not valid YAML: {_first_line(error)}") from error
    problems = [
        Problem.at(
            Origin(Source.FILE, str(path), line),
            _dotted(parts),
            f"is given twice; first on line {first}",
        )
        for parts, line, first in yaml_duplicates(root)
    ]
    return data, locate_yaml(root), problems


_READERS: Final[Mapping[str, Callable[[Path], _Read]]] = {
    ".toml": _read_toml,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}


def _take_group(layer: Layer, group: str, table: object, path: str, lines: _Lines) -> None:
    origin = Origin(Source.FILE, path, line_of(lines, (group,)))
    if group not in groups():
        what = "group" if _is_group(table) else "key"
        meant = _meant_outside(group, table)
        layer.problems.append(Problem.at(origin, quote_key(group), f"unknown {what}{did_you_mean(meant)}"))
    elif isinstance(table, dict):
        for name, value in table.items():
            _take_key(layer, group, name_of(name), value, path, lines)
    elif table is not None:  # in YAML, a group of which every line is commented out
        example = next(setting.name for setting in catalog().values() if setting.group == group)
        layer.problems.append(
            Problem.at(origin, group, f"is a group of settings such as {example}, not {quote(table)}")
        )


def _take_key(layer: Layer, group: str, name: str, value: object, path: str, lines: _Lines) -> None:
    origin = Origin(Source.FILE, path, line_of(lines, (group, name)))
    setting = catalog().get(f"{group}.{name}")
    if setting is None:
        meant = suggest_key(group, name)
        meant = meant.removeprefix(f"{group}.") if meant else None
        problem = Problem.at(origin, f"{group}.{quote_key(name)}", f"unknown key{did_you_mean(meant)}")
        layer.problems.append(problem)
    elif value is not None or setting.default is not None:  # null is how YAML writes an unset value
        layer.values[setting.key] = Given(value, origin)


def _is_group(table: object) -> bool:
    """Return whether something is a table, or a list of them."""
    tables = table if isinstance(table, list) and table else [table]
    return all(isinstance(one, dict) for one in tables)


def _meant_outside(group: str, table: object) -> str | None:
    meant = suggest_group(group)
    return None if meant and "." in meant and _is_group(table) else meant


def _dotted(path: KeyPath) -> str:
    """Write a path: a table of many has a number, from 1 on."""
    *above, last = path
    if above and isinstance(above[-1], int):
        return f"{above[0]} #{above[-1] + 1}.{quote_key(str(last))}"
    return ".".join(quote_key(str(part)) for part in path)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except IsADirectoryError as error:
        raise _UnusableError("is a directory; name a .toml or .yaml file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _UnusableError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _UnusableError("is not UTF-8 text", raw.count(b"\n", 0, error.start) + 1) from error


def _toml_error(text: str, error: Exception) -> _UnusableError:
    message = _first_line(error)
    position = _POSITION.search(message)
    if position is None:
        return _UnusableError(f"is not valid TOML: {message}")
    line = int(position[1]) if position[1] else text.rstrip().count("\n") + 1
    return _UnusableError(f"is not valid TOML: {message[: position.start()]}", line)


def _first_line(error: Exception) -> str:
    """Say what went wrong; only a `ValueError` has a message that is meant to be read."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).partition("\n")[0] if isinstance(error, ValueError) else "a value does not fit its tag"


def _check_is_mapping(root: yaml.Node | None) -> None:
    """Refuse what pydantic-settings would stumble over: no mapping, or groups whose name is no text."""
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return
    if not isinstance(root, yaml.MappingNode):
        example = 'write for example "workers:" and below it, indented, "count: 2"'
        raise _UnusableError(f"does not hold groups of settings; {example}", root.start_mark.line + 1)
    for key, _ in root.value:
        if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            name = quote(key.value if isinstance(key, yaml.ScalarNode) else [])
            raise _UnusableError(f"{name} is not the name of a group", key.start_mark.line + 1)
