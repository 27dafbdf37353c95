"""What srvctl does by itself, as a dictionary for `logging.config`, and what one for uvicorn means here.

Pure. `LOGGING_CONFIG` has uvicorn's names of loggers, formatters and handlers: programs that change a format
or a level in uvicorn's do the same to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.logs.formatters import ACCESS_FORMAT, DEFAULT_FORMAT
from srvctl.logs.levels import LEVELS
from srvctl.logs.loggers import NAMES, OWN, TWIN, TWINS, twin_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LOG_LEVELS: Final = LEVELS
_FORMATTERS: Final = ("DefaultFormatter", "AccessFormatter", "ColourizedFormatter")
_OURS: Final = {f"uvicorn.logging.{name}": f"srvctl.logging.{name}" for name in _FORMATTERS}


def logging_config() -> dict[str, Any]:
    """Return what `srvctl.logs.setup.configure` does by default, anew for each caller."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "default": {
                "()": "srvctl.logging.DefaultFormatter",
                "fmt": DEFAULT_FORMAT,
                "use_colors": None,
            },
            "access": {"()": "srvctl.logging.AccessFormatter", "fmt": ACCESS_FORMAT},
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
            TWIN: {"handlers": ["default"], "level": "INFO", "propagate": False},
            f"{TWIN}.error": {"level": "INFO"},
            f"{TWIN}.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }


#: For programs to change a part of, and pass on.
LOGGING_CONFIG: Final = logging_config()


def is_default(config: Mapping[str, Any]) -> bool:
    """Whether a dictionary says what happens without it; so does uvicorn's own, unchanged."""
    return translated(config) == logging_config()


def class_name(name: str) -> str:
    """Return the class or factory that is meant; uvicorn's formatters mean ours, installed or not."""
    return _OURS.get(name, name)


def renamed_loggers(names: Collection[str]) -> dict[str, str]:
    """Return new names of loggers in a configuration: ours become their twins, which have the handlers.

    Where any twin is named as well, the file means two things by them, and both stay.
    """
    if any(name in TWINS for name in names):
        return {}
    return {name: twin_name(name) for name in names if name in NAMES}


def names_requests(names: Collection[str]) -> bool:
    """Whether a configuration with these loggers says what becomes of requests."""
    return f"{OWN}.access" in names or f"{TWIN}.access" in names


def translated(config: Mapping[str, Any], use_colors: bool | None = None) -> dict[str, Any]:
    """Return a dictionary with our classes in the place of uvicorn's, and loggers that have the handlers.

    What is not as dictConfig wants it stays, for dictConfig to complain of.

    Args:
        config: What the user gives; it is not changed.
        use_colors: What is said on the command line, which counts more.
    """
    new = {key: _with_own_classes(value) for key, value in config.items()}
    named = new.get("loggers")
    if isinstance(named, dict):
        names = renamed_loggers(named)
        new["loggers"] = {names.get(name, name): value for name, value in named.items()}
    formatters = new.get("formatters")
    if use_colors is not None and isinstance(formatters, dict):
        for formatter in formatters.values():
            if isinstance(formatter, dict) and formatter.get("()") in _OURS.values():
                formatter["use_colors"] = use_colors
    return new


def _with_own_classes(value: Any) -> Any:
    """Copy dictionaries and lists, however deep, and replace names of uvicorn's classes."""
    match value:
        case dict():
            return {key: _with_own_classes(one) for key, one in value.items()}
        case list():
            return [_with_own_classes(one) for one in value]
        case str():
            return f"ext://{class_name(value[6:])}" if value.startswith("ext://") else class_name(value)
    return value
