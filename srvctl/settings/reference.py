"""The files that are made from the declarations: ``python -m srvctl.settings.reference`` writes them.

A test fails when a committed one differs, so none can fall behind the code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.errors import ExitCode
from srvctl.settings import sample
from srvctl.settings.catalog import Setting, catalog, groups, title
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTE = "<!-- Made by `python -m srvctl.settings.reference`; change the declarations, not this page. -->"


def pages() -> dict[str, str]:
    """Return the text of each file by its path in the repository."""
    return {
        "docs/reference/settings.md": settings_page(),
        "docs/reference/exit-codes.md": exit_codes_page(),
        "configs/srvctl.toml": sample.toml("configs/srvctl.toml"),
        "configs/srvctl.yaml": sample.yaml("configs/srvctl.yaml"),
    }


def settings_page() -> str:
    """Return a table of the settings of each group."""
    parts = [_NOTE, "# Settings", _PRECEDENCE, _UNITS]
    for group in groups():
        rows = [_row(setting) for setting in catalog().values() if setting.group == group]
        heading = ("Key", "Flag", "Environment", "Default", "Reload", "Meaning")
        parts += [f"## [{group}] {title(group)}", _table(heading, rows)]
    return "\n\n".join(parts) + "\n"


def exit_codes_page() -> str:
    """Return the table of exit codes."""
    rows = [(str(int(code)), f"`{code.name}`", code.meaning) for code in ExitCode]
    return "\n\n".join((_NOTE, "# Exit codes", _table(("Code", "Name", "Meaning"), rows))) + "\n"


def write(root: Path) -> None:
    """Write every file below ``root``, the top of the repository."""
    for name, text in pages().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


_PRECEDENCE = """\
Each setting can be given on the command line, in the environment and in a file (`-c FILE` or `SRVCTL_CONFIG`,
TOML or YAML). The first of these that gives it wins:

1. the flag,
2. its own variable, `SRVCTL_<GROUP>__<KEY>`,
3. the variables of other tools, in the order listed,
4. the file: the key in the table of its group,
5. the default.

Where to listen is decided as a whole: the first source that sets `bind`, `uds`, `fd`, or `host` or `port`
decides which of these ways is taken, and the other ways in later sources count as not set. Likewise, a source
that turns `reload.enabled` on means one worker, and `workers.count` in later ones counts as not set.

An empty variable counts as not set. `srvctl check` prints every value and where it came from.

The column Reload says when a changed value is obeyed: `live` as soon as a reload is done, `rolling` in the
workers that the reload brings, `restart` only after a restart."""

_UNITS = """\
A duration is a number of seconds or a number with `ms`, `s`, `m`, `h` or `d`. A size is a number of bytes or
a number with `KB`, `MB`, `GB`, `TB` (thousands) or `KiB`, `MiB`, `GiB`, `TiB`, `K`, `M`, `G`, `T` (1024s).
A list is a flag given several times, a list in the file, and in a variable words separated by commas or
spaces, or a JSON list."""


def _row(setting: Setting) -> tuple[str, ...]:
    on, off = setting.flags
    flag = f"`{on}`" if setting.is_switch else f"`{on} {setting.metavar}`"
    variables = (setting.variable, *setting.option.env)
    return (
        f"`{setting.name}`",
        (flag if on else f"argument `{setting.option.metavar}`")
        + "".join(f", `{other}`" for other in (*setting.option.aliases, off) if other),
        "<br>".join(f"`{variable}`" for variable in variables),
        _default(setting),
        setting.option.change.value,
        setting.option.help,
    )


def _default(setting: Setting) -> str:
    if setting.default in (None, "", ()):
        return ""
    return f"`{format_value(setting, setting.default)}`"


def _table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


if __name__ == "__main__":
    write(Path.cwd())
    # The man page and the completion scripts are made from the commands, of which settings know nothing.
    subprocess.run([sys.executable, "-m", "srvctl.cli.generated"], check=True)
