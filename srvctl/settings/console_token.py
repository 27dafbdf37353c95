"""The token with which the console may act: its form, and the file that it may be in.

Called by the console, and by who checks the settings before anything is bound.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.settings.groups import ConsoleSettings

#: Characters of a token: so many that nobody guesses it.
SHORTEST_TOKEN: Final = 16
_TOKEN: Final = re.compile(rf"[!-~]{{{SHORTEST_TOKEN},}}")
_LARGEST: Final = 64 * 1024
_OTHERS_READ: Final = stat.S_IROTH


class SecretError(ValueError):
    """The file cannot be used; the text says why."""


def check_token(token: str) -> None:
    """Check the console's token, which is sent in a header.

    Raises:
        ValueError: It is too short, or no header can have it.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            f"is no token; write at least {SHORTEST_TOKEN} visible ASCII characters, made for example by: "
            "openssl rand -hex 16"
        )


def token_of(console: ConsoleSettings) -> str | None:
    """Return the token; None without one.

    Raises:
        SecretError: It cannot be read, or it is none.
    """
    if console.token_file is None:
        return console.token
    try:
        with open(console.token_file, "rb") as file:  # noqa: PTH123 - as the path was typed
            data = file.read(_LARGEST)
    except OSError as error:
        raise SecretError(f"{console.token_file} cannot be read: {error.strerror or error}") from None
    try:
        token = data.partition(b"\n")[0].decode().strip()
        check_token(token)
    except ValueError:
        raise SecretError(
            f"the first line of {console.token_file} is no token: that has at least {SHORTEST_TOKEN} "
            "characters, all of them visible ASCII"
        ) from None
    return token


def misgiving(console: ConsoleSettings) -> str:
    """Return a sentence if the file of the token is open to others; else nothing."""
    if console.token_file is None:
        return ""
    try:
        mode = os.stat(console.token_file).st_mode  # noqa: PTH116 - as above
    except OSError:
        return ""
    if not mode & _OTHERS_READ:
        return ""
    return f"console.token_file {console.token_file} can be read by every user of this machine: chmod o-r it"
