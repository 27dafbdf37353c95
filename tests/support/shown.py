"""What a page says that a command prints, compared with what it printed: numbers of the day may differ.

Process ids (numbers of four digits) may be others, but the same one has to stand wherever the page has the
same one. Times, durations, amounts of memory, the version and a home may be anything of their kind. Words,
small numbers and the order of lines are as shown; a line ``...`` stands for any lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT: Final = "8000"
ANY_LINES: Final = "..."
_TIME: Final = r"\d\d:\d\d:\d\d"
_DAY: Final = r"\d{4}-\d\d-\d\d"
_UNIT: Final = r"(?:ms|s|min|h|G|M|K|MiB|%)(?!\w)"
#: What is shown, and what may stand there.
_KINDS: Final = (
    (rf"{_DAY}T{_TIME}\+\d\d:\d\d", rf"{_DAY}T{_TIME}[+-]\d\d:\d\d"),
    (rf"{_DAY} {_TIME}", rf"{_DAY} {_TIME}"),
    (_TIME, _TIME),
    (r"/home/ann/[^\s;]+", r"/[^\s;]+"),
    (r"\b127\.0\.0\.1\b", r"127\.0\.0\.1"),
    (r"\b\d+\.\d+\.\d+\b", r"\d+\.\d+\.\d+\S*"),
    (rf"\b\d+(?:\.\d+)? ?{_UNIT}", rf"\d+(?:\.\d+)? ?{_UNIT}(?: \d+ (?:s|min))?"),
    (r" {2,}", " +"),
)
_PID: Final = re.compile(r"\b\d{4}\b")
_TOKEN: Final = re.compile("|".join([*(f"({shown})" for shown, _ in _KINDS), f"({_PID.pattern})"]))


@dataclass
class Shown:
    """What stands for what, over all pages of one walk.

    Attributes:
        port: Where the service really listens; pages have 8000.
        pids: The process of this run, by the number that the pages have.
    """

    port: int
    pids: dict[str, str] = field(default_factory=dict)

    def real(self, text: str) -> str:
        """Return what a reader would type or save here."""
        text = re.sub(rf"\b{PORT}\b", str(self.port), text)
        return _PID.sub(lambda match: self.pids.get(match[0], match[0]), text)

    def matches(self, shown: str, line: str) -> bool:
        """Tell whether a printed line is the one that is shown; if so, keep what its numbers stand for."""
        names: list[str] = []
        pattern = self._pattern(shown.rstrip(), names)
        match = re.fullmatch(pattern, line.rstrip())
        if match is None:
            return False
        self.pids |= {number: match[f"pid{number}"] for number in names}
        return True

    def all_match(self, shown: Sequence[str], printed: Sequence[str]) -> bool:
        """Tell whether printed lines are those that are shown, with any in the place of each ``...``."""
        if not shown:
            return not printed
        if shown[0] == ANY_LINES:
            return any(self.all_match(shown[1:], printed[at:]) for at in range(len(printed) + 1))
        known = dict(self.pids)
        if printed and self.matches(shown[0], printed[0]) and self.all_match(shown[1:], printed[1:]):
            return True
        self.pids = known
        return False

    def _pattern(self, shown: str, names: list[str]) -> str:
        parts, at = [], 0
        for token in _TOKEN.finditer(shown):
            parts += [re.escape(shown[at : token.start()]), self._token(token, names)]
            at = token.end()
        return "".join([*parts, re.escape(shown[at:])])

    def _token(self, token: re.Match[str], names: list[str]) -> str:
        kind = (token.lastindex or 0) - 1
        if kind < len(_KINDS):
            return _KINDS[kind][1]
        number = token[0]
        if number == PORT:
            return str(self.port)
        if number in self.pids:
            return self.pids[number]
        if number in names:
            return f"(?P=pid{number})"
        names.append(number)
        return rf"(?P<pid{number}>\d+)"
