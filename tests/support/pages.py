"""The pages of the documentation, and the fenced blocks in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<fence>`{3,})(?P<language>\w*)(?: +(?P<rest>[^\n]*))?\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_TITLE: Final = re.compile(r'\btitle="([^"]*)"')


class Block(NamedTuple):
    """A fenced piece of a page.

    Attributes:
        page: Where it stands.
        line: The number of its first line.
        language: As the fence says.
        text: Its lines.
        title: What it is headed; the name of a file, or of a terminal.
        reason: Why no test carries it out, if the page says so in a comment before it.
    """

    page: Path
    line: int
    language: str
    text: str
    title: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """Where it is, for a reader of a failure."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page, whether it is in docs/ or beside what it is about."""
    return [
        *ROOT.glob("*.md"),
        *sorted((ROOT / "docs").rglob("*.md")),
        *(ROOT / folder / "README.md" for folder in ("examples", "benchmarks")),
    ]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for match in _BLOCK.finditer(text):
        title = _TITLE.search(match["rest"] or "")
        line = text.count("\n", 0, match.start("text")) + 1
        name, reason = title[1] if title else "", match["reason"] or ""
        blocks.append(Block(page, line, match["language"], match["text"], name, reason))
    return blocks


def prose_of(page: Path) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))
