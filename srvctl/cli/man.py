"""The man page, written from the commands and the settings (man-pages(7) for its sections). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.errors import ExitCode
from srvctl.settings.catalog import program_catalog
from srvctl.settings.sample import help_of_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from srvctl.cli.surface import Command, Flag

_NOTE: Final = '.\\" Made by `python -m srvctl.settings.reference`; change the commands, not this file.'
#: To the master; a test compares them with what it obeys.
SIGNALS: Final = (
    ("SIGTERM, SIGINT", "Answer what was begun, then end. A second one ends what still runs."),
    ("SIGQUIT", "End at once."),
    ("SIGHUP", "Replace every worker by one that runs what is on disk now, as srvctl reload does."),
    ("SIGUSR1", "Open the log files anew: they were moved away."),
    ("SIGUSR2", "Replace the master by the srvctl installed now, as srvctl upgrade does."),
    ("SIGTTIN", "One worker more."),
    ("SIGTTOU", "One worker less."),
)
_VARIABLES: Final = (
    ("SRVCTL_<GROUP>__<KEY>", "A setting, such as SRVCTL_WORKERS__COUNT."),
    ("SRVCTL_CONFIG", "The file of settings, where no flag names one."),
    ("UVICORN_<NAME>", "A setting by uvicorn's name for it, below the variables above."),
    ("WEB_CONCURRENCY, FORWARDED_ALLOW_IPS", "Likewise."),
    ("COLUMNS", "Width of the help."),
)
_EXAMPLES: Final = (
    ("srvctl main:app --reload", "Develop: the code is loaded anew whenever a file is saved."),
    ("srvctl run main:app --host 0.0.0.0 --workers auto", "Serve with a worker for each CPU there is."),
    ("srvctl check -c srvctl.toml", "See what a file of settings comes to."),
    ("srvctl reload --name main", "Bring new code in without losing a request."),
)


def page(commands: Sequence[Command]) -> str:
    """Return the page in the language of man(7)."""
    lines = [
        _NOTE,
        '.TH SRVCTL 1 "" "srvctl" "User Commands"',
        ".nh",  # a name that is divided can neither be found nor copied
        ".ad l",
        ".SH NAME",
        r"srvctl \- application server and supervisor for Python",
        ".SH SYNOPSIS",
        r".B srvctl",
        r"\fIcommand\fR [\fIoptions\fR]",
        ".br",
        r".B srvctl",
        r"\fImodule\fR:\fIattribute\fR [\fIoptions\fR]",
        ".SH DESCRIPTION",
        *_text(
            "Serves an ASGI or WSGI application from worker processes, and looks after them: workers that "
            "die or hang are replaced, and new code takes over without a request being lost. What is begun "
            "with an application instead of a command is srvctl run."
        ),
        ".SH COMMANDS",
        *(line for command in commands for line in _command(command)),
        ".SH SETTINGS",
        *_text(
            "Each can be given as a flag of run, check and explain-proxy, in the environment, and in a file "
            "of settings. The flag wins, then the variable, then the file."
        ),
        *_settings(commands),
        ".SH PROGRAMS",
        *_text(
            "A file of settings may have processes beside the workers, each as a table of its own "
            "([[program]] in TOML, an item of the list program in YAML). It has these keys:"
        ),
        *_list((setting.name, help_of_program(setting)) for setting in program_catalog().values()),
        ".SH EXIT STATUS",
        *_list((str(int(code)), code.meaning) for code in ExitCode),
        ".SH ENVIRONMENT",
        *_list(_VARIABLES),
        ".SH SIGNALS",
        *_text("To the master:"),
        *_list(SIGNALS),
        ".SH EXAMPLES",
        *_list(_EXAMPLES),
    ]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> list[str]:
    own = command.sections()
    flags = [flag for flag in own.pop("General", ()) if "--help" not in flag.names]
    lines = [".SS " + _literal(f"srvctl {command.usage}"), *_text(command.help)]
    lines += _list((metavar.strip("[]"), text) for metavar, text in command.arguments)
    lines += _list((flag.spelling, flag.help) for flag in flags)
    if own:
        lines += [".PP", *_text("Takes the flags of all settings.")]
    return lines


def _settings(commands: Sequence[Command]) -> list[str]:
    run = next(command for command in commands if command.name == "run")
    lines = []
    for section, flags in run.sections().items():
        if section != "General":
            lines += [f".SS {_escaped(section)}"]
            lines += _list((flag.spelling, _whole_help(flag)) for flag in flags)
    return lines


def _whole_help(flag: Flag) -> str:
    words = ", ".join(flag.choices)
    is_known = not words or any(word in f"{flag.metavar} {flag.help}" for word in flag.choices)
    return flag.help if is_known else f"{flag.help} One of {words}."


def _list(rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = []
    for name, text in rows:
        lines += [".TP", rf"\fB{_literal(name)}\fR", *_text(text)]
    return lines


def _text(text: str) -> list[str]:
    """Return a text as lines, a sentence on each, which is how troff sets the spaces between them."""
    return [_escaped(line) for line in re.split(r"(?<=[.:])\s+(?=[A-Z0-9])", text.strip()) if line]


def _literal(text: str) -> str:
    """Return a text in which each hyphen is the one that is typed."""
    return text.replace("\\", r"\e").replace("-", r"\-")


def _escaped(text: str) -> str:
    """Return one line without anything that troff would obey: it begins with neither a dot nor a quote."""
    escaped = text.replace("\\", r"\e").replace("\n", " ")
    escaped = re.sub(r"(?<![\w-])(--?[a-z])", lambda match: match[1].replace("-", r"\-"), escaped)
    return rf"\&{escaped}" if escaped[:1] in {".", "'"} else escaped
