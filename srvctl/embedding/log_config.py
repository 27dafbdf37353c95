"""How an embedded server sets up logging: by a configuration as uvicorn takes one, or not at all.

Called by `Config`; what a configuration means is said by `srvctl.settings.log_setup`.
"""

from __future__ import annotations

import io
from configparser import RawConfigParser
from typing import TYPE_CHECKING, Any

from srvctl.logs.dictionary import LOG_LEVELS
from srvctl.logs.dictionary import is_default as is_default_dictionary
from srvctl.settings.log_setup import configure_logs, leave_logs

if TYPE_CHECKING:
    from srvctl.settings.groups import LogSettings


def is_default(config: object) -> bool:
    """Return whether a configuration asks for nothing but what srvctl does by itself."""
    return isinstance(config, dict) and is_default_dictionary(config)


def level_name(level: str | int | None) -> str | None:
    """Return the name of a level, for the settings, which know only names: the nearest at least as severe."""
    if not isinstance(level, int):
        return level.lower() if level is not None else None
    return min(LOG_LEVELS, key=lambda name: (LOG_LEVELS[name] < level, abs(LOG_LEVELS[name] - level)))


def configure(log: LogSettings, config: Any, level: str | int | None) -> None:
    """Set up the loggers of this process.

    Args:
        log: The settings, with the file's path where a file is named.
        config: As `Config.log_config`: None leaves the loggers to the program.
        level: As `Config.log_level`; overrules what the configuration says.

    Raises:
        ConfigError: A file cannot be read or opened, or the configuration is wrong.
    """
    if config is None:
        leave_logs(log, level)
    elif log.config is not None:
        configure_logs(log, level=level)
    elif isinstance(config, dict):
        configure_logs(log, config, level)
    else:
        configure_logs(log, _text(config), level)


def _text(config: Any) -> str:
    """Return what a parser was given, or what is in an open file."""
    if not isinstance(config, RawConfigParser):
        return str(config.read())
    text = io.StringIO()
    config.write(text)
    return text.getvalue()
