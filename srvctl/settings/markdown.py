"""What pages of the reference are written with. Pure; knows nothing of what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NOTE: Final = (
    "<!-- Made by `python -m srvctl.settings.reference`; change the declarations, not this page. -->"
)


def page(title: str, *parts: str) -> str:
    """Return a page that says that it is made; its parts have an empty line between them.

    The title comes first: the site takes it for its navigation only there.
    """
    return "\n\n".join((f"# {title}", _NOTE, *parts)) + "\n"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar in a cell does not end it, and a line break becomes a space."""
    lines = [heading, ("---",) * len(heading), *rows]
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def code(text: str) -> str:
    """Return a text as code within a line; nothing for an empty one."""
    return f"`{text}`" if text else ""
