"""The files that are made from the commands: ``python -m srvctl.settings.reference`` runs this as well.

A test fails when a committed one differs, so none can fall behind the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.cli import man, manual
from srvctl.cli.app import everything, flags
from srvctl.cli.shells.bash import bash
from srvctl.cli.shells.fish import fish
from srvctl.cli.shells.zsh import zsh

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_LINE: Final = 110
_MODULE: Final = '''\
"""What each command is for, in a sentence. Made by `srvctl.cli.generated` from the commands: do not edit.

The overview is printed from this, because to ask the commands themselves takes half a second.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In the order of the help.
COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {{
{commands}
    }}
)
#: Those of ``srvctl`` itself.
FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {{
{flags}
    }}
)
'''


def pages() -> dict[str, str]:
    """Return the text of each file that is installed, by its path in the repository."""
    commands = everything()
    return {
        "docs/man/srvctl.1": man.page(commands),
        "srvctl/cli/completions/srvctl.bash": bash(commands),
        "srvctl/cli/completions/_srvctl": zsh(commands),
        "srvctl/cli/completions/srvctl.fish": fish(commands),
    }


def references() -> dict[str, str]:
    """Return the text of each page of the reference that is made here, by its path in the repository."""
    return {
        "docs/reference/cli.md": manual.cli_page(everything(), flags()),
        "docs/reference/signals.md": manual.signals_page(),
        "docs/reference/metrics.md": manual.metrics_page(),
    }


def modules() -> dict[str, str]:
    """Return the text of each module of srvctl that is made, by its path in the repository."""
    summaries = {command.name: command.help.partition("\n")[0] for command in everything()}
    own = {", ".join(flag.names): flag.help for flag in flags()}
    text = _MODULE.format(commands=_entries(summaries), flags=_entries(own))
    return {"srvctl/cli/summaries.py": text}


def _entries(texts: Mapping[str, str]) -> str:
    lines = [f"        {json.dumps(key)}: {json.dumps(text)}," for key, text in texts.items()]
    return "\n".join(f"{line}  # noqa: E501" if len(line) > _LONGEST_LINE else line for line in lines)


def write(root: Path) -> None:
    """Write every file below ``root``, the top of the repository."""
    for name, text in {**pages(), **references(), **modules()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
