"""What a process beside the workers does between fork(2) and execve(2); nothing of it happens in the master.

Why it cannot go on, it tells through a pipe that execve(2) closes: so the end of the pipe, without a word, is
the news that the program runs. Called by `hands`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.ipc.forking import die_with
from srvctl.settings.identity import look_up
from srvctl.supervisor.programs.given import CannotRunError
from srvctl.supervisor.programs.identity import take_on

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from srvctl.settings.identity import Identity
    from srvctl.supervisor.programs.given import Given

NOT_RUN: Final = 127  #: the exit code where there is no program to say another; that of shells
#: write(2) of so much into an empty pipe does not wait (pipe(7), PIPE_BUF is 4096 on Linux).
_MOST_TOLD: Final = 4096


def leave(leave_master: Callable[[], None]) -> None:
    """Become a process of its own; to be called while all signals are blocked.

    A session and a process group of its own, so that Ctrl-C is for srvctl alone, which then ends programs in
    order, and that whatever it starts can be ended with it. Signals do what they do by default, also those
    that Python ignores (SIGPIPE, SIGXFSZ), and those that whoever started srvctl did: ignoring outlives
    execve(2) (signal(7)).

    Args:
        leave_master: Closes what belongs to the master.
    """
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    leave_master()


def live(what: Given, tells: int, master: int) -> int:
    """Become the program; return an exit code only where that fails.

    Args:
        what: What it is given.
        tells: The pipe that tells why it fails.
        master: Process id of the master.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    lowest = max(what.fds) + 1
    tells = fcntl.fcntl(tells, fcntl.F_DUPFD_CLOEXEC, lowest)
    try:
        _run(what, tells, master)
    except CannotRunError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    os.write(tells, reason.encode(errors="replace")[:_MOST_TOLD])
    return NOT_RUN


def _run(what: Given, tells: int, master: int) -> None:
    """Call execve(2).

    Raises:
        CannotRunError: Something keeps it from that.
        OSError: The same.
    """
    _put_in_place(what.fds)
    _close_all_but({*what.fds, tells})
    identity = _identity(what)
    take_on(identity)
    # SIGTERM instead of SIGKILL: a data base must not be killed hard because somebody has killed its master.
    # After the change of user, which clears the request (prctl(2)); it outlives execve(2), unless what is run
    # is set-user-ID. What the program starts itself is its own business then.
    die_with(master, signal.SIGTERM)
    if what.directory is not None:
        try:
            os.chdir(what.directory)
        except OSError as error:
            raise CannotRunError(f"its directory {what.directory}: {error.strerror}") from None
    environ = {**what.environ, **_of_user(identity, what.chosen)}
    if "LISTEN_FDS" in environ:
        environ["LISTEN_PID"] = str(os.getpid())
    _execute(what.command, environ)


def _identity(what: Given) -> Identity:
    """Return who it is to be; nobody else, with all that was given to it, where it is that user already.

    Raises:
        CannotRunError: There is no such user or group.
    """
    own = os.geteuid()
    try:
        found = look_up(what.user, what.group, own)
    except LookupError as error:
        raise CannotRunError(str(error.args[0]).removesuffix(".")) from None
    return replace(found, uid=None) if found.uid == own else found


def _put_in_place(fds: Mapping[int, int]) -> None:
    """Have each descriptor under its number, and inherited.

    They are moved out of the way first: one's number may be where another is now.

    Raises:
        CannotRunError: A number is larger than this process may have.
    """
    lowest = max(fds) + 1
    try:
        moved = {there: fcntl.fcntl(here, fcntl.F_DUPFD_CLOEXEC, lowest) for there, here in fds.items()}
    except OSError as error:
        raise CannotRunError(
            f"there is no room for descriptor {max(fds)} ({error.strerror}): see `ulimit -n`"
        ) from None
    for there, here in moved.items():
        os.dup2(here, there)


def _close_all_but(kept: Collection[int]) -> None:
    """Close what srvctl was left open by whoever started it, too: it is not for the program."""
    with contextlib.suppress(FileNotFoundError):
        for entry in list(Path("/dev/fd").iterdir()):
            if int(entry.name) not in kept:
                with contextlib.suppress(OSError):  # the one that the directory was read with
                    os.close(int(entry.name))


def _of_user(identity: Identity, chosen: Collection[str]) -> dict[str, str]:
    """Return what tells programs of their user, if it is another one than before."""
    if identity.uid is None:
        return {}
    name = identity.name or str(identity.uid)
    told = {"HOME": identity.home, "USER": name, "LOGNAME": name}
    return {variable: value for variable, value in told.items() if variable not in chosen}


def _execute(command: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Call execve(2), for each directory of the PATH if need be.

    Raises:
        CannotRunError: It fails.
    """
    program = command[0]
    try:
        os.execvpe(program, command, environ)  # noqa: S606 - that no shell sees it is what is promised
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else errno.EINVAL
        raise CannotRunError(_why(program, number or errno.EINVAL)) from None


def _why(program: str, number: int) -> str:
    is_path = "/" in program
    match number:
        case errno.ENOENT | errno.ENOTDIR if not is_path:
            return f"{program} is not found on the PATH; install it, or write its whole path"
        case errno.ENOENT if Path(program).exists():
            return f"{program} cannot be run: the interpreter that its first line names does not exist"
        case errno.ENOENT | errno.ENOTDIR:
            return f"{program} does not exist; correct the command, or install it"
        case errno.EACCES:
            return (
                f"{program} may not be run by user {os.geteuid()}: it must be executable (chmod +x), and the "
                "directories that lead to it accessible"
            )
        case errno.ENOEXEC:
            return (
                f"{program} is no program that the kernel can run: a script begins with a line such as "
                "#!/bin/sh"
            )
    return f"{program} cannot be run: {os.strerror(number)}"
