"""Draws the diagrams of docs/explanation/lifecycle.md from the tables in the code, and writes its tables.

    python -m scripts.diagrams

Nothing is written down here that the code decides: states and moves come from the tables that the master
and the server obey, the order of a response from sending every message in every state. Drawing needs `dot` of
Graphviz; reading does not, because the SVGs are kept. Each has the digest of what it was drawn from, by which
the tests see, without `dot`, that it is up to date. Called by hand after a change of a table, and by tests.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scripts.response_order import explored, websocket_rows
from srvctl.supervisor.lifecycle import TRANSITIONS
from srvctl.supervisor.programs.places import ALIVE, MOVES
from srvctl.supervisor.reloading import STAGES, WATCHING
from srvctl.supervisor.state import PHASES, SERVING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from enum import Enum

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs/explanation/lifecycle.md"
FOLDER: Final = PAGE.parent / "diagrams"
_DIGEST: Final = "<!-- drawn from "
_LOOK: Final = (
    'graph [rankdir=%s, bgcolor="white", pad=0.2, nodesep=0.35, ranksep=0.55, fontname="sans-serif"]',
    'node [shape=box, style="rounded,filled", fillcolor="#f5f5f5", color="#3f51b5"]',
    'node [fontname="sans-serif", fontsize=12]',
    'edge [color="#555555", fontcolor="#333333", fontname="sans-serif", fontsize=10, arrowsize=0.7]',
)


@dataclass(frozen=True)
class Diagram:
    """One of the page.

    Attributes:
        name: Of its file, and of its place in the page.
        moves: From where, to where, and when.
        marked: The states that are shown with another ground.
        direction: In which it grows: LR or TB, as Graphviz has it.
    """

    name: str
    moves: tuple[tuple[str, str, str], ...]
    marked: frozenset[str] = frozenset()
    direction: str = "TB"

    @property
    def source(self) -> str:
        """What Graphviz draws; moves between the same two states are one arrow.

        States stand in the order of the table: what leads back to an earlier one moves nothing.
        """
        arrows: dict[tuple[str, str], list[str]] = {}
        for before, after, when in self.moves:
            arrows.setdefault((before, after), []).append(when)
        nodes = list(dict.fromkeys([move[0] for move in self.moves] + [move[1] for move in self.moves]))
        lines = [line % self.direction if "%s" in line else line for line in _LOOK]
        lines += [
            f'"{name}" [fillcolor="{"#e8eaf6" if name in self.marked else "#f5f5f5"}"]' for name in nodes
        ]
        for (before, after), whens in arrows.items():
            is_back = nodes.index(after) < nodes.index(before)
            label = _folded(" / ".join(whens))
            lines.append(f'"{before}" -> "{after}" [label="{label}"{", constraint=false" * is_back}]')
        return "digraph {\n" + "\n".join(lines) + "\n}\n"

    @property
    def digest(self) -> str:
        """What tells a drawing that is up to date from one that is not."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:32]

    @property
    def table(self) -> str:
        """The same in words, for those who do not see pictures."""
        return table(("From", "To", "When"), self.moves)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as Markdown."""
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def moves_of(states: Mapping[Any, Mapping[Any, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield the moves of a table from a state to those that may follow, and why."""
    for before, following in states.items():
        for after, why in following.items():
            yield before.value, after.value, why


def diagrams() -> list[Diagram]:
    """Return all, as the code has them now."""
    worker = [
        (before.value, after.value, step.value)
        for before, steps in TRANSITIONS.items()
        for step, after in steps.items()
    ]
    return [
        Diagram("service", (*moves_of(PHASES),), _values(SERVING)),
        Diagram("worker", (*worker,), frozenset({"ready"})),
        Diagram("reload", (*moves_of(STAGES),), _values(WATCHING)),
        Diagram("program", (*moves_of(MOVES),), _values(ALIVE)),
        Diagram("response", (*explored(),)),
    ]


def blocks() -> dict[str, str]:
    """Return the tables of the page, by the name of their place."""
    tables = {one.name: one.table for one in diagrams()}
    return tables | {"websocket": table(("The WebSocket is", "The application may send"), websocket_rows())}


def page_with(tables: Mapping[str, str], text: str) -> str:
    """Return the page with its tables in their places.

    Raises:
        ValueError: It has no place for one.
    """
    for name, rows in tables.items():
        place = rf"(<!-- table: {name} -->\n)(?:\n.*?)??(\n<!-- end -->)"
        text, found = re.subn(place, rf"\g<1>{rows}\g<2>", text, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"{PAGE.name} has {found} places for the table {name}")
    return text


def is_drawn(diagram: Diagram) -> bool:
    """Return whether its file shows it as it is now."""
    file = FOLDER / f"{diagram.name}.svg"
    return file.exists() and f"{_DIGEST}{diagram.digest} -->" in file.read_text(encoding="utf-8")


def draw(diagram: Diagram, dot: str) -> None:
    """Write its file."""
    done = subprocess.run(  # noqa: S603 - of our own making
        [dot, "-Tsvg"], input=diagram.source, text=True, capture_output=True, check=True
    )
    svg = done.stdout[done.stdout.index("<svg") :]
    svg = re.sub(r"<!-- .*? -->\n", "", svg)
    (FOLDER / f"{diagram.name}.svg").write_text(f"{_DIGEST}{diagram.digest} -->\n{svg}", encoding="utf-8")


def _values(states: Iterable[Enum]) -> frozenset[str]:
    return frozenset(state.value for state in states)


def _folded(text: str, width: int = 18) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\\n".join(lines)


def main() -> str | None:
    """Write what is out of date; return what is wrong."""
    PAGE.write_text(page_with(blocks(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    stale = [one for one in diagrams() if not is_drawn(one)]
    dot = shutil.which("dot")
    if stale and dot is None:
        return "dot is not installed: install Graphviz (apt-get install graphviz) and try again."
    FOLDER.mkdir(exist_ok=True)
    for one in stale:
        draw(one, str(dot))
        print(f"drawn: {FOLDER.relative_to(ROOT)}/{one.name}.svg")
    return None


if __name__ == "__main__":
    sys.exit(main())
