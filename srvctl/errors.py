"""What can go wrong on purpose, and the exit code each ends with.

SrvctlError
├── UsageError         the command line makes no sense            exit 2
│   └── TargetError    nothing can be imported by this name       exit 3, as for what is not found
├── ConfigError        a setting is wrong; names its source       exit 78
├── BindError          a socket could not be opened               exit 3
├── AlreadyRunning     another srvctl has the pid file or name    exit 5
└── AppError           the application cannot be imported         exit 3 (of the worker that tried)

Each message is a full sentence for an operator: what is wrong, where, and what would be right.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """Exit codes of every ``srvctl`` command (sysexits(3) for 78).

    Attributes:
        meaning: One sentence for the reference.
    """

    meaning: str

    OK = 0, "Asked to stop, or the command succeeded."
    INTERNAL = 1, "A bug in srvctl."
    USAGE = 2, "The command line could not be understood."
    NEVER_UP = 3, "The application never came up, or its address could not be bound."
    NO_INSTANCE = 4, "No such instance, or it is not reachable."
    REFUSED = 5, "The command was refused or failed."
    CONFIG = 78, "The configuration is wrong."

    def __new__(cls, code: int, meaning: str = "") -> Self:
        """Make the member the number itself and keep its meaning beside it."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class SrvctlError(Exception):
    """Base of every error that ends a command with one clear message instead of a traceback."""

    exit_code: ExitCode = ExitCode.INTERNAL


class UsageError(SrvctlError):
    """The command line makes no sense."""

    exit_code = ExitCode.USAGE


class TargetError(UsageError):
    """What the command line calls the application can name nothing; it ends like one that is not found."""

    exit_code = ExitCode.NEVER_UP


class ConfigError(SrvctlError):
    """A setting is missing, unknown or has a value that cannot be used."""

    exit_code = ExitCode.CONFIG


class BindError(SrvctlError):
    """A socket could not be opened at an address the user asked for."""

    exit_code = ExitCode.NEVER_UP


class AlreadyRunning(SrvctlError):  # noqa: N818 - it says what is, which is no error of this program
    """Another srvctl has the pid file or the name.

    Attributes:
        pid: Of that one's master; 0 where it cannot be known.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid


class AppError(SrvctlError):
    """The application could not be imported or called.

    Attributes:
        details: The traceback of the user's own code, ready to print; empty when there is none.
    """

    exit_code = ExitCode.NEVER_UP

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def printable(text: str) -> str:
    """Return a text of somebody else's as a message may show it: terminals obey control characters."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
