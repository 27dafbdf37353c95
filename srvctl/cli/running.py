"""``srvctl run``, without the other commands: what it does not load starts sooner.

It only reads the settings; `srvctl.__main__` serves them, in a process without typer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence  # noqa: TC003 - typer evaluates the annotations of commands
from pathlib import Path

from srvctl.cli.flags import ConfigFlag, with_flags
from srvctl.cli.invoking import VersionFlag, new_commands, outcome
from srvctl.cli.logs import check_logs
from srvctl.cli.report import warn
from srvctl.cli.surroundings import check_surroundings
from srvctl.errors import ExitCode, UsageError
from srvctl.settings.conflicts import without_most, without_reload
from srvctl.settings.instance import identify
from srvctl.settings.load import Loaded, load
from srvctl.settings.service import Service


def invoke(argv: Sequence[str]) -> Service | ExitCode:
    """Carry out a command line that begins with ``run``, and report what is wrong with it.

    Returns:
        What to serve; the exit code where there is nothing.
    """
    commands = new_commands()
    commands.command()(with_flags(run))
    result = outcome(commands, argv)
    return result if isinstance(result, Service) else ExitCode(result or ExitCode.OK)


def run(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    is_version_asked: VersionFlag = False,  # noqa: ARG001 - as uvicorn has it; its callback does the work
) -> Service:
    """Serve APP in the foreground until asked to stop."""
    loaded = load_all(given, config)
    settings = loaded.settings
    for line in (*without_reload(loaded), *without_most(loaded)):
        warn(line)
    if settings.app.target is None:
        raise UsageError("nothing to serve: give APP (module:attribute) or -c FILE with [app] target")
    return Service(settings, identify(settings, _file(config)))


def load_all(given: Mapping[str, object], config: Path | None) -> Loaded:
    """Read, merge and check all settings.

    Raises:
        UsageError: A mistake is on the command line.
        ConfigError: A mistake is elsewhere.
    """
    loaded = load(given, os.environ, _file(config))
    check_surroundings(loaded)
    return check_logs(loaded)


def _file(config: Path | None) -> Path | None:
    # Read here and not by typer, of which some versions do not read it for a path.
    named = os.environ.get("SRVCTL_CONFIG")
    return Path(named) if config is None and named else config
