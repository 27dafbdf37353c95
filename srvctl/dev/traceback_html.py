"""A traceback as HTML: one's own frames stand out from those of libraries. Pure; for `error_page`.

Every character of a traceback may come from anywhere, so each line is escaped.
"""

from __future__ import annotations

import html
import re
import sysconfig
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAME: Final = re.compile(r'\s*(?:[|+-]\s*)*File "(.*)", line \d+')
_MARKS: Final = re.compile(r"[\s|]*[\^~]+[\^~ ]*")
_LIBRARY: Final = re.compile(r"/(?:site|dist)-packages/|^<frozen ")
_RULER: Final = " |+-"  #: what frames the parts of an exception group
_STANDARD: Final = sysconfig.get_path("stdlib")


def title_of(message: str) -> str:
    """Return a message as HTML."""
    return html.escape(message)


def paragraphs(details: str) -> str:
    """Return the error of a traceback, and the traceback; nothing if it is empty."""
    if not details.strip():
        return ""
    lines = details.rstrip().splitlines()
    last = _begin_of_error(lines)
    error = "\n".join(line for line in lines[last:] if line.strip(_RULER)).strip(" |")
    text = "\n".join(_lines(lines, last))
    return f'<p class="error">{html.escape(error)}</p>\n<pre tabindex="0">{text}</pre>\n'


def _begin_of_error(lines: list[str]) -> int:
    """Return the index of the line in which the last error is named; its text may have more lines."""
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    behind = range(frames[-1] + 1 if frames else 0, len(lines))
    own = [number for number in behind if not lines[number].startswith(" ")]
    of_group = [number for number in behind if lines[number].strip(_RULER)]  # each line is indented there
    return (own or of_group[-1:] or [len(lines) - 1])[0]


def _lines(lines: list[str], last: int) -> Iterator[str]:
    kind = ""
    for number, line in enumerate(lines):
        frame = _FRAME.match(line)
        if frame is not None:
            kind = "library" if _is_library(frame[1]) else ""
            yield _span(kind or "place", line)
        elif number >= last:
            yield _span("wrong", line)
        elif not line.startswith(" "):  # a heading, or an error that led to the next one
            kind = ""
            yield html.escape(line)
        else:
            yield _span(kind or ("mark" if _MARKS.fullmatch(line) else ""), line)


def _is_library(path: str) -> bool:
    return bool(_LIBRARY.search(path)) or path.startswith(_STANDARD)


def _span(kind: str, line: str) -> str:
    return f'<span class="{kind}">{html.escape(line)}</span>' if kind else html.escape(line)
