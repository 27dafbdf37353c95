"""Writes the files that `srvctl init` makes, and none over another that somebody may care for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.errors import ExitCode, SrvctlError

if TYPE_CHECKING:
    from pathlib import Path


class NotWrittenError(SrvctlError):
    """A file is there already, or cannot be written."""

    exit_code = ExitCode.REFUSED


def write(path: Path, text: str, *, is_forced: bool) -> None:
    """Write a file.

    Args:
        path: Where.
        text: What is to be in it.
        is_forced: One that is there is replaced.

    Raises:
        NotWrittenError: One is there, or it cannot be written.
    """
    try:
        with path.open("w" if is_forced else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise NotWrittenError(f"{path} is there already; --force replaces it") from None
    except OSError as error:
        raise NotWrittenError(f"{path} cannot be written: {error.strerror}") from None
