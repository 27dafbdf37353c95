"""On which line of a file each key stands, since neither parser's result remembers it.

A path is the tuple of a key's parts, ``("workers", "count")``, with a number for a table that is one of many:
``("program", 0, "name")``. Both functions expect a text that its real parser has accepted; on any other they
answer something, but nothing of use.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path: TypeAlias = tuple[str | int, ...]

_TOML_TOKEN: Final = re.compile(
    r"""
      (?P<key> "{3} (?: \\. | [^\\] )*? "{3,5}
             | '{3} .*? '{3,5}
             | " (?: \\. | [^"\\\n] )* "
             | ' [^'\n]* '
             | [A-Za-z0-9_-]+ )
    | \#[^\n]*
    | [\[\]{}=\n]
    """,
    re.DOTALL | re.VERBOSE,
)

#: The merge key may be repeated; what it brings in is overruled by the mapping's own keys.
_MERGE: Final = "<<"


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of ``path``, of the first key in it if it has no header, or of what is around it."""
    if path in lines:
        return lines[path]
    inside = [line for known, line in lines.items() if known[: len(path)] == path]
    if inside:
        return min(inside)
    return line_of(lines, path[:-1]) if len(path) > 1 else 1


def locate_toml(text: str) -> dict[Path, int]:
    """Return the line of every table header and key of a TOML document."""
    lines: dict[Path, int] = {}
    many: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        parts = tuple(_toml_key(piece) for piece in statement if piece not in ("[", "]", "="))
        if statement[:2] == ["[", "["]:
            above = _latest(many, parts[:-1])
            array = (*above, *parts[-1:])
            table = (*array, many.setdefault(array, 0))
            many[array] += 1
            lines.setdefault(table, line)
        elif statement[0] == "[":
            table = _latest(many, parts)
            lines.setdefault(table, line)
        else:
            lines.setdefault((*table, *parts), line)
    return lines


def _latest(many: Mapping[Path, int], parts: tuple[str, ...]) -> Path:
    """Return the path of a header: below an array of tables, it is about the latest one (TOML 1.0)."""
    path: Path = ()
    for part in parts:
        path = (*path, part)
        if path in many:
            path = (*path, many[path] - 1)
    return path


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Split a document into the tokens left of each ``=`` and those of each header, with their lines."""
    statement: list[str] = []
    depth, line, seen, is_value = 0, 1, 0, False
    for match in _TOML_TOKEN.finditer(text):
        piece = match[0]
        line += text.count("\n", seen, match.start())
        seen = match.start()
        if is_value:
            depth += (piece in ("[", "{")) - (piece in ("]", "}"))
            is_value = depth > 0 or piece != "\n"
        elif piece == "=":
            yield line, statement
            statement, is_value = [], True
        elif piece == "\n":
            if statement:
                yield line, statement
            statement = []
        elif not piece.startswith("#"):
            statement.append(piece)
    if statement and not is_value:
        yield line, statement


def _toml_key(piece: str) -> str:
    if piece.startswith('"'):
        return str(tomllib.loads(f"key = {piece}")["key"])
    return piece.strip("'")


def locate_yaml(root: yaml.Node | None) -> dict[Path, int]:
    """Return the line of every group and key of a composed YAML document, and of tables in a list."""
    return dict(reversed(list(_yaml_keys(root))))


def yaml_duplicates(root: yaml.Node | None) -> list[tuple[Path, int, int]]:
    """Return each path given twice, with the line of the repetition and of the first.

    YAML forbids it (1.2, 3.2.1.1), yet PyYAML silently takes the last one.
    """
    first: dict[Path, int] = {}
    repeated = []
    for path, line in _yaml_keys(root):
        if path in first and path[-1] != _MERGE and isinstance(path[-1], str):
            repeated.append((path, line, first[path]))
        first.setdefault(path, line)
    return repeated


def _yaml_keys(root: yaml.Node | None, above: Path = ()) -> Iterator[tuple[Path, int]]:
    """Walk groups and their keys, not deeper: below that there are only values, and aliases may recurse.

    A group may be a list of tables.
    """
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # no name, so an unknown key; its text could be endless
        path = (*above, str(key.value))
        yield path, key.start_mark.line + 1
        if not above:
            yield from _yaml_keys(value, path)
            yield from _yaml_tables(value, path)


def _yaml_tables(group: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    for index, item in enumerate(group.value if isinstance(group, yaml.SequenceNode) else ()):
        yield (*path, index), item.start_mark.line + 1
        yield from _yaml_keys(item, (*path, index))
