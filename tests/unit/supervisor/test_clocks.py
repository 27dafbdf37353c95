"""Jumps of the clock on the wall matter to nobody who waits, judges or decides."""

from __future__ import annotations

import re
from pathlib import Path

import srvctl

PACKAGE = Path(srvctl.__file__).parent
#: Times that are written down for people: when a worker died, the name of a file with its stacks, when a line
#: was printed (which also says when a file of lines is as old as people want it), and when figures were told.
FOR_PEOPLE = {
    "supervisor/effects.py",
    "supervisor/ledger.py",
    "supervisor/obituaries.py",
    "supervisor/output/entry.py",
    "supervisor/output/shapes.py",
}
WALL = re.compile(r"\btime\.(time|time_ns|localtime|ctime)\b|datetime\.|CLOCK_REALTIME")


def test_only_monotonic_time_decides() -> None:
    """The wall's is read where something is written down, and nowhere else in the supervisor."""
    folders = ("supervisor", "ipc")
    files = [file for folder in folders for file in (PACKAGE / folder).rglob("*.py")]
    assert len(files) > 20
    found = {str(file.relative_to(PACKAGE)) for file in files if WALL.search(file.read_text())}
    assert found == FOR_PEOPLE
