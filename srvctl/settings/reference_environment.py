"""The page of environment variables: those of settings, those srvctl reads besides, those it sets. Pure.

What is read besides is said here and read elsewhere; a test compares.
"""

from __future__ import annotations

from typing import Final

from srvctl.settings.catalog import catalog
from srvctl.settings.markdown import code, page, table

#: What srvctl reads that is no setting: the variable, who sets it, what it is for.
READ: Final = (
    ("SRVCTL_CONFIG", "you", "The file of settings, where no `-c` names one; commands find its instance."),
    ("NOTIFY_SOCKET", "service manager", "Where to say that the workers serve (sd_notify(3))."),
    ("WATCHDOG_USEC", "service manager", "How often to say that they still do (sd_watchdog_enabled(3))."),
    ("WATCHDOG_PID", "service manager", "Whom that is meant for."),
    ("LISTEN_FDS", "service manager", "How many sockets are handed over (sd_listen_fds(3))."),
    ("LISTEN_FDNAMES", "service manager", "Their names, for `--bind systemd:NAME`."),
    ("LISTEN_PID", "service manager", "Whom they are meant for."),
    ("LISTEN_PIDFDID", "service manager", "The same, for a process id that might be another's by now."),
    ("FDSTORE", "service manager", "How many sockets it keeps through a restart (systemd.exec(5))."),
    ("SYSTEMD_EXEC_PID", "service manager", "Whether that is meant for this process."),
    ("INVOCATION_ID", "service manager", "That srvctl is a service: `srvctl doctor` and `restart` ask."),
    ("RUNTIME_DIRECTORY", "service manager", "Where the control socket is."),
    ("STATE_DIRECTORY", "service manager", "Where the ledger of deaths is, and the log of `srvctl start`."),
    ("XDG_RUNTIME_DIR", "session", "The same as `RUNTIME_DIRECTORY`, in its directory `srvctl`."),
    ("XDG_STATE_HOME", "you", "The same as `STATE_DIRECTORY`, in its directory `srvctl`."),
    ("XDG_CONFIG_HOME", "you", "Where `srvctl completion fish --install` writes."),
    ("XDG_DATA_HOME", "you", "Where `srvctl completion bash --install` writes."),
    ("BASH_COMPLETION_USER_DIR", "you", "The same, before it."),
    ("HOME", "session", "What is below it where the XDG variables are not set: `~/.local/state/srvctl`."),
    ("COLUMNS", "shell", "Width of help and tables."),
    ("TERM", "terminal", "Whether progress can be drawn: not if it is empty or `dumb`."),
    ("PYTHONPATH", "you", "Where Python imports from; an upgrade in place keeps it."),
    ("PYTHONMALLOC", "you", "`srvctl doctor` warns of what slows Python down."),
    ("PYTHONDEVMODE", "you", "Likewise."),
    ("PYTHONASYNCIODEBUG", "you", "Likewise."),
    ("PYTHONTRACEMALLOC", "you", "Likewise."),
    ("container", "container engine", "That srvctl is in a container: `srvctl doctor` asks."),
    ("WATCHFILES_FORCE_POLLING", "you", "Whether `--reload` looks at files instead of being told."),
    ("WATCHFILES_POLL_DELAY_MS", "you", "How often it does, in milliseconds."),
    (
        "OTEL_SERVICE_NAME",
        "you",
        "The service, for `--otlp`; OpenTelemetry reads its other variables itself.",
    ),
)
#: What srvctl sets: the variable, for whom, what it says.
_SET: Final = (
    ("SRVCTL_SLOT", "workers", "The worker's slot: 0 for the first."),
    ("SRVCTL_GENERATION", "workers", "Which generation of the code it runs."),
    ("SRVCTL_PROGRAM", "programs", "The name of the `[[program]]`."),
    ("SRVCTL_PROGRAM_INDEX", "programs", "Which process of it this is: 0 for the first."),
    ("LISTEN_FDS", "programs with `bind`", "How many sockets it has been given, from descriptor 3 on."),
    ("LISTEN_FDNAMES", "programs with `bind`", "Their names."),
    ("LISTEN_PID", "programs with `bind`", "Its own process id, as sd_listen_fds(3) wants it."),
    ("NOTIFY_SOCKET", 'programs with `ready = "notify"`', "Where it says that it is ready."),
    ("HOME", "workers with `workers.user`", "The home of that user."),
)

_SETTINGS: Final = """\
Each setting has a variable, `SRVCTL_` and its key with two underscores for the dot. A flag wins over it,
and it wins over the file ([settings](settings.md)). An empty variable counts as not set. A list is words
separated by commas or spaces, or a JSON list."""
_OTHERS: Final = """\
These are read, too, where the variable above is not set, so that what was written for uvicorn and for
platforms goes on working. Where a setting has several, the first one counts."""


def environment_page() -> str:
    """Return the page."""
    settings = catalog().values()
    own = [(code(each.variable), code(each.name), each.option.help) for each in settings]
    others = [(code(name), code(each.name)) for each in settings for name in each.option.env]
    return page(
        "Environment variables",
        "## Settings",
        _SETTINGS,
        table(("Variable", "Setting", "Meaning"), own),
        "## Settings, by the names of others",
        _OTHERS,
        table(("Variable", "Setting"), others),
        "## What else srvctl reads",
        table(("Variable", "Set by", "Meaning"), [(code(name), who, what) for name, who, what in READ]),
        "## What srvctl sets",
        table(("Variable", "For", "Meaning"), [(code(name), whom, what) for name, whom, what in _SET]),
    )
