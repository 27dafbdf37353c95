"""Reads the small files of /proc, and makes no fuss: what is gone or makes no sense is empty.

Owns nothing about what the files mean. Called by `srvctl.ipc.memory` and by the master's look at its workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_NUMBER: Final = 20  #: digits of 64 bits


def read_text(path: Path) -> str:
    """Return what a file says; empty if it is gone or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def fields(text: str) -> dict[str, str]:
    """Return the values of lines such as ``Pss:   123 kB``."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def number(text: str) -> int | None:
    """Return a plain decimal number; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None
