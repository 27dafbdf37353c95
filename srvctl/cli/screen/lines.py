"""A line of a screen: pieces of text, each with a style. Cut to a width, and tables that fit it. Pure.

The styles are the words of rich, which only `terminal` loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Piece = tuple[str, str]
Line = tuple[Piece, ...]

_BARS: Final = "▁▂▃▄▅▆▇█"
_ELLIPSIS: Final = "..."


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its head.
        importance: What there is no room for goes by this, the least first.
        is_words: To the left; numbers are to the right.
    """

    name: str
    importance: int
    is_words: bool = False


def plain(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(text for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """Return what of a line fits; one that is cut says so."""
    if len(plain(line)) <= width:
        return line
    pieces, room = [], max(width - len(_ELLIPSIS), 0)
    for text, style in line:
        pieces.append((text[:room], style))
        room -= len(text[:room])
    return (*(piece for piece in pieces if piece[0]), (_ELLIPSIS[:width], ""))


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], int]:
    """Return which columns of a table fit, by their place, and how far apart they are.

    Args:
        columns: All of them.
        rows: All cells.
        width: What there is room for.
    """
    widths = column_widths(columns, rows)
    kept = list(range(len(columns)))
    while True:
        for gap in (2, 1):
            if sum(widths[place] for place in kept) + gap * (len(kept) - 1) <= width or len(kept) == 1:
                return kept, gap
        kept.remove(min(kept, key=lambda place: columns[place].importance))


def column_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [
        max(len(column.name), *(len(row[place]) for row in rows)) if rows else len(column.name)
        for place, column in enumerate(columns)
    ]


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last values as bars; the highest of them is a full one."""
    shown = values[-width:] if width > 0 else ()
    top = max(shown, default=0.0) or 1.0
    return "".join(_BARS[min(round(value / top * (len(_BARS) - 1)), len(_BARS) - 1)] for value in shown)
