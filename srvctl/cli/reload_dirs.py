"""Finds at once that there is nothing to watch where ``--reload`` is to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.errors import ConfigError
from srvctl.settings.layer import Problem
from srvctl.settings.load import raise_all

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def check_reload_dirs(loaded: Loaded) -> None:
    """Look for the directories that are to be watched.

    Raises:
        UsageError: One is not there, and the command line names it.
        ConfigError: One is not there, and the environment or the file names it.
    """
    reload = loaded.settings.reload
    if not reload.enabled:
        return
    from srvctl.dev import tree  # noqa: PLC0415 - not for a service

    try:
        tree.check_reload_dirs(reload.dirs)
    except ConfigError as error:
        raise_all([Problem.at(loaded.origins["reload.dirs"], str(error))])
