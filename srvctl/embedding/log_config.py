"""How an embedded server sets up logging: by a configuration as uvicorn takes one, or not at all.

Owns `LOGGING_CONFIG`, which programs change and hand back. As long as nobody has changed it, it stands for
the set-up that ``srvctl run`` has, which writes requests faster than logging could. Called by `Config`.
"""

from __future__ import annotations

import logging
import logging.config
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from srvctl.logs.setup import LEVELS
from srvctl.settings.log_setup import configure_logs

if TYPE_CHECKING:
    from srvctl.settings.groups import LogSettings

#: Names of levels and their numbers.
LOG_LEVELS: Final[dict[str, int]] = dict(LEVELS)

#: What ``log_config`` is unless something else is given, in the form of `logging.config.dictConfig`.
LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "srvctl.logging.DefaultFormatter",
            "fmt": "%(levelprefix)s %(message)s",
            "use_colors": None,
        },
        "access": {
            "()": "srvctl.logging.AccessFormatter",
            "fmt": '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s',
        },
    },
    "handlers": {
        "default": {
            "formatter": "default",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        },
        "access": {
            "formatter": "access",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "srvctl": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "srvctl.error": {"level": "INFO"},
        "srvctl.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}
_UNCHANGED: Final = deepcopy(LOGGING_CONFIG)
_LOGGERS: Final = ("error", "access", "asgi")


def is_default(config: object) -> bool:
    """Return whether a configuration asks for nothing but what srvctl does by itself."""
    return isinstance(config, dict) and config == _UNCHANGED


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
        ConfigError: A file cannot be read or opened.
    """
    if config is None:
        # Whoever shall see lines has handlers of his own; the rest is the same as for a configuration.
        if not log.access:
            logging.getLogger("srvctl.access").disabled = True
    elif log.config is not None or is_default(config):
        configure_logs(log)
    elif isinstance(config, dict):
        configure_logs(log, config)
    else:  # what is read already: an open file, or a parser
        logging.config.fileConfig(config, disable_existing_loggers=False)
    if level is not None:
        number = level if isinstance(level, int) else LOG_LEVELS[level.lower()]
        for name in _LOGGERS:  # the stricter one of the two decides
            logging.getLogger(f"srvctl.{name}").setLevel(number)
            logging.getLogger(f"uvicorn.{name}").setLevel(number)
