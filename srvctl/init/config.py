"""A file of settings (TOML): what differs from the defaults, or every setting with its meaning."""

from __future__ import annotations

import json
from operator import attrgetter
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from srvctl.init.plan import commented
from srvctl.settings.catalog import PROGRAM, Kind, Setting, catalog, groups, program_catalog, title
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from srvctl.init.plan import Plan
    from srvctl.settings.groups import ProgramSettings

_WIDTH: Final = 100
#: Settings that say which instance a process is rather than what it does are in the file as all others are.
_NAME: Final = "srvctl.toml"


def files(plan: Plan, *, is_full: bool = False) -> dict[str, str]:
    """Return the file.

    Args:
        plan: The service.
        is_full: Also with what has its default, as a comment.
    """
    head = [
        f"Try it: srvctl check -c {_NAME}",
        "Whatever is not here has srvctl's default." if not is_full else "What is a comment is the default.",
        *(f"Secrets are not written here; set {name} in the environment." for name in plan.secrets),
    ]
    parts = [commented(head)]
    for group in groups():
        lines = [
            _lines(plan, setting, is_full=is_full) for setting in catalog().values() if setting.group == group
        ]
        text = "\n".join(filter(None, lines)) if is_full else "".join(lines)
        if text:
            parts.append(f"\n[{group}]  # {title(group)}\n{text}")
    parts += [_program(program) for program in plan.settings.program]
    return {_NAME: "".join(parts)}


def _program(program: ProgramSettings) -> str:
    """Return the table of a program: what it says otherwise than by default."""
    lines = [f"\n[[{PROGRAM}]]\n"]
    for key, setting in program_catalog().items():
        value = getattr(program, key)
        if value == setting.default:
            continue
        if setting.option.is_secret:
            names = [f"{entry.partition('=')[0]}=..." for entry in value]
            lines.append(f"# Values are not written here; copy them from the file that has them.\n# {key} = ")
            lines.append(f"{_literal(setting, names)}\n")
        else:
            lines.append(f"{key} = {_literal(setting, value)}\n")
    return "".join(lines)


def _lines(plan: Plan, setting: Setting, *, is_full: bool) -> str:
    value = attrgetter(setting.key)(plan.settings)
    is_kept = value != setting.default and not setting.option.is_secret
    if not is_full and not is_kept:
        return ""
    assignment = f"{setting.name} = {_literal(setting, value)}\n" if is_kept else _example(setting)
    return "".join(f"# {line}\n" for line in wrap(setting.option.help, _WIDTH)) + assignment


def _example(setting: Setting) -> str:
    """Return a comment with the default; a setting without one has only its metavar to show."""
    if setting.default is None or setting.option.is_secret:
        return f"# {setting.name} = {json.dumps(setting.metavar)}\n"
    return f"# {setting.name} = {_literal(setting, setting.default)}\n"


def _literal(setting: Setting, value: object) -> str:
    """Return a value as TOML: JSON means the same there, but that DEL has to be escaped."""
    if setting.kind in {Kind.DURATION, Kind.SIZE}:
        value = format_value(setting, value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
