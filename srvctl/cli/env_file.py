"""Finds at once what would keep every worker from its environment: a file that is missing or no text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.layer import Problem
from srvctl.settings.load import raise_all

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded

_KEY: Final = "app.env_file"


def check_env_file(loaded: Loaded) -> None:
    """Look into the file of variables as the workers will.

    Raises:
        UsageError: It cannot be used, and the command line names it.
        ConfigError: It cannot be used, and the environment or the file names it.
    """
    path = loaded.settings.app.env_file
    if path is None:
        return
    from srvctl.worker.env_file import EnvFileError, check_readable  # noqa: PLC0415 - most have none

    try:
        check_readable(path)
    except EnvFileError as error:
        raise_all([Problem.at(loaded.origins[_KEY], _KEY, str(error))])
