"""Applications that a test writes, and writes anew."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IMPORTS = "from tests.support.apps.basic import gate, make_app\n"


def write_app(folder: Path, version: str, before: str = "", after: str = "", name: str = "site_app") -> Path:
    """Write a module that answers every request with its version, replacing the one before at once.

    Args:
        folder: The server's working directory.
        version: The body of its responses.
        before: Code that runs on import, before ``app`` exists.
        after: Code that runs after.
        name: The module.
    """
    path = folder / f"{name}.py"
    fresh = folder / f"{name}.py.new"
    fresh.write_text(f"{_IMPORTS}{dedent(before)}\napp = make_app({version!r})\n{dedent(after)}")
    return fresh.rename(path)
