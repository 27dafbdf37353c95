"""The files that are made from the commands: ``python -m srvctl.settings.reference`` runs this as well.

A test fails when a committed one differs, so none can fall behind the code.
"""

from __future__ import annotations

from pathlib import Path

from srvctl.cli import man
from srvctl.cli.app import everything
from srvctl.cli.shells.bash import bash
from srvctl.cli.shells.fish import fish
from srvctl.cli.shells.zsh import zsh


def pages() -> dict[str, str]:
    """Return the text of each file by its path in the repository."""
    commands = everything()
    return {
        "docs/man/srvctl.1": man.page(commands),
        "srvctl/cli/completions/srvctl.bash": bash(commands),
        "srvctl/cli/completions/_srvctl": zsh(commands),
        "srvctl/cli/completions/srvctl.fish": fish(commands),
    }


def write(root: Path) -> None:
    """Write every file below ``root``, the top of the repository."""
    for name, text in pages().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
