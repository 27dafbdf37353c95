"""Sets up the loggers of a process as the settings say; whoever is forked from it has them as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from srvctl.errors import ConfigError
from srvctl.logs import setup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.groups import LogSettings


def configure_logs(log: LogSettings, config: Mapping[str, Any] | None = None) -> None:
    """Set up the loggers of this process.

    Args:
        log: What the settings say.
        config: A dictionary for dictConfig that a program gives in the place of ``log.config``.

    Raises:
        ConfigError: A file cannot be opened, or the configuration is wrong.
    """
    if config is None and log.config is None:
        setup.configure(
            log.level or "info",
            use_colors=log.use_colors,
            access=log.access,
            access_format=log.access_format,
            access_file=log.access_file,
        )
        return
    from srvctl.logs import configuring  # noqa: PLC0415 - loads logging.config, which hardly anybody needs here
    from srvctl.logs.config_file import ConfigFile, LogConfigError, read  # noqa: PLC0415 - as above

    overrides = configuring.Overrides(
        level=log.level,
        use_colors=log.use_colors,
        access=log.access,
        access_format=log.access_format,
        access_file=log.access_file,
    )
    try:
        if config is not None:
            configuring.configure(config, overrides, "the dictionary")
            return
        name = log.config or ""
        file = name if isinstance(name, ConfigFile) else read(name)  # a program has not had it read
        configuring.configure(file.content, overrides, file, file.folder)
    except LogConfigError as error:
        raise ConfigError(f"log.config: {error}.") from None
