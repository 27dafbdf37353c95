"""What a type cannot say about the values of a ``[[program]]``. Pure, and light enough for the master.

Each check raises a `ValueError` whose message begins behind the value. `settings.programs` calls them, and
who starts programs asks `notify_fd`.
"""

from __future__ import annotations

import re
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srvctl.listen_fds import FIRST_PASSED_FD
from srvctl.settings.binds import FdBind, parse_bind
from srvctl.settings.process_values import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Stands in ``after`` for the first workers, so no program can have this name.
WORKERS: Final = "workers"
#: Ways to be ready beside ``fd:N``.
STARTED: Final = "started"
NOTIFY: Final = "notify"
EXIT: Final = "exit"

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_READY: Final = frozenset({STARTED, NOTIFY, EXIT})
_READY_FD: Final = re.compile(r"fd:([0-9]{1,9})")
#: One below the soft limit that processes commonly have (RLIMIT_NOFILE), beyond which dup2(2) fails.
_LAST_FD: Final = 1023
_VARIABLE: Final = re.compile(r"[^=\0]+=[^\0]*")


def check_name(name: str) -> None:
    """Check a program's name.

    Raises:
        ValueError: It cannot have this one.
    """
    if name == WORKERS:
        raise ValueError("is what the workers are called; take another name")
    if not _NAME.fullmatch(name):
        raise ValueError(
            "is not a name; write up to 64 letters and digits, with . _ - between them, for example queue"
        )


def split_command(text: str) -> list[str]:
    """Return the words of a command that is one text.

    Raises:
        ValueError: A quote is not closed, or there is a backslash with nothing behind it.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        what = "ends in a backslash" if "escaped" in str(error) else "has a quote that is not closed"
        raise ValueError(f'{what}; write ["PROGRAM", "ARGUMENT"], or close it') from None


def check_command(words: Sequence[str]) -> None:
    """Check the words of a command.

    Raises:
        ValueError: No program is named, or a word cannot be an argument (execve(2)).
    """
    if not words or not words[0].strip():
        raise ValueError('names no program; write for example ["rq", "worker"]')
    for word in words:
        _check_no_nul(word)


def check_variable(text: str) -> None:
    """Check an entry of the environment.

    Raises:
        ValueError: It is none.
    """
    if not _VARIABLE.fullmatch(text):
        raise ValueError("is not a variable; write NAME=VALUE")


def check_directory(path: str) -> None:
    """Check the path of a directory; whether it is there is seen when the program is started.

    Raises:
        ValueError: No directory has it.
    """
    if not path:
        raise ValueError("names no directory; write a path, or leave it out")
    _check_no_nul(path)


def check_program_bind(text: str) -> None:
    """Check an address that srvctl listens on for a program.

    Raises:
        ValueError: It is none, or a descriptor, of which the master has those of its own only.
    """
    try:
        bind = parse_bind(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{text!r} ")) from None
    if isinstance(bind, FdBind):
        raise ValueError("is not for a program; write HOST:PORT, :PORT, unix:PATH or systemd:NAME")  # noqa: TRY004 - a text


def check_ready(text: str) -> None:
    """Check how a program is known to be ready.

    Raises:
        ValueError: It is none of the ways.
    """
    if text in _READY:
        return
    fd = notify_fd(text)
    if fd is None:
        raise ValueError("is no way to be ready; write started, notify, fd:3 (a descriptor) or exit")
    if not FIRST_PASSED_FD <= fd <= _LAST_FD:
        raise ValueError(
            f"has no number from {FIRST_PASSED_FD} to {_LAST_FD}; write for example fd:{FIRST_PASSED_FD}"
        )


def notify_fd(ready: str) -> int | None:
    """Return the descriptor of ``fd:N``; None for another way to be ready."""
    match = _READY_FD.fullmatch(ready)
    return int(match[1]) if match else None


def _check_id(text: str) -> None:
    parse_id(text)


def _check_no_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("holds a NUL, which the kernel does not take; leave it out, or write it another way")


#: For each key that needs one: the check of the value, or of each item of a list. See also `check_command`.
PROGRAM_CHECKS: Final[Mapping[str, Callable[[str], None]]] = MappingProxyType(
    {
        "name": check_name,
        "directory": check_directory,
        "environment": check_variable,
        "user": _check_id,
        "group": _check_id,
        "bind": check_program_bind,
        "ready": check_ready,
    }
)
