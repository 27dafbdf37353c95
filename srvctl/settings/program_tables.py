"""The ``[[program]]`` tables of a file: each key with its line; what is no table or no key becomes a problem.

Called by `settings.file`. What the values mean is for `settings.programs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import PROGRAM, program_catalog
from srvctl.settings.display import name_of, quote, quote_key
from srvctl.settings.layer import Given, GivenProgram, Layer, Origin, Problem, Source, program_label
from srvctl.settings.locate import Path, line_of
from srvctl.settings.suggest import did_you_mean, suggest_of_program

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOML_SUFFIX: Final = ".toml"


def take_programs(layer: Layer, found: object, path: str, lines: Mapping[Path, int]) -> None:
    """Take what the file has under ``program``.

    Args:
        layer: Gets the programs and the problems.
        found: What the file has there, of any type.
        path: The file.
        lines: Where its keys stand.
    """
    if isinstance(found, list):
        for index, table in enumerate(found):
            _take_program(layer, index, table, path, lines)
    elif found is not None:  # in YAML, a list of which every line is commented out
        origin = Origin(Source.FILE, path, line_of(lines, (PROGRAM,)))
        layer.problems.append(Problem.at(origin, PROGRAM, _not_a_list(found, is_toml=_is_toml(path))))


def _take_program(layer: Layer, index: int, table: object, path: str, lines: Mapping[Path, int]) -> None:
    begin = Origin(Source.FILE, path, line_of(lines, (PROGRAM, index)))
    if not isinstance(table, dict):
        why = f"{quote(table)} is not a table of settings such as name and command"
        layer.problems.append(Problem.at(begin, program_label(None, index + 1), why))
        return
    values: dict[str, Given] = {}
    label = program_label(table.get("name"), index + 1)
    for key, value in table.items():
        name = name_of(key)
        origin = Origin(Source.FILE, path, line_of(lines, (PROGRAM, index, name)))
        setting = program_catalog().get(name)
        if setting is None:
            why = f"unknown key{did_you_mean(suggest_of_program(name))}"
            layer.problems.append(Problem.at(origin, f"{label}.{quote_key(name)}", why))
        elif value is not None or setting.default is not None:  # null is how YAML writes an unset value
            values[name] = Given(value, origin)
    layer.programs.append(GivenProgram(index + 1, values, begin))


def _not_a_list(found: object, *, is_toml: bool) -> str:
    name = "queue"
    if isinstance(found, dict) and found and all(isinstance(table, dict) for table in found.values()):
        name = name_of(next(iter(found)))  # [program.queue], as others name theirs
    if is_toml:
        return f"there may be many; write [[{PROGRAM}]] and below it name = {quote(name)}"
    return f'there may be many; write "{PROGRAM}:" and below it, indented, - name: {quote(name)}'


def _is_toml(path: str) -> bool:
    return path.lower().endswith(_TOML_SUFFIX)
