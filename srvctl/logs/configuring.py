"""Sets up the loggers of a process as a configuration for `logging.config` says, maybe one made for uvicorn.

What it does not name is as logging leaves it: without a word on uvicorn's or our loggers, records go to the
root's handlers. Called by `srvctl.settings.log_setup`, in master, molds and workers; a child tries it out
before anything is bound. Imports `logging.config`, which takes its time: load it only then.
"""

from __future__ import annotations

import configparser
import contextlib
import logging
import logging.config
import logging.handlers
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srvctl.logs import dictionary, loggers, setup
from srvctl.logs.config_file import LogConfigError, one_line
from srvctl.logs.formatters import ACCESS_FORMAT, AccessFormatter
from srvctl.logs.levels import number_of
from srvctl.logs.setup import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORMATTER, _LOGGER = "formatter_", "logger_"  #: how sections of fileConfig begin


def configure(content: Mapping[str, Any] | str, wanted: Wanted, name: str, folder: str | None = None) -> None:
    """Set up the loggers of this process.

    Args:
        content: A dictionary for dictConfig, or the text of a file for fileConfig; it is not changed.
        wanted: What is said beside it, and counts more.
        name: What errors call it.
        folder: Where its classes are imported from, too; empty for the working directory.

    Raises:
        LogConfigError: It is wrong.
        ConfigError: The file for requests cannot be opened.
    """
    if not isinstance(content, str) and dictionary.is_default(content):
        setup.configure(wanted)
        return
    setup.begin()
    try:
        with _imports_from(folder):
            _obey(content, wanted.use_colors)
    except Exception as error:  # noqa: BLE001 - classes of anybody's are imported and called
        setup.configure(Wanted())  # whoever says what is wrong needs a log
        raise LogConfigError(f"{name}: {_reason(error)}") from None
    names = logger_names(content)
    _override(wanted, names)
    loggers.connect(renames=not any(one in loggers.NAMES for one in names))
    _mind_forks()


def logger_names(content: Mapping[str, Any] | str) -> list[str]:
    """Return the loggers that a configuration names; nothing where it is wrong."""
    if not isinstance(content, str):
        named = content.get("loggers")
        return [str(name) for name in named] if isinstance(named, dict) else []
    with contextlib.suppress(configparser.Error, KeyError):
        parsed = _parsed(content)
        return [parsed[section]["qualname"] for section in _logger_sections(parsed)]
    return []


# -- the two kinds -----------------------------------------------------------------------------------------


def _obey(content: Mapping[str, Any] | str, use_colors: bool | None) -> None:
    if isinstance(content, str):
        logging.config.fileConfig(translated_ini(content), disable_existing_loggers=False)
    else:
        logging.config.dictConfig(dictionary.translated(content, use_colors))


def translated_ini(text: str) -> configparser.ConfigParser:
    """Return a file for fileConfig with our classes and loggers, as `dictionary.translated`.

    Raises:
        configparser.Error: It is none.
        KeyError: A section is missing.
    """
    parsed = _parsed(text)
    for section in parsed.sections():
        if section.startswith(_FORMATTER) and "class" in parsed[section]:
            parsed[section]["class"] = dictionary.class_name(parsed[section]["class"])
    sections = _logger_sections(parsed)
    names = dictionary.renamed_loggers([parsed[section]["qualname"] for section in sections])
    for section in sections:
        name = parsed[section]["qualname"]
        parsed[section]["qualname"] = names.get(name, name)
    return parsed


def _parsed(text: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read_string(text)
    return parsed


def _logger_sections(parsed: configparser.ConfigParser) -> list[str]:
    keys = [key.strip() for key in parsed["loggers"]["keys"].split(",")]
    return [f"{_LOGGER}{key}" for key in keys if key != "root"]


# -- what counts more --------------------------------------------------------------------------------------


def _override(wanted: Wanted, names: list[str]) -> None:
    twin = logging.getLogger(f"{loggers.TWIN}.access")
    if wanted.level is not None:
        loggers.set_level(number_of(wanted.level))
    if not wanted.access:
        loggers.switch_off_requests()
    elif wanted.says_where_requests_go and not dictionary.names_requests(names):
        twin.handlers[:] = [setup.access_handler(wanted)]
        twin.propagate = False
    elif len(twin.handlers) == 1 and (colors := _colors_of(twin.handlers[0])) is not None:
        twin.handlers[:] = [setup.access_handler(Wanted(use_colors=colors))]


def _colors_of(handler: logging.Handler) -> bool | None:
    """Return whether a handler that writes just what ours would colours it; None of any other.

    Ours takes a tenth of the time, and makes nobody wait for whoever reads stdout.
    """
    if type(handler) is not logging.StreamHandler or handler.stream is not sys.stdout:
        return None
    form = handler.formatter
    if type(form) is not AccessFormatter or (form._fmt, form.datefmt) != (ACCESS_FORMAT, None):  # noqa: SLF001
        return None
    return None if handler.filters or handler.level > logging.INFO else form.use_colors


# -- around it ---------------------------------------------------------------------------------------------


def _reason(error: Exception) -> str:
    """Return what is wrong, in one line; dictConfig wraps the error that says it."""
    first, last = _said(error), error
    while (cause := last.__cause__ or last.__context__) is not None and isinstance(cause, Exception):
        last = cause
    text = _said(last)
    return first if text in first else f"{first}: {text}"


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {one_line(error)}"
    if isinstance(error, configparser.Error):  # it was given no name to say
        return one_line(error).replace("file: '<string>', ", "").replace("'<string>' ", "")
    return one_line(error) or type(error).__name__


@contextlib.contextmanager
def _imports_from(folder: str | None) -> Iterator[None]:
    """Let classes of the application's be found, and forget its modules afterwards.

    Else the master would keep them, and everything forked from it after a reload would have the old code.
    """
    if folder is None:
        yield
        return
    path = os.path.abspath(folder)  # noqa: PTH100 - as sys.path has it, so without following links
    before = set(sys.modules)
    sys.path.insert(0, path)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(path)
        for name in set(sys.modules) - before:
            if _is_in(getattr(sys.modules[name], "__file__", None), path):
                del sys.modules[name]


def _is_in(file: str | None, folder: str) -> bool:
    """Whether a file is in the folder, and was not installed there in an environment."""
    installed = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")]
    if file is None or any(Path(file).is_relative_to(one) for one in installed):
        return False
    return Path(file).is_relative_to(folder)


class _Forks:
    """Whether children are taken care of already: what is registered for a fork stays for ever."""

    are_minded = False


def _mind_forks() -> None:
    if not _Forks.are_minded:
        _Forks.are_minded = True
        os.register_at_fork(after_in_child=_leave_connections)


def _leave_connections() -> None:
    """Have each process connect by itself: two that write to one stream would tear each other's records."""
    everybody = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in everybody:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, logging.handlers.SocketHandler) and handler.sock is not None:
                handler.sock.close()
                handler.sock = None
