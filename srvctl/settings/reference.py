"""The files that are made from the declarations: ``python -m srvctl.settings.reference`` writes them.

A test fails when a committed one differs, so none can fall behind the code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from srvctl.errors import ExitCode
from srvctl.settings import sample
from srvctl.settings.catalog import PROGRAM, Setting, catalog, groups, program_catalog, title
from srvctl.settings.display import format_value
from srvctl.settings.markdown import page, table
from srvctl.settings.reference_environment import environment_page
from srvctl.settings.reference_file import config_file_page
from srvctl.settings.sample import PROGRAMS_TITLE, REQUIRED


def pages() -> dict[str, str]:
    """Return the text of each file by its path in the repository."""
    return {
        "docs/reference/settings.md": settings_page(),
        "docs/reference/exit-codes.md": exit_codes_page(),
        "docs/reference/environment.md": environment_page(),
        "docs/reference/config-file.md": config_file_page(),
        "configs/srvctl.toml": sample.toml("configs/srvctl.toml"),
        "configs/srvctl.yaml": sample.yaml("configs/srvctl.yaml"),
    }


def settings_page() -> str:
    """Return a table of the settings of each group, and of a program."""
    parts = [_PRECEDENCE, _UNITS]
    for group in groups():
        rows = [_row(setting) for setting in catalog().values() if setting.group == group]
        heading = ("Key", "Meaning", "Flag and variables", "Default", "Reload")
        parts += [f"## [{group}] {title(group)}", table(heading, rows)]
    programs = [_row_of_program(setting) for setting in program_catalog().values()]
    parts += [f"## [[{PROGRAM}]] {PROGRAMS_TITLE}", _PROGRAMS]
    parts += [table(("Key", "Meaning", "Value", "Default"), programs)]
    return page("Settings", *parts)


def exit_codes_page() -> str:
    """Return the table of exit codes."""
    rows = [(str(int(code)), f"`{code.name}`", code.meaning) for code in ExitCode]
    return page("Exit codes", table(("Code", "Name", "Meaning"), rows))


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


_PROGRAMS = """\
Each process beside the workers has a table of its own in the file: `[[program]]` in TOML, an item of the list
`program` in YAML. There are no flags and no variables for them. They are started in the order of the file,
each when those in its `after` are ready, and a reload adds, removes and restarts them as the file then has
it."""


def _row(setting: Setting) -> tuple[str, ...]:
    on, off = setting.flags
    flag = f"`{on}`" if setting.is_switch else f"`{on} {setting.metavar}`"
    variables = (setting.variable, *setting.option.env)
    given = (flag if on else f"argument `{setting.option.metavar}`") + "".join(
        f", `{other}`" for other in (*setting.option.aliases, off) if other
    )
    return (
        f"`{setting.name}`",
        setting.option.help,
        "<br>".join((given, *(f"`{variable}`" for variable in variables))),
        _default(setting),
        setting.option.change.value,
    )


def _row_of_program(setting: Setting) -> tuple[str, ...]:
    default = _default(setting) if setting.name not in REQUIRED else "required"
    return (f"`{setting.name}`", setting.option.help, f"`{setting.metavar}`", default)


def _default(setting: Setting) -> str:
    if setting.default in (None, "", ()):
        return ""
    return f"`{format_value(setting, setting.default)}`"


if __name__ == "__main__":
    write(Path.cwd())
    # The man page and the completion scripts are made from the commands, of which settings know nothing.
    subprocess.run([sys.executable, "-m", "srvctl.cli.generated"], check=True)
