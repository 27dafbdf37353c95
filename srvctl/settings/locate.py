"""On which line of a file each key stands, since neither parser's result remembers it.

A path is the tuple of a key's parts, ``("workers", "count")``. Both functions expect a text that its real
parser has accepted; on any other they answer something, but nothing of use.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def line_of(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """Return the line of ``path``, of the first key in it if it has no header, or of what is around it."""
    if path in lines:
        return lines[path]
    inside = [line for known, line in lines.items() if known[: len(path)] == path]
    if inside:
        return min(inside)
    return line_of(lines, path[:-1]) if len(path) > 1 else 1


def locate_toml(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of every table header and key of a TOML document."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for line, statement in _statements(text):
        parts = tuple(_toml_key(piece) for piece in statement if piece not in ("[", "]", "="))
        if statement[0] == "[":
            table = parts
            lines.setdefault(table, line)
        else:
            lines.setdefault((*table, *parts), line)
    return lines


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


def locate_yaml(root: yaml.Node | None) -> dict[tuple[str, ...], int]:
    """Return the line of every group and key of a composed YAML document."""
    return dict(reversed(list(_yaml_keys(root))))


def yaml_duplicates(root: yaml.Node | None) -> list[tuple[tuple[str, ...], int, int]]:
    """Return each path given twice, with the line of the repetition and of the first.

    YAML forbids it (1.2, 3.2.1.1), yet PyYAML silently takes the last one.
    """
    first: dict[tuple[str, ...], int] = {}
    repeated = []
    for path, line in _yaml_keys(root):
        if path in first and path[-1] != _MERGE:
            repeated.append((path, line, first[path]))
        first.setdefault(path, line)
    return repeated


def _yaml_keys(root: yaml.Node | None, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Walk groups and their keys, not deeper: below that there are only values, and aliases may recurse."""
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # no name, so an unknown key; its text could be endless
        path = (*above, str(key.value))
        yield path, key.start_mark.line + 1
        if not above:
            yield from _yaml_keys(value, path)
