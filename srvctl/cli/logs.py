"""Finds at once what is wrong in the file that ``log.config`` names, and keeps its content for all processes.

Whether it can be used is tried out, in a child: classes are imported and handlers are made. Log files are
not: ``srvctl check`` may be run by somebody else, whose file the service could then not open.
"""

from __future__ import annotations

import io
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from srvctl.cli.report import warn
from srvctl.logs.streams import flush
from srvctl.settings.layer import Problem
from srvctl.settings.load import raise_all

if TYPE_CHECKING:
    from srvctl.logs.config_file import ConfigFile
    from srvctl.settings.groups import LogSettings
    from srvctl.settings.load import Loaded


def check_logs(loaded: Loaded) -> Loaded:
    """Return the settings with what is in the file; without one, as they are.

    Raises:
        UsageError: It cannot be used, and the command line names it.
        ConfigError: It cannot be used, and the environment or the file names it.
    """
    log = loaded.settings.log
    if log.config is None:
        return loaded
    from srvctl.logs.config_file import LogConfigError, read  # noqa: PLC0415 - for a file only

    try:
        file = read(log.config, loaded.settings.app.dir)
        _try_out(file)
    except LogConfigError as error:
        raise_all([Problem.at(loaded.origins["log.config"], "log.config", f"{error}.")])
    for key in ignored(file, log):
        warn(f"{key} has no effect: {file} says what becomes of requests.")
    return replace(loaded, settings=replace(loaded.settings, log=replace(log, config=file)))


def ignored(file: ConfigFile, log: LogSettings) -> list[str]:
    """Return the settings that a file makes meaningless."""
    from srvctl.logs.configuring import logger_names  # noqa: PLC0415 - for a file only
    from srvctl.logs.dictionary import is_default, names_requests  # noqa: PLC0415 - as above

    is_ours = not isinstance(file.content, str) and is_default(file.content)
    if is_ours or not names_requests(logger_names(file.content)):
        return []
    given = {"log.access_format": log.access_format != "uvicorn", "log.access_file": log.access_file != "-"}
    return [key for key, is_given in given.items() if is_given]


def _try_out(file: ConfigFile) -> None:
    """Set up logging in a child.

    Raises:
        LogConfigError: It does not work.
    """
    from srvctl.logs.config_file import LogConfigError  # noqa: PLC0415 - for a file only

    flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _try_and_exit(file, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if said:
        raise LogConfigError(said)
    if status:
        raise LogConfigError(f"{file}: setting up logging ended the process ({_how(status)})")


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _try_and_exit(file: ConfigFile, writer: int) -> NoReturn:
    from srvctl.logs.config_file import LogConfigError  # noqa: PLC0415 - for a file only
    from srvctl.logs.configuring import configure  # noqa: PLC0415 - as above
    from srvctl.logs.setup import Wanted  # noqa: PLC0415 - as above

    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)  # what modules print while they are imported is not for now
        os.dup2(quiet, 2)
        logging.FileHandler._open = _open_nothing  # type: ignore[assignment]  # noqa: SLF001 - in a child
        try:
            configure(file.content, Wanted(), file, file.folder)
        except LogConfigError as error:
            os.write(writer, str(error).encode())
        code = 0
    finally:
        os._exit(code)


def _open_nothing(handler: logging.FileHandler) -> io.StringIO:
    """Take the place of what opens a file: complain as it would, but create none.

    Raises:
        OSError: It could not be opened.
    """
    path = Path(handler.baseFilename)
    if path.exists():
        with path.open("a"):
            return io.StringIO()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"no file may be written in {path.parent}")
    return io.StringIO()
