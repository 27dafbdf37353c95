"""The variables of ``app.env_file``: read in the process that imports the application, and only there.

The master's environment stays as it was started, and molds and workers are forked from the master: so a
variable that is gone from the file is gone after a reload. Also called when settings are read, to refuse a
file that no worker could use.
"""

from __future__ import annotations

import io
import logging
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.errors import AppError, ConfigError

if TYPE_CHECKING:
    from srvctl.settings.groups import AppSettings

logger = logging.getLogger("srvctl.error")


class EnvFileError(ConfigError):
    """The file cannot be used; the message says why, and names it."""


def check_readable(path: str) -> None:
    """See whether a file of variables can be used.

    A pipe is not read, because what it gives it may give only once.

    Raises:
        EnvFileError: It cannot.
    """
    file = Path(path)
    try:
        is_pipe = stat.S_ISFIFO(file.stat().st_mode)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not is_pipe:
        _read(path)


def load_env_file(settings: AppSettings) -> None:
    """Put the variables of the file, if there is one, into the environment, but for those that are set.

    Raises:
        AppError: The file cannot be used; when the settings were read, it could.
    """
    path = settings.env_file
    if path is None:
        return
    from dotenv import load_dotenv  # noqa: PLC0415 - only for those who want it

    try:
        text = _read(path)
        load_dotenv(stream=io.StringIO(text))
    except EnvFileError as error:
        raise AppError(f"app.env_file: {error}") from None
    except ValueError as error:  # os.environ takes no name with `=`
        raise AppError(f"app.env_file: {path} has a variable that cannot be set: {error}.") from None
    logger.info("Loaded the environment of the application from %s", path)


def _read(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # the mark that some editors begin a file with
    except OSError as error:
        raise _unreadable(path, error) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"{path} is not UTF-8 (line {line})") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise EnvFileError(f"{path} has a null character (line {line})")
    return text


def _unreadable(path: str, error: OSError) -> EnvFileError:
    return EnvFileError(f"{path} cannot be read: {error.strerror}")
