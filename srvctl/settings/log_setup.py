"""Sets up the loggers of a process as the settings say; whoever is forked from it has them as well."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from srvctl.errors import ConfigError
from srvctl.logs import loggers, setup
from srvctl.logs.levels import TRACE, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.groups import LogSettings, Settings


def captures(settings: Settings) -> bool:
    """Whether the master reads what workers print; in development they have the terminal to themselves."""
    return settings.log.capture and not settings.reload.enabled


def configure_logs(
    log: LogSettings,
    config_dict: Mapping[str, Any] | str | None = None,
    level: str | int | None = None,
) -> None:
    """Set up the loggers of this process.

    Args:
        log: What the settings say.
        config_dict: What a program gives in the place of ``log.config``: a dictionary for dictConfig, or the
            text of a file for fileConfig. It is not changed.
        level: The same for ``log.level``, by its name or as any number.

    Raises:
        ConfigError: A file cannot be opened, or the configuration is wrong.
    """
    wanted = setup.Wanted(
        level=log.level if level is None else level,
        use_colors=log.use_colors,
        access=log.access,
        access_format=log.access_format,
        access_file=log.access_file,
        is_json=log.format == "json",
        is_for_terminal=log.file == "-",
    )
    if config_dict is None and log.config is None:
        setup.configure(wanted)
        return
    from srvctl.logs import configuring  # noqa: PLC0415 - loads logging.config, which hardly anybody needs here
    from srvctl.logs.config_file import ConfigFile, LogConfigError, read  # noqa: PLC0415 - as above

    try:
        if config_dict is not None:
            configuring.configure(config_dict, wanted, "what the program gives")
            return
        name = log.config or ""
        file = name if isinstance(name, ConfigFile) else read(name)  # a program has not had it read
        configuring.configure(file.content, wanted, file, file.folder)
    except LogConfigError as error:
        raise ConfigError(f"log.config: {error}.") from None


def leave_logs(log: LogSettings, level: str | int | None = None) -> None:
    """Leave the loggers to a program that sets them up itself, under uvicorn's names or ours.

    What nobody takes goes to the root logger's handlers.

    Args:
        log: What the settings say; only ``access`` counts, and ``level``.
        level: In the place of ``log.level``, by its name or as any number.
    """
    logging.addLevelName(TRACE, "TRACE")
    loggers.adopt()
    loggers.connect()
    level = log.level if level is None else level
    if level is not None:
        loggers.set_level(number_of(level))
    if not log.access:
        loggers.switch_off_requests()
