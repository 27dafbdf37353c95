"""Markdown tables that read well in a terminal too."""

from __future__ import annotations


def aligned(header: list[str], rows: list[list[str]], left: int) -> str:
    """Return a Markdown table with columns of equal width, the first `left` of them aligned to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    lines = [header, rule, *rows]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )
