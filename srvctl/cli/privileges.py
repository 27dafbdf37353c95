"""Finds at once what would keep workers from becoming what the settings say: an unknown user, no root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.errors import ConfigError
from srvctl.settings.groups import WorkersSettings

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def check_privileges(loaded: Loaded) -> None:
    """Ask what the workers will ask, before anything is bound.

    Raises:
        ConfigError: The kernel would refuse something.
    """
    workers = loaded.settings.workers
    untouched = WorkersSettings()
    names = ("user", "group", "supplementary_groups", "umask", "nice", "cpu_affinity", "rlimits")
    if all(getattr(workers, name) == getattr(untouched, name) for name in names):
        return  # nothing to look up
    from srvctl.worker import privileges  # noqa: PLC0415 - not what every start should load

    if problems := privileges.check(workers):
        raise ConfigError("\n".join(problems))
