"""Tables of plain text: words to the left, numbers to the right, and a remark behind a line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def aligned(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Collection[str],
    remarks: Sequence[str] = (),
) -> list[str]:
    """Return the lines of a table.

    Args:
        head: The name of each column.
        rows: The cells of each line.
        words: The columns that are no numbers.
        remarks: What stands behind each line, as long as it may be.
    """
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = []
    for line, remark in zip(lines, ("", *(remarks or [""] * len(rows))), strict=True):
        cells = [
            cell.ljust(width) if name in words else cell.rjust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ]
        texts.append("  ".join([*cells, remark]).rstrip())
    return texts
