"""The pages of the reference that are made from commands, signals and figures. Pure.

`srvctl.settings.reference` has those made from settings alone; it knows nothing of what is above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.cli.man import SIGNALS
from srvctl.cli.surface import GENERAL
from srvctl.console.figures import DURATIONS, DURATIONS_MEANING, FIGURES
from srvctl.settings.markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srvctl.cli.surface import Command, Flag

#: Which command asks for the same as a signal to the master; empty where none does.
_COMMANDS: Final = {
    "SIGTERM, SIGINT": "srvctl stop",
    "SIGQUIT": "srvctl stop --now",
    "SIGHUP": "srvctl reload",
    "SIGUSR1": "",
    "SIGUSR2": "srvctl upgrade",
    "SIGTTIN": "srvctl scale +1",
    "SIGTTOU": "srvctl scale -1",
}
#: What a worker makes of a signal; a test compares with what it does.
WORKER_SIGNALS: Final = (
    ("SIGTERM", "It drains, and its slot gets a new worker at the same time; `srvctl recycle` is kinder."),
    ("SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU", "Nothing: these are for the master."),
    ("SIGQUIT, SIGKILL", "It ends at once; what it was doing is lost, and its slot gets a new worker."),
)
_TO_MASTER: Final = """\
To the master, which is the process that the log, `srvctl status` and the pid file name. A signal is an
order without an answer: a command tells what came of it."""
_OF_WORKERS: Final = """\
To a worker, which is rarely a good idea; `srvctl worker` says what it does. An application may have
handlers of its own for what means nothing here, but not for `SIGTERM`."""
_OF_PROGRAMS: Final = """\
A process beside the workers gets its `stop_signal`, `SIGTERM` unless the file says otherwise, when it is to
end ([programs](../how-to/programs.md)). Ctrl-C does not reach it: the master ends it in order."""
_FIGURES: Final = """\
As Prometheus has them; [Metrics](../how-to/metrics.md) says how they are published, what StatsD and
OpenTelemetry call them, and which alerts are worth having."""
_SETTINGS: Final = """\
Of `run`, `start`, `check`, `config`, `init`, `explain-proxy`, `doctor` and `rehearse`: one for each
[setting](settings.md), where the defaults are. A switch that is on is turned off by its name with `no-`."""
_OWN: Final = """\
What begins with an application or with a flag of a setting, instead of a command, is `srvctl run`: `srvctl
main:app --port 80`. Each command ends with one of the [exit codes](exit-codes.md)."""


def cli_page(commands: Sequence[Command], own: Sequence[Flag]) -> str:
    """Return the page of all commands and flags.

    Args:
        commands: In the order of the help.
        own: The flags of ``srvctl`` itself.
    """
    parts = [_OWN, _flags(own)]
    section = ""
    for command in commands:
        if command.section != section:
            section = command.section
            parts += [f"## {section}"]
        parts += _command(command)
    run = next(command for command in commands if command.name == "run")
    parts += ["## Flags of settings", _SETTINGS]
    for name, flags in run.sections().items():
        if name != GENERAL:
            parts += [f"### {name}", _flags(flags)]
    return page("Commands and flags", *parts)


def _command(command: Command) -> Iterator[str]:
    sections = command.sections()
    own = sections.pop(GENERAL, [])
    yield f"### srvctl {command.name}"
    yield f"```text\nsrvctl {command.usage}\n```"
    yield command.help
    if command.arguments:
        yield table(
            ("Argument", "Meaning"), [(code(name.strip("[]")), text) for name, text in command.arguments]
        )
    if own:
        yield _flags(own)
    if sections:
        yield "And the [flags of settings](#flags-of-settings)."


def _flags(flags: Sequence[Flag]) -> str:
    rows = [(code(flag.spelling), f"{flag.help}{_choices(flag)}") for flag in flags]
    return table(("Flag", "Meaning"), rows)


def _choices(flag: Flag) -> str:
    is_told = any(word in f"{flag.metavar} {flag.help}" for word in flag.choices)
    return "" if is_told or not flag.choices else f" One of {', '.join(map(code, flag.choices))}."


def signals_page() -> str:
    """Return the page of signals."""
    return page(
        "Signals",
        "## Master",
        _TO_MASTER,
        table(
            ("Signal", "What it does", "The same, with an answer"),
            [(_names(names), text, code(_COMMANDS[names])) for names, text in SIGNALS],
        ),
        "## Workers",
        _OF_WORKERS,
        table(("Signal", "What it does"), [(_names(names), text) for names, text in WORKER_SIGNALS]),
        "## Programs",
        _OF_PROGRAMS,
    )


def _names(names: str) -> str:
    return ", ".join(map(code, names.split(", ")))


def metrics_page() -> str:
    """Return the page of all figures."""
    rows = [
        (code(each.full_name), ", ".join(map(code, each.labels)), str(each.kind), each.meaning)
        for each in FIGURES
    ]
    rows.append((code(DURATIONS), code("class"), "histogram", DURATIONS_MEANING))
    return page("Figures", _FIGURES, table(("Name", "Labels", "Type", "Meaning"), rows))
