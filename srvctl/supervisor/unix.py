"""Opens one Unix socket: its file appears with its final permissions, in place of a dead one only.

Owns the way to a socket file: probing what is there, creating it, giving it away, and the sentences that say
why it cannot be had. Must not know the other kinds of address, nor when the file goes again: `listeners`
removes it. Called by `sockets`.

Two masters that start on the same stale socket file in the same instant can still meet between probe and
bind: POSIX has no call for "bind unless somebody listens".
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.errors import BindError
from srvctl.supervisor.holders import holder_of_path, in_use
from srvctl.supervisor.listeners import Listener, UnixFile

if TYPE_CHECKING:
    from srvctl.settings.binds import UnixBind
    from srvctl.supervisor.stored import Stored

_NO_ID: Final = 2**32 - 1  # (uid_t) -1, which chown() takes for "leave as it is"


def open_unix(bind: UnixBind, backlog: int, stored: Stored | None = None) -> Listener:
    """Create the socket file with its final permissions, then listen; on failure neither stays.

    Call before any thread exists: the file is created under a umask of its own.

    Args:
        bind: Where to listen, and who may connect.
        backlog: Connections the kernel queues.
        stored: What is used instead of being created, if it is there.

    Raises:
        BindError: The socket cannot be opened.
    """
    kept = stored.take_unix(bind) if stored is not None else None
    if kept is not None:
        sock, file = kept
        sock.listen(backlog)
        return Listener(sock, bind, f"unix socket {file.path}", file, is_kept=True)
    user = -1 if bind.user is None else _uid(bind.user, bind)
    group = -1 if bind.group is None else _gid(bind.group, bind)
    with ExitStack() as undo:
        try:
            _clear_way(bind.path)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            undo.callback(sock.close)
            _create(sock, bind)
            made = os.lstat(bind.path)
        except OSError as error:
            raise _refusal(bind.path, error) from error
        # Absolute, for a master that has changed its directory by the time it ends.
        file = UnixFile(str(Path(bind.path).absolute()), made.st_dev, made.st_ino)
        undo.callback(file.remove)
        try:
            os.chown(bind.path, user, group, follow_symlinks=False)
        except OSError as error:
            raise BindError(
                f"{bind} cannot be opened: user {os.geteuid()} may not give it away ({error.strerror}); "
                "start srvctl as root, or leave out user= and group="
            ) from error
        sock.listen(backlog)
        sock.setblocking(False)
        undo.pop_all()
    return Listener(sock, bind, f"unix socket {file.path}", file)


def _clear_way(path: str) -> None:
    """Remove a socket file that nobody listens on; refuse to touch anything else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise BindError(
            f"unix socket {path} cannot be opened: the path exists and is not a socket; move it away or "
            "choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except BlockingIOError:  # alive, with a full queue
            raise BindError(in_use(f"unix socket {path}", holder_of_path(path, None))) from None
        except OSError as error:  # EPROTOTYPE of a datagram socket, EACCES: not known to be dead
            raise BindError(
                f"unix socket {path} cannot be opened: a socket is there, and whether it is in use cannot be "
                f"told ({error.strerror}); remove it if it is not, or choose another path"
            ) from error
        else:
            raise BindError(in_use(f"unix socket {path}", holder_of_path(path, probe)))
    UnixFile(path, found.st_dev, found.st_ino).remove()


def _create(sock: socket.socket, bind: UnixBind) -> None:
    """Create the socket file with exactly the mode asked for."""
    if bind.mode is None:
        sock.bind(bind.path)
        return
    # bind() creates 777 less the umask. A chmod() afterwards would follow whatever replaced the path.
    previous = os.umask(0o777 & ~bind.mode)
    try:
        sock.bind(bind.path)
    finally:
        os.umask(previous)


def _refusal(path: str, error: OSError) -> BindError:
    parent = Path(path).absolute().parent
    match error.errno:
        case errno.ENOENT:
            reason = f"the directory {parent} does not exist; create it or choose another path"
        case errno.ENOTDIR:
            reason = f"{parent} is not a directory; choose another path"
        case errno.EACCES | errno.EPERM:
            reason = f"user {os.geteuid()} may not create files in {parent}; choose another path"
        case errno.EADDRINUSE:
            reason = "its file cannot be replaced, or was created just now; remove it or choose another path"
        case _:
            reason = f"{error.strerror}"
    return BindError(f"unix socket {path} cannot be opened: {reason}")


def _uid(name: str, bind: UnixBind) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return _number(name, "user", bind)


def _gid(name: str, bind: UnixBind) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return _number(name, "group", bind)


def _number(name: str, what: str, bind: UnixBind) -> int:
    if name.isascii() and name.isdecimal() and len(name) <= len(str(_NO_ID)) and int(name) < _NO_ID:
        return int(name)
    raise BindError(f"{bind} cannot be opened: the {what} {name!r} does not exist; create it or name another")
