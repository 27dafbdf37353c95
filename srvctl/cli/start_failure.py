"""Tells the service manager why a service did not start: STATUS= and ERRNO= of sd_notify(3).

Beside what is printed and the exit code, which stay as they are. Called by the program, which is the process
whose word counts; loaded only when there is something to tell.
"""

from __future__ import annotations

import errno
from contextlib import closing
from typing import Final

from srvctl.errors import ExitCode, SrvctlError
from srvctl.systemd import Notifier

#: Where no call of the system has failed.
_OF_OURS: Final = {ExitCode.USAGE: errno.EINVAL, ExitCode.CONFIG: errno.EINVAL}


def tell(address: str, error: SrvctlError | SystemExit) -> None:
    """Tell why; nothing if nothing is wrong.

    Args:
        address: What NOTIFY_SOCKET was.
        error: Why. `SystemExit` where somebody else has printed the reason.
    """
    if isinstance(error, SrvctlError):
        code, why = error.exit_code, str(error)
    elif error.code in list(ExitCode):
        code = ExitCode(error.code)
        why = f"{code.meaning} The log says more."
    else:
        code, why = ExitCode.INTERNAL, f"exit code {error.code}"
    if code is not ExitCode.OK:
        with closing(Notifier.from_environ({"NOTIFY_SOCKET": address})) as notifier:
            notifier.failed(f"Could not start: {why}", _errno_of(error) or _OF_OURS.get(code, 0))


def _errno_of(error: BaseException | None) -> int:
    """Return the number of the system's error that led to this one; 0 where there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return 0
