"""Sets up the loggers of a process as the settings say; whoever is forked from it has them as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.logs import setup

if TYPE_CHECKING:
    from srvctl.settings.groups import LogSettings


def configure_logs(log: LogSettings) -> None:
    """Set up the loggers of this process.

    Raises:
        ConfigError: A file cannot be opened.
    """
    setup.configure(
        log.level or "info",
        use_colors=log.use_colors,
        access=log.access,
        access_format=log.access_format,
        access_file=log.access_file,
    )
